"""The review page over HTTP: what it shows, plays and writes, and what it refuses."""

from __future__ import annotations

import html
import io
import re
import wave
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from speechlytics import config
from speechlytics.errors import ConfigError
from speechlytics.phrases import load_packs
from speechlytics.review import ReviewSettings, _sqlbox, cached_of, create_app, forget_cached
from speechlytics.review._cover import Cover, Handles
from speechlytics.review._filters import Filters, parse
from speechlytics.review._i18n import LANGUAGES, NAMES, translations
from speechlytics.review._masking import mask, mask_words
from speechlytics.review._settings import is_loopback
from speechlytics.store import Store
from tests.review_store import DEMO, HOSTILE_ID, SECRET, analyses, shared

DAY = "2026-11-09"
LOCALE = Path(__file__).parents[2] / "speechlytics" / "review" / "locale"


def open_client(app: object, **options: object) -> TestClient:
    return TestClient(app, base_url="http://localhost", **options)


@pytest.fixture(scope="module")
def store() -> Store:
    return shared()


@pytest.fixture(scope="module")
def client(store: Store) -> Iterator[TestClient]:
    settings = ReviewSettings(store=Path(store.place.root), reviewer="anna")
    with open_client(create_app(settings), follow_redirects=False) as made:
        yield made


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/sql").text)
    assert found
    return found.group(1)


class Elements(HTMLParser):
    """Every element of a page with its attributes, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


# --- what is shown ------------------------------------------------------------------------------


def test_queue_shows_the_worst_call_first(client: TestClient) -> None:
    text = client.get("/queue").text
    shown = re.findall(r'<a class="open" href="/call\?id=([^&"]+)', text)
    assert shown[:2] == ["demo-01", "demo-05"]
    assert "cannot tell how many calls are left unresolved" in text


def test_queue_filters_stay_in_the_address(client: TestClient) -> None:
    text = client.get(f"/queue?first={DAY}&last={DAY}&agent=A04&min_s=10&page=99").text
    assert re.findall(r'<a class="open" href="/call\?id=([^&"]+)', text) == ["demo-05"]
    assert "agent=A04" in text
    assert "min_s=10" in text
    assert "Nothing to hear" in client.get("/queue?agent=nobody").text


@pytest.mark.parametrize(
    "query",
    ["lane=x", "first=2026-99-99", "first=0001-01-01", "last=9999-12-31", "page=0", "page=1e9"],
)
def test_senseless_filters_count_for_nothing(client: TestClient, query: str) -> None:
    assert client.get(f"/queue?{query}").status_code == 200


def test_filters_survive_their_address() -> None:
    filters = Filters("alerts", date(2026, 1, 2), date(2026, 1, 9), reason="warn", max_s=5, page=3)
    pairs = dict(pair.split("=") for pair in filters.query().split("&"))
    assert parse(pairs) == filters
    assert parse({}).query() == ""


def test_call_page_has_reasons_words_and_chain(client: TestClient) -> None:
    text = client.get(f"/call?id=demo-01&day={DAY}").text
    assert 'data-jump="43369"' in text
    assert "waited in vain" in text
    assert "/call?id=demo-05" in text
    # a wrong day is only a hint
    assert client.get("/call?id=demo-01&day=2020-01-01").status_code == 200


def test_call_view_agrees_with_the_catalog(client: TestClient, store: Store) -> None:
    score = store.connect().execute("SELECT score FROM unresolved() WHERE call_id = 'demo-01'")
    services = client.app.state.services
    cover = Cover(True, services.handles)
    view = services.calls.view("demo-01", None, cover)
    assert view.score == pytest.approx(score.fetchall()[0][0])
    services.calls._rankings.forget()
    services.calls._judged.clear()
    again = services.calls.view("demo-01", None, cover)
    assert (again.score, again.reasons) == (view.score, view.reasons)


def test_unknown_calls_are_not_found(client: TestClient) -> None:
    for address in ("/call?id=nobody", "/call", "/wave?id=nobody", "/audio?id=nobody", "/no"):
        assert client.get(address).status_code == 404


@pytest.mark.parametrize("lane", ["unresolved", "alerts", "random"])
def test_lanes_answer_htmx_with_the_list_only(client: TestClient, lane: str) -> None:
    text = client.get(f"/queue?lane={lane}", headers={"HX-Request": "true"}).text
    assert text.lstrip().startswith('<section id="list"')


def test_dashboards_have_a_picture_and_its_sql(client: TestClient, store: Store) -> None:
    text = client.get("/dashboards").text
    assert text.count("<svg xmlns") >= 12
    connection = store.connect()
    for query in re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL):
        connection.execute(html.unescape(query)).fetchall()


# --- languages ----------------------------------------------------------------------------------


def texts_of(catalogue: Iterable[Any]) -> dict[tuple[str, ...], tuple[str, ...]]:
    def forms(text: Any) -> tuple[str, ...]:
        return (text,) if isinstance(text, str) else tuple(text)

    return {forms(m.id): forms(m.string) for m in catalogue if m.id}


def test_every_text_is_translated() -> None:
    babel = pytest.importorskip("babel.messages", reason="babel is in the dev extra")
    from babel.messages.extract import extract_from_dir
    from babel.messages.mofile import read_mo
    from babel.messages.pofile import read_po

    assert babel
    package = LOCALE.parent
    used = {
        (text[0] if isinstance(text, tuple) else text)
        for _, _, text, _, _ in extract_from_dir(
            str(package),
            method_map=[("**.py", "python"), ("templates/**.html", "jinja2")],
            options_map={"templates/**.html": {"trimmed": "true"}},
            keywords={"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)},
        )
    }
    for language in set(LANGUAGES) - {"en"}:
        folder = LOCALE / language / "LC_MESSAGES"
        with (folder / "review.po").open("rb") as file:
            written = read_po(file, locale=language)
        with (folder / "review.mo").open("rb") as file:
            compiled = read_mo(file)
        texts = texts_of(written)
        assert all(all(forms) for forms in texts.values())
        assert {key[0] for key in texts} == used
        assert texts_of(compiled) == texts, "run pybabel compile"


def test_language_follows_the_browser_then_the_choice(client: TestClient) -> None:
    assert 'lang="ru"' in client.get("/rules", headers={"Accept-Language": "ru-RU"}).text
    answer = client.get("/lang?to=ru&next=/rules")
    assert answer.headers["location"] == "/rules"
    assert "Правила" in client.get("/rules").text
    client.cookies.delete("language")


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example", "/\\evil", "x"])
def test_language_never_leads_elsewhere(client: TestClient, next_: str) -> None:
    answer = client.get("/lang", params={"to": "en", "next": next_})
    assert answer.headers["location"] == "/queue"
    client.cookies.delete("language")


def test_reasons_and_categories_have_names(store: Store) -> None:
    rows = store.connect().execute("SELECT DISTINCT reason FROM reason_weights").fetchall()
    assert {name for (name,) in rows} <= NAMES.keys()
    assert {row["category"] for row in load_packs().rules_table()} <= NAMES.keys()
    assert translations("ru").gettext(NAMES["dead_air"]) == "Мёртвая тишина"


# --- what is covered ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("позвоните на +7 916 123-45-67 завтра", "+7 916 123-45-67"),
        ("8(495)123 45 67", "8(495)123 45 67"),
        ("пишите anna.b+x@mail.example.com.", "anna.b+x@mail.example.com"),
        ("карта 4276 1234 5678 9012", "4276 1234 5678 9012"),
        ("договор четыре восемь один шесть ноль", "четыре восемь один шесть ноль"),
        ("my number is five five one two", "five five one two"),
    ],
)
def test_numbers_and_addresses_are_covered(text: str, hidden: str) -> None:
    covered = mask(text)
    assert len(covered) == len(text)
    at = text.index(hidden)
    before, inside, after = (
        covered[:at],
        covered[at : at + len(hidden)],
        covered[at + len(hidden) :],
    )
    assert (before, after) == (text[:at], text[at + len(hidden) :])
    assert not re.search(r"[^\W_]", inside)


@pytest.mark.parametrize("text", ["два раза по 300 рублей", "в 15 часов", "один звонок, три дня"])
def test_prices_and_counts_stay(text: str) -> None:
    assert mask(text) == text


def test_a_number_over_many_words_is_covered() -> None:
    words = [" номер", " 8916,", "123", "45", " 67"]
    assert mask_words(words) == ["номер", "••••,", "•••", "••", "••"]


def test_secrets_are_covered_unless_the_user_may_see(store: Store) -> None:
    address = {"id": HOSTILE_ID, "day": DAY}
    for names, seen in (((), False), (("anna",), True), (("*",), True), (("boris",), False)):
        settings = ReviewSettings(Path(store.place.root), reviewer="anna", unmasked=names)
        with open_client(create_app(settings)) as client:
            text = client.get("/call", params=address).text
            assert ("anna@example.com" in text, "123-45-67" in text) == (seen, seen)


def covered_store(folder: Path) -> Store:
    """Two calls of one customer, named after its number; agent and queue show numbers, too."""
    store = Store(folder / "store")
    made = analyses(folder, ["demo-01"])
    one, moved = made[0], []
    for number, call_id in enumerate(NUMBERED):
        found = replace(
            one.recording,
            call_id=call_id,
            started_at=one.recording.started_at + timedelta(hours=number),
            agent_id="maria@calls.example.com",
            queue="84951234567",
            team="team 4",
            screens=one.recording.screens[:40],
        )
        moved.append(replace(one, recording=found))
    with store.writer("fixture") as writer:
        writer.add(moved)
        writer.publish()
    store.replace_rules([{**row, "run_id": "fixture"} for row in load_packs().rules_table()])
    return store


NUMBERED = ("20261109-79161234567-1.wav", "20261109-79161234567-2.wav")
TELLING = ("79161234567", "maria@calls", "84951234567")


def test_ids_with_numbers_are_covered_and_links_work(tmp_path: Path) -> None:
    store = covered_store(tmp_path)
    with open_client(create_app(ReviewSettings(store)), follow_redirects=False) as client:
        queue = client.get("/queue").text
        links = re.findall(r'<a class="open" href="(/call\?id=~[^"]+)"', queue)
        assert len(links) == 2
        shown = [queue, client.get("/queue?lane=alerts").text, client.get("/dashboards").text]
        shown += [client.get("/queue?lane=random").text]
        page = client.get(html.unescape(links[0])).text
        shown.append(page)
        names = ("data-wave", "src", "data-screen")
        wave, sound, screen = (
            html.unescape(re.search(rf'{name}="(/\w+\?id=[^"]+)"', page)[1]) for name in names
        )
        shown.append(client.get(wave).text)
        assert client.get(wave).json()["outline"]
        assert client.get(sound).content == (DEMO / "demo-01.ogg").read_bytes()
        assert client.get(f"{screen}&n=2").status_code in {200, 404}
        other = re.findall(r'<a href="(/call\?id=~[^"]+)"', page)
        shown.append(client.get(html.unescape(other[0])).text)
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
        ref = re.search(r'name="id" value="([^"]+)"', page)[1]
        form = {"csrf": csrf, "id": ref, "day": DAY, "verdict": "unresolved"}
        answer = client.post("/verdict", data=form)
        assert answer.status_code == 303
        shown.append(answer.headers["location"])
        chosen = re.search(r'<option value="(~[^"]+)">[^<]*#', queue)[1]
        filtered = client.get("/queue", params={"queue": chosen}).text
        assert filtered.count('class="open"') == 2
        assert f'value="{chosen}" selected' in filtered
        sql = client.post("/sql", data={"csrf": csrf, "query": "FROM calls"})
        shown.append(sql.text.split("</form>", 1)[1])
    for text in shown:
        assert not [secret for secret in TELLING if secret in text]
    assert "team 4" in shown[0]
    assert store.read("reviews").to_pylist()[0]["call_id"] in NUMBERED


def test_a_handle_works_in_another_run_of_the_page(tmp_path: Path) -> None:
    store = covered_store(tmp_path)
    with open_client(create_app(ReviewSettings(store))) as client:
        link = html.unescape(re.findall(r'href="(/call\?id=~[^"]+)"', client.get("/queue").text)[0])
    with open_client(create_app(ReviewSettings(store))) as client:
        assert client.get(link).status_code == 200
        assert client.get(re.sub(r"&day=[^&]+", "", link)).status_code == 200  # shown a moment ago
    with open_client(create_app(ReviewSettings(store))) as client:
        assert client.get(re.sub(r"id=~[\w-]+", "id=~" + 24 * "A", link)).status_code == 404
    key = Path(store.place.root) / "_review" / "handles.key"
    assert key.stat().st_mode & 0o077 == 0


def test_who_may_see_gets_ids_as_they_are(tmp_path: Path) -> None:
    settings = ReviewSettings(covered_store(tmp_path), unmasked=("*",))
    with open_client(create_app(settings)) as client:
        text = client.get("/queue").text
        assert all(secret in text for secret in TELLING)
        assert client.get("/call", params={"id": NUMBERED[0]}).status_code == 200


def test_handles_differ_by_key_and_tell_nothing(tmp_path: Path) -> None:
    one, other = Handles(tmp_path / "a"), Handles(tmp_path / "b")
    assert one.of("79161234567") == Handles(tmp_path / "a").of("79161234567")
    assert one.of("79161234567") != other.of("79161234567")
    assert one.find(other.of("79161234567"), ["79161234567"]) is None
    assert Cover(True, one).id("79161234567") == Cover(True, one).name("79161234567")
    assert Cover(True, one).name("A07, ext. 1004") == "A07, ext. 1004"


# --- sound and screens --------------------------------------------------------------------------


def test_sound_goes_out_by_range(client: TestClient) -> None:
    whole = (DEMO / "demo-01.ogg").read_bytes()
    answer = client.get("/audio?id=demo-01", headers={"Range": "bytes=100-299"})
    assert (answer.status_code, answer.content) == (206, whole[100:300])
    assert answer.headers["content-type"] == "audio/ogg"
    assert client.get("/audio?id=demo-01").content == whole


@pytest.mark.parametrize(
    "asked",
    ["bytes=0-1,2-3", "bytes=" + "0-1," * 5000 + "2-3", "bytes=9-" + "9" * 400, "bytes=x-y",
     "lines=1-2", "bytes=999999999999-", "bytes=../../etc"],
)  # fmt: skip
def test_senseless_ranges_are_refused(client: TestClient, asked: str) -> None:
    assert client.get("/audio?id=demo-01", headers={"Range": asked}).status_code == 416


def test_gsm_is_played_as_wav_and_kept(client: TestClient, store: Store) -> None:
    answer = client.get("/audio?id=gsm")
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, 8000)
        assert sound.getnframes() / 8000 == pytest.approx(56.26, abs=0.2)
    kept = [path for path in cached_of(store, ["gsm"]) if path.suffix == ".wav"]
    assert len(kept) == 1
    made = kept[0].stat().st_ino
    assert client.get("/audio?id=gsm").content == answer.content
    assert kept[0].stat().st_ino == made
    assert forget_cached(store, ["gsm"]) >= 1
    assert not kept[0].exists()
    assert not cached_of(store, ["gsm"])


def test_outline_shows_where_it_is_loud(client: TestClient) -> None:
    answer = client.get("/wave?id=demo-01").json()
    outline = answer["outline"]
    assert len(outline["peaks"]) == 2
    silent = [m for m in answer["regions"] if m["kind"] == "silence"]
    worst = max(silent, key=lambda m: m["end_ms"] - m["start_ms"])
    rate = outline["per_second"]
    inside = slice(worst["start_ms"] * rate // 1000 + 5, worst["end_ms"] * rate // 1000 - 5)
    assert max(outline["peaks"][0][inside]) < 10 < max(outline["peaks"][0])


def test_screens_are_pictures_of_this_call(client: TestClient) -> None:
    answer = client.get("/screen?id=demo-01&n=3")
    assert answer.headers["content-type"] == "image/png"
    for number in ("-1", "60000", "x", "", "1e3", "../1"):
        assert client.get("/screen", params={"id": "demo-01", "n": number}).status_code == 404


def test_a_stored_path_to_something_else_is_not_sent(client: TestClient) -> None:
    hostile = {"id": HOSTILE_ID, "day": DAY}
    assert client.get("/audio", params=hostile).status_code == 404
    assert client.get("/screen", params={**hostile, "n": "0"}).status_code == 404
    assert client.get("/wave", params=hostile).json()["outline"] is None


@pytest.mark.parametrize(
    "path",
    ["/static/../_app.py", "/static/%2e%2e/_app.py", "/static/..%2f..%2fschema.py",
     "/static//etc/passwd", "/audio?id=../../../../etc/passwd", "/audio?id=/etc/passwd",
     "/audio?id=file:///etc/passwd", "/audio?id=%00", "/screen?id=/etc/passwd&n=0"],
)  # fmt: skip
def test_no_path_of_a_request_reaches_the_disk(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


# --- attacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/queue", "/queue?lane=random", "/call", "/dashboards", "/rules", "/sql", "/none"]
)
def test_pages_hold_no_inline_code_and_forbid_it(client: TestClient, path: str) -> None:
    params = {"id": HOSTILE_ID, "day": DAY} if path == "/call" else None
    answer = client.get(path, params=params)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for tag, attributes in Elements(answer.text).found:
        assert tag not in {"style", "iframe", "object"}
        assert tag != "script" or (attributes.get("src") or "").startswith("/static/")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert attributes.get("src") != "x"
        assert not (attributes.get("href") or "").startswith(("javascript:", "http"))


def test_writes_need_the_token_of_the_session(client: TestClient, store: Store) -> None:
    before = store.read("reviews").num_rows
    form = {"id": "demo-03", "day": DAY, "verdict": "resolved"}
    good = token(client)
    assert client.post("/verdict", data=form).status_code == 403
    assert client.post("/verdict", data={**form, "csrf": "x"}).status_code == 403
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = client.post("/verdict", data={**form, "csrf": good}, headers=foreign)
    assert answer.status_code == 403
    assert client.post("/sql", data={"query": "SELECT 1"}).status_code == 403
    assert client.get("/verdict").status_code == 405
    assert store.read("reviews").num_rows == before


def test_verdict_lands_in_parquet_with_its_audit(client: TestClient, store: Store) -> None:
    def verdicts_noted() -> list[str]:
        rows = store.read("audit", call_ids=["demo-01"]).to_pylist()
        return [row["actor"] for row in rows if row["action"] == "verdict"]

    before = verdicts_noted()
    form = {
        "csrf": token(client), "id": "demo-01", "day": DAY, "verdict": "unresolved",
        "why": "dead_air", "note": '=cmd|"/c calc"!A0 <script>', "lane": "unresolved",
    }  # fmt: skip
    answer = client.post("/verdict", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/call?id=demo-05")
    rows = store.read("reviews", call_ids=["demo-01"]).to_pylist()
    row = max(rows, key=lambda row: row["reviewed_at"])
    assert (row["reviewer"], row["verdict"], row["reason"]) == ("anna", "unresolved", "dead_air")
    assert (row["note"], row["sample_kind"]) == (form["note"], "targeted")
    assert verdicts_noted() == [*before, "anna"]
    text = client.get("/queue").text
    assert '<span class="verdict unresolved">' in text
    assert "demo-01" not in client.get("/queue?reviewed=no").text


def test_verdict_of_the_random_lane_says_so(client: TestClient, store: Store) -> None:
    form = {"csrf": token(client), "id": "demo-06", "verdict": "resolved", "lane": "random"}
    client.post("/verdict", data=form)
    row = store.read("reviews", call_ids=["demo-06"]).to_pylist()[0]
    assert row["sample_kind"] == "random"
    assert "of all calls (95" in client.get("/queue?lane=random").text


@pytest.mark.parametrize("change", [{"verdict": "maybe"}, {"id": "nobody"}, {"id": ""}])
def test_senseless_verdicts_are_refused(client: TestClient, change: dict[str, str]) -> None:
    form = {"csrf": token(client), "id": "demo-01", "verdict": "resolved", **change}
    assert client.post("/verdict", data=form).status_code in {400, 404}


def test_a_listening_is_one_audit_entry(store: Store) -> None:
    settings = ReviewSettings(Path(store.place.root), reviewer="boris")
    with open_client(create_app(settings)) as client:
        for start in (0, 100, 200):
            client.get("/audio?id=demo-03", headers={"Range": f"bytes={start}-{start + 9}"})
    rows = store.read("audit", call_ids=["demo-03"]).to_pylist()
    assert [(r["actor"], r["action"]) for r in rows] == [("boris", "listen")]


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'x.csv'", "COPY calls TO '{root}/calls/x.csv'", "ATTACH 'x.db'",
        "PRAGMA database_list", "SELECT 1; SELECT 2", "SELECT 1; DROP VIEW calls",
        "SET enable_external_access = true", "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('{root}/calls/../../../etc/passwd')",
        "SELECT * FROM read_blob('{root}/_review/*')", "SELECT * FROM read_text('{root}.key')",
        "INSTALL httpfs", "LOAD httpfs", "CREATE TABLE t AS SELECT 1", "DELETE FROM reviews",
        "WITH x AS (INSERT INTO reviews SELECT * FROM reviews) SELECT 1",
        "SELECT * FROM query('COPY (SELECT 1) TO ''x.csv''')", "EXPLAIN ANALYZE SELECT 1",
        "FROM 'http://127.0.0.1/x.csv'", "SELECT * FROM glob('/*')", "CALL pragma_version()",
        "CHECKPOINT", "EXPORT DATABASE 'x'", "USE memory", "", "-- nothing", "SELEC 1",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_json('/etc/hostname')",
        "SELECT * FROM sniff_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_parquet('{root}/../*.parquet')", "SELECT * FROM read_blob('/proc/1/*')",
        "SELECT * FROM glob('{root}/_review/*')", "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM read_duckdb('{root}/catalog.duckdb')", "DETACH store", "VACUUM",
        "SET VARIABLE x = 1", "RESET lock_configuration", "SET memory_limit = '90GB'",
        "PREPARE p AS SELECT 1", "EXECUTE p", "IMPORT DATABASE 'x'", "BEGIN TRANSACTION",
        "CREATE SECRET s (TYPE s3)", "CREATE TEMP MACRO m() AS 1", "UPDATE reviews SET note = 'x'",
        "DROP VIEW calls", "COMMENT ON VIEW calls IS 'x'", "ATTACH ':memory:' AS m; SELECT 1",
        "COPY (SELECT 1) TO '/dev/stdout'", "SELECT * FROM read_text('s3://x/y')",
    ],
)  # fmt: skip
def test_sql_page_only_reads_the_tables(client: TestClient, store: Store, query: str) -> None:
    root = store.place.root
    form = {"csrf": token(client), "query": query.format(root=root)}
    before = sorted(Path(root).rglob("*.csv"))
    answer = client.post("/sql", data=form)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert sorted(Path(root).rglob("*.csv")) == before


@pytest.mark.parametrize(
    "value",
    ["'{s}'", "['{s}']", "{{'a': '{s}'}}", "MAP {{'{s}': 1}}", "MAP {{1: '{s}'}}", "'{s}'::BLOB",
     "[{{'a': ['{s}']}}]", "'{s}'::JSON", "1 AS \"{s}\"", "'{s}'::INT", "error('{s}')",
     "union_value(a := '{s}')"],
)  # fmt: skip
def test_no_form_of_a_value_shows_a_number(client: TestClient, value: str) -> None:
    number = "+79161234567" if "JSON" not in value else '"+79161234567"'
    form = {"csrf": token(client), "query": "SELECT " + value.format(s=number)}
    for wanted in ("table", "csv"):
        answer = client.post("/sql", data={**form, "format": wanted})
        page = answer.text.split("</form>", 1)[-1]
        assert "••••" in page or (wanted, "of a type that no file holds" in page) == ("csv", True)
        assert "79161234567" not in page


def test_sql_results_are_covered_and_harmless(client: TestClient) -> None:
    query = f"SELECT '=1+1' AS formula, '{SECRET}' AS secret, 1 AS n, [1, 2] AS list"
    form = {"csrf": token(client), "query": query}
    page = client.post("/sql", data=form)
    assert "anna@example.com" not in page.text.split('<table class="data">')[1]
    csv = client.post("/sql", data={**form, "format": "csv"}).text
    assert "'=1+1" in csv
    assert "anna@example.com" not in csv
    xlsx = client.post("/sql", data={**form, "format": "xlsx"}).content
    assert xlsx.startswith(b"PK")


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM range(10000000000) AS a(i), range(1000) AS b(j) WHERE i % 7 = j % 5",
    ],
)
def test_endless_queries_are_stopped(
    client: TestClient, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlbox, "TIME_LIMIT_S", 1.0)
    answer = client.post("/sql", data={"csrf": token(client), "query": query})
    assert answer.status_code == 400
    assert "stopped after 1 s" in answer.text
    # and the next one runs
    answer = client.post("/sql", data={"csrf": token(client), "query": "SELECT 41 + 1 AS n"})
    assert '<td class="n">42</td>' in answer.text


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT repeat('x', 100000000) AS x", "larger than 64 MB"),
        ("SELECT repeat('x', 1000000) AS x FROM range(1000)", "larger than 64 MB"),
        ("SELECT list(i) FROM range(30000000) AS r(i)", "Out of Memory"),
        ("SELECT '" + "x" * 20_000 + "'", "longer than 20000"),
    ],
)
def test_huge_answers_are_refused(
    client: TestClient, query: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sqlbox, "MEMORY_LIMIT", "200MB")
    answer = client.post("/sql", data={"csrf": token(client), "query": query})
    assert answer.status_code == 400
    assert why in answer.text


def test_covering_a_long_text_takes_no_time() -> None:
    # from every letter anew, each of these would take hours
    for text in ("x" * 2_000_000, "a@" * 500_000, "1 " * 3 + "x.y" * 500_000, "one, " * 200_000):
        assert len(mask(text)) == len(text)


def test_sql_page_says_that_there_is_more(client: TestClient) -> None:
    form = {"csrf": token(client), "query": "SELECT * FROM range(5000)"}
    text = client.post("/sql", data=form).text
    assert "1000 rows" in text
    assert "there are more" in text


# --- who may come in ----------------------------------------------------------------------------


def test_another_host_needs_a_password_or_a_header(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "qa.example"):
        assert not is_loopback(host)
        with pytest.raises(ConfigError, match="password-file"):
            ReviewSettings(tmp_path, host=host).check()
        ReviewSettings(tmp_path, host=host, user_header="X-User").check()
        ReviewSettings(tmp_path, host=host, password="long enough").check()
    with pytest.raises(ConfigError, match="shorter"):
        ReviewSettings(tmp_path, password="short").check()
    for host in ("127.0.0.1", "::1", "localhost"):
        ReviewSettings(tmp_path, host=host).check()


def test_foreign_host_names_are_refused(client: TestClient) -> None:
    for host in ("evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""):
        assert client.get("/queue", headers={"Host": host}).status_code == 400
    assert client.get("/rules", headers={"Host": "localhost:8765"}).status_code == 200


def test_large_bodies_are_refused(client: TestClient) -> None:
    assert client.post("/verdict", content=b"x" * (2 << 20)).status_code == 413
    assert client.post("/verdict", content=iter([b"x"])).status_code == 413


def test_proxy_names_the_user(store: Store) -> None:
    settings = ReviewSettings(Path(store.place.root), user_header="X-Remote-User")
    with open_client(create_app(settings)) as client:
        assert client.get("/rules").status_code == 401
        for name in ("vera", "Вера"):
            text = client.get("/rules", headers={"X-Remote-User": name.encode()}).text
            assert f">{name}</span>" in text


def test_password_opens_the_page(store: Store) -> None:
    settings = ReviewSettings(Path(store.place.root), password="correct horse")
    with open_client(create_app(settings), follow_redirects=False) as client:
        for path in ("/queue", "/audio?id=demo-01", "/screen?id=demo-01&n=0", "/sql"):
            assert client.get(path).headers["location"] == "/login"
        found = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
        assert found
        form = {"csrf": found.group(1), "name": "gleb", "password": "wrong horse"}
        assert client.post("/login", data=form).status_code == 403
        assert client.get("/queue").status_code == 303
        form["password"] = "correct horse"
        assert client.post("/login", data=form).headers["location"] == "/queue"
        assert ">gleb</span>" in client.get("/rules").text


def test_settings_do_not_share_limits(tmp_path: Path) -> None:
    assert ReviewSettings(tmp_path).audio == config.AudioConfig()
