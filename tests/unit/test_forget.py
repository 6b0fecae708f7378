"""``forget``: whose data goes, what is told of it, and that none of it comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from speechlytics import cli, nightly
from speechlytics.errors import ConfigError, StoreError, StoreLocked
from speechlytics.export import export, forget_delivered
from speechlytics.nightly._plan import without_forgotten
from speechlytics.phrases import load_packs
from speechlytics.review import cached_of
from speechlytics.sources import customer_key, load_or_create_key
from speechlytics.store import Store
from speechlytics.store.durable import intercepted
from tests.store_calls import analysis, recording
from tests.unit.test_store_erase import holding

NUMBER, WRITTEN_SO = "+79161234567", "8 (916) 123-45-67"
FIRST, SECOND, OTHER = "1732263000.17", "1732269999.18", "1732270000.19"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store to change."""
    return filled(tmp_path)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store for what is refused."""
    return filled(tmp_path_factory.mktemp("untouched"))


def filled(tmp_path: Path) -> Store:
    """Two calls of one customer and one of another, with all that a store keeps of calls."""
    store = Store(tmp_path / "store")
    key = load_or_create_key(tmp_path / "store.key")
    calls = []
    for call_id in (FIRST, SECOND, OTHER):
        sound = tmp_path / "recordings" / f"{call_id}.wav"
        sound.parent.mkdir(exist_ok=True)
        sound.write_bytes(b"sound")
        call = analysis(call_id, text="иволга" if call_id != OTHER else "слово")
        whose = NUMBER if call_id != OTHER else "+79990000000"
        described = replace(
            call.recording,
            uris=(str(sound),),
            customer_key=customer_key(whose, key, "RU"),
            transferred_from=FIRST if call_id == OTHER else None,
        )
        calls.append(replace(call, recording=described))
        kept = tmp_path / "store" / "_vcon"
        kept.mkdir(parents=True, exist_ok=True)
        name = nightly._vcon_sound._name(call_id)
        (kept / f"{name}-0.wav").write_bytes(b"sound")
    with store.writer("run") as writer:
        writer.add(calls)
        writer.publish()
    store.append_reviews(
        [{"review_id": "1", "call_id": FIRST, "verdict": "unclear", "run_id": "r"}]
    )
    store.note("listen", call_id=FIRST)
    return store


def erase(store: Store, *call_ids: str, **how: Any) -> nightly.Erasure:
    return nightly.forget(store, nightly.Forgettable(call_ids), cached=cached_of, **how)


def run(store: Store, *arguments: str, answer: str | None = None) -> Any:
    command = ["forget", *arguments, "--store", store.place.root]
    return CliRunner().invoke(cli.app, command, input=answer)


def calls(store: Store) -> list[str]:
    return sorted(store.read("calls", columns=["call_id"]).column(0).to_pylist())


def test_a_customer_goes_by_number_however_it_is_written(store: Store) -> None:
    done = run(store, "--customer", WRITTEN_SO, "--yes", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    assert report["calls"] == 2
    assert report["rows"]["segments"] == 4
    assert (report["rows"]["reviews"], report["rows"]["audit"]) == (1, 1)
    assert report["files"]["recordings of vCons"] == 2
    assert [Path(uri).name for uri in report["recordings"]] == [f"{FIRST}.wav", f"{SECOND}.wav"]
    assert all(Path(uri).exists() for uri in report["recordings"])
    assert calls(store) == [OTHER]
    assert [p.name for p in store.place.work.glob("_vcon/*")] == [
        f"{nightly._vcon_sound._name(OTHER)}-0.wav"
    ]


def test_a_customer_goes_by_pseudonym_without_the_key_file(store: Store) -> None:
    key = store.read("calls", call_ids=[FIRST], columns=["customer_key"])[0][0].as_py()
    Path(store.place.root).with_name("store.key").unlink()
    refused = run(store, "--customer", NUMBER, "--yes")
    assert isinstance(refused.exception, ConfigError)
    assert "store.key" in str(refused.exception)
    assert run(store, "--customer", key, "--yes").exit_code == 0
    assert calls(store) == [OTHER]


@pytest.mark.parametrize("who", ["anonymous", "-", ""])
def test_nobody_is_not_a_customer(untouched: Store, who: str) -> None:
    refused = run(untouched, "--customer", who, "--yes")
    assert isinstance(refused.exception, ConfigError)
    assert len(calls(untouched)) == 3


def test_other_calls_no_longer_name_it(store: Store) -> None:
    erase(store, FIRST)
    named = store.read("calls", columns=["transferred_from"]).column(0).to_pylist()
    assert named == [None, None]


def test_one_audit_entry_tells_who_and_how_much_but_not_whom(store: Store) -> None:
    erase(store, FIRST)
    (entry,) = store.read("audit").to_pylist()
    assert entry["action"] == "erase"
    assert entry["actor"]
    assert entry["call_id"] is None
    assert FIRST not in entry["detail"]
    assert json.loads(entry["detail"])["rows"]["calls"] == 1


def test_a_dry_run_counts_the_same_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    export(store, "unresolved", tmp_path / "u.csv", new=True)
    before = sorted(p for p in tmp_path.rglob("*") if p.name != ".commit.lock")
    planned = json.loads(run(store, "--call", FIRST, "--dry-run", "--json").output)
    assert sorted(p for p in tmp_path.rglob("*") if p.name != ".commit.lock") == before
    done = erase(store, FIRST).as_dict()
    counted = ("calls", "recordings", "screens", "exports")
    assert {k: planned[k] for k in counted} == {
        k: list(v) if isinstance(v := done[k], tuple) else v for k in counted
    }
    rows = {k: v for k, v in planned["rows"].items() if k != "postings"}
    assert rows == {k: done["rows"][k] for k in rows}
    assert planned["files"] == {k: done["files"][k] for k in planned["files"]}


def test_recordings_are_deleted_on_demand_only(store: Store) -> None:
    done = erase(store, FIRST, delete_recordings=True)
    (gone,) = done.recordings_deleted
    assert not Path(gone).exists()
    assert Path(gone).with_name(f"{SECOND}.wav").exists()


def test_without_a_terminal_it_wants_to_be_told(untouched: Store) -> None:
    refused = run(untouched, "--call", FIRST)
    assert isinstance(refused.exception, ConfigError)
    assert "--yes" in str(refused.exception)
    assert isinstance(run(untouched).exception, ConfigError)
    assert isinstance(run(untouched, "--call", "", "--yes").exception, ConfigError)
    assert len(calls(untouched)) == 3


@pytest.mark.parametrize(("answer", "left"), [("n\n", 3), ("y\n", 2)])
def test_on_a_terminal_it_asks(
    store: Store, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    monkeypatch.setattr("speechlytics.cli.forget._on_terminal", lambda: True)
    done = run(store, "--call", FIRST, answer=answer)
    assert "Erase 1 calls?" in done.stderr
    assert f"{FIRST}.wav" in done.stderr
    assert len(calls(store)) == left


def test_a_run_at_work_is_respected_and_no_store_is_made(untouched: Store, tmp_path: Path) -> None:
    with untouched.writer("night"):
        assert isinstance(run(untouched, "--call", FIRST, "--yes").exception, StoreLocked)
    with pytest.raises(StoreError, match="no store here"):
        erase(Store(tmp_path / "none"), FIRST)
    assert not (tmp_path / "none").exists()


def test_a_killed_erasure_goes_on_when_it_is_repeated(untouched: Store, tmp_path: Path) -> None:
    key = untouched.read("calls", call_ids=[FIRST], columns=["customer_key"])[0][0].as_py()
    wanted = nightly.Forgettable((), (key,))
    whole = Path(untouched.place.root)
    targets: list[str] = []
    clean = Store(shutil.copytree(whole, tmp_path / "clean"))
    with intercepted(lambda _, target: targets.append(target)):
        nightly.forget(clean, wanted, cached=cached_of)
    journal = max(i for i, target in enumerate(targets) if target.endswith("_journal.json"))
    for number in (2, journal - 4, journal + 1, len(targets) - 20, len(targets) - 3):
        store = Store(shutil.copytree(whole, tmp_path / f"killed-{number}"))
        left = iter(range(number))

        def hook(action: str, target: str, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        with intercepted(hook), pytest.raises(KeyboardInterrupt):
            nightly.forget(store, wanted, cached=cached_of)
        nightly.forget(store, wanted, cached=cached_of)
        root = Path(store.place.root)
        assert holding(root, FIRST, SECOND, key, "иволга") == {}, targets[number]
        assert [p.name for p in root.glob("_vcon/*")] == [
            f"{nightly._vcon_sound._name(OTHER)}-0.wav"
        ]
        assert store.forgotten().call(SECOND) is not None
        assert calls(store) == [OTHER]


def test_exports_neither_remember_nor_repeat_it(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    assert export(store, "unresolved", out, new=True).path is None or out.exists()
    delivered = export(store, "calls", tmp_path / "calls.csv", new=True)
    assert delivered.rows == 3
    assert forget_delivered(store, [FIRST], dry_run=True) >= 1
    done = erase(store, FIRST)
    assert done.files["rows that exports remember"] >= 1
    assert str(tmp_path / "calls.csv") in done.exports
    # of the calls that stay none is delivered again; the one whose link went is another row now
    again = export(store, "silences", tmp_path / "s.csv", new=True)
    assert again.rows == 4
    assert export(store, "silences", tmp_path / "s.csv", new=True).rows == 0
    ids = [p.read_bytes() for p in sorted((store.place.work / "_exports").glob("*.ids"))]
    erase(store, SECOND)
    after = [p.read_bytes() for p in sorted((store.place.work / "_exports").glob("*.ids"))]
    assert ids != after
    assert [len(x) for x in ids] == [len(x) for x in after]
    assert export(store, "silences", tmp_path / "s.csv", new=True).rows == 0


def test_it_is_not_planned_again_but_later_calls_of_the_customer_are(store: Store) -> None:
    run(store, "--customer", NUMBER, "--yes")
    key = customer_key(NUMBER, load_or_create_key(Path(f"{store.place.root}.key")), "RU")
    old = replace(recording("never-stored"), customer_key=key)
    later = replace(old, call_id="later", started_at=datetime.now(UTC) + timedelta(hours=1))
    naming = replace(recording("naming"), transferred_from=FIRST)
    known = [recording(FIRST), recording(OTHER), old, later, naming]
    planned = list(without_forgotten(known, store.forgotten()))
    assert [r.call_id for r in planned] == [OTHER, "later", "naming"]
    assert planned[2].transferred_from is None


def test_imports_refuse_what_was_forgotten(store: Store, tmp_path: Path) -> None:
    run(store, "--customer", NUMBER, "--yes")
    turn = {"speaker": "customer", "start_s": 0, "end_s": 2, "text": "Алло"}
    told = {"started_at": "2026-03-01T10:00:00+03:00", "language": "ru", "turns": [turn]}
    lines = [{"call_id": FIRST}, {"call_id": "x", "customer_id": NUMBER}, {"call_id": "good"}]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(json.dumps(told | line) for line in lines))
    taken = nightly.import_transcripts(
        store, [path], load_packs(None), nightly.Reading(), key_file=tmp_path / "store.key"
    )
    assert taken.taken == 1
    assert [refusal.split(":")[1] for refusal in taken.refused] == ["1", "2"]
    assert all("was forgotten on" in refusal for refusal in taken.refused)
    verdicts = tmp_path / "v.jsonl"
    verdicts.write_text(
        "\n".join(json.dumps({"call_id": i, "verdict": "unclear"}) for i in (FIRST, OTHER))
    )
    reviews = nightly.import_reviews(store, [verdicts])
    assert (reviews.taken, len(reviews.refused)) == (1, 1)
    chat = tmp_path / "chat.vcon"
    dialog = {"type": "text", "start": "2026-03-01T10:00:00+03:00", "parties": 0, "body": "Алло"}
    chat.write_text(
        json.dumps(
            {
                "vcon": "0.4.0",
                "uuid": "0190b5f7-0000-8000-8000-000000000001",
                "parties": [{"tel": f"tel:{NUMBER}", "role": "customer"}],
                "dialog": [{**dialog, "encoding": "none"}],
            }
        )
    )
    from speechlytics import config

    settings = config.Config(
        source=config.SourceConfig(path=str(tmp_path)),
        store=config.StoreConfig(path=store.place.root),
    )
    vcons = nightly.import_vcons(settings, [chat])
    assert vcons.taken == 0
    assert "was forgotten on" in vcons.refused[0]


def test_what_is_not_stored_is_barred_all_the_same(store: Store) -> None:
    done = run(store, "--call", "not-yet-done", "--yes")
    assert done.exit_code == 0
    assert "0 stored calls erased" in done.output
    assert store.forgotten().call("not-yet-done") is not None
