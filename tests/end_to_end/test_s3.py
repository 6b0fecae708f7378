"""A night whose recordings and store lie on an S3 server, and never touch a local disk for long."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import CommitFailedError

from speechlytics import buckets, config, nightly
from speechlytics.errors import SourceError, StoreError, StoreLocked
from speechlytics.store import Store, _lease
from tests.end_to_end.test_nightly import contents, make_project
from tests.store_calls import analysis

moto_server = pytest.importorskip(
    "moto.server", reason="MOTO IS NOT INSTALLED, S3 is not tested: pip install 'moto[server]'"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|werkzeug"),
]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    bucket = pafs.S3FileSystem(
        access_key="key", secret_key="secret", region="us-east-1",
        endpoint_override=url, allow_bucket_creation=True,
    )  # fmt: skip
    bucket.create_dir("calls")
    bucket.create_dir("results")
    yield url
    server.stop()


@pytest.fixture(scope="module")
def environment(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Credentials and endpoint as an operator gives them; nothing else is set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield patch


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after a night on this machine's disk."""
    pipeline = make_project(tmp_path_factory.mktemp("local"))
    nightly.run(config.load(pipeline), nightly.Selection())
    return pipeline


@pytest.fixture(scope="module")
def remote(local: Path, environment: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recordings in a bucket, and a pipeline that reads and writes buckets."""
    bucket = buckets.arrow_filesystem("s3://calls")
    for path in sorted((local.parent / "recordings").iterdir()):
        with bucket.open_output_stream(f"calls/day/{path.name}") as stream:
            stream.write(path.read_bytes())
    pipeline = tmp_path_factory.mktemp("remote") / "pipeline.toml"
    text = local.read_text().replace('path = "recordings"', 'path = "s3://calls/day/"')
    packs = f'packs = ["{local.parent / "phrases"}"]'
    text = text.replace('packs = ["phrases"]', packs)
    pipeline.write_text(text + '[store]\npath = "s3://results/night/store"\nwork = "work"\n')
    return pipeline


@pytest.fixture(scope="module")
def report(remote: Path) -> nightly.Report:
    return nightly.run(config.load(remote), nightly.Selection())


def comparable(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    for rows in tables.values():
        rows.sort(key=lambda row: json.dumps(row, default=str, sort_keys=True))
    return tables


def remote_contents(pipeline: Path) -> dict[str, list[dict[str, Any]]]:
    store = Store.configured(config.load(pipeline).store)
    tables = {}
    for name in ("calls", "segments", "silences", "phrase_hits"):
        rows = store.read(name).to_pylist()
        for row in rows:
            for key in ("run_id", "recording_uri", "audio_modified_at", "error"):
                row.pop(key, None)
        tables[name] = rows
    return comparable(tables)


def test_a_night_over_s3_equals_the_local_night(
    remote: Path, report: nightly.Report, local: Path
) -> None:
    assert report.counts == {"ok": 4, "failed": 1}
    assert "s3://calls/day/broken.wav" in report.failures[0].error
    assert remote_contents(remote) == comparable(contents(local.parent / "store"))


def test_a_second_night_finds_it_all_done(remote: Path, report: nightly.Report) -> None:
    again = nightly.run(config.load(remote), nightly.Selection())
    assert again.counts == {"unchanged": 5}


def test_any_parquet_or_delta_reader_reads_the_bucket(
    remote: Path, report: nightly.Report, endpoint: str
) -> None:
    options = buckets.options_of({})
    calls = deltalake.DeltaTable("s3://results/night/store/calls", storage_options=options)
    paths = calls.file_uris()
    bucket = buckets.arrow_filesystem("s3://results")
    files = [pq.ParquetFile(path.removeprefix("s3://"), filesystem=bucket) for path in paths]
    assert sum(file.metadata.num_rows for file in files) == 5
    assert all("call_date=2026-11-0" in path for path in paths)


def test_views_are_read_without_the_httpfs_extension(
    remote: Path, report: nightly.Report, local: Path
) -> None:
    there = Store.configured(config.load(remote).store).connect()
    here = Store(local.parent / "store").connect()
    loaded = there.execute(
        "SELECT bool_or(loaded) FROM duckdb_extensions() WHERE extension_name = 'httpfs'"
    )
    assert loaded.fetchone() == (False,)
    query = "SELECT call_id, score, len(reasons) FROM unresolved() ORDER BY ALL"
    assert there.execute(query).fetchall() == here.execute(query).fetchall()


def test_lock_spool_and_catalog_are_local(remote: Path, report: nightly.Report) -> None:
    assert (remote.parent / "work" / "catalog.duckdb").is_file()
    assert (remote.parent / "store.key").stat().st_mode & 0o077 == 0
    bucket = buckets.arrow_filesystem("s3://results")
    listed = bucket.get_file_info(pafs.FileSelector("results/night", recursive=True))
    names = {info.base_name for info in listed}
    assert "_published.json" in names
    assert not any(name.endswith((".duckdb", ".spool", ".key", ".lock")) for name in names)


def test_command_line_takes_urls(remote: Path, report: nightly.Report) -> None:
    url = "s3://results/night/store"
    command = [sys.executable, "-m", "speechlytics", "sql", "--store", url, "--format", "csv"]
    said = subprocess.run(
        [*command, "SELECT count(*) AS calls FROM calls"],
        capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == ["calls", "5"]


def test_what_is_not_there_is_said(remote: Path, environment: Any) -> None:
    gone = config.Config(
        source=config.SourceConfig(path="s3://calls/no-such-day/"),
        store=config.StoreConfig(path="s3://results/other", work=str(remote.parent / "other")),
        run=config.RunConfig(transcribe=False),
    )
    with pytest.raises(SourceError, match="s3://calls/no-such-day/"):
        nightly.run(gone, nightly.Selection())
    with pytest.raises(StoreError, match="s3://results/nowhere"):
        Store("s3://results/nowhere").connect()


def test_options_win_over_the_environment(environment: Any, endpoint: str) -> None:
    assert buckets.options_of({"aws_region": "eu-north-1"})["AWS_REGION"] == "eu-north-1"
    assert buckets.options_of({})["AWS_REGION"] == buckets.DEFAULT_REGION
    assert buckets.options_of({})["AWS_ALLOW_HTTP"] == "true"
    assert "AWS_ALLOW_HTTP" not in buckets.options_of({"AWS_ENDPOINT_URL": "https://s3.example"})


def test_a_forgotten_call_leaves_the_bucket(environment: Any, tmp_path: Path) -> None:
    where = "results/forget/store"
    store = Store(f"s3://{where}", work_folder=tmp_path / "work")
    with store.writer("run") as writer:
        writer.add([analysis("aaa-gone"), analysis("bbb")])
        writer.publish()
        writer.add([analysis("aaa-gone", segments=3)])
        writer.publish()
    store.note("listen", call_id="aaa-gone")
    wanted = nightly.Forgettable(("aaa-gone",))
    done = nightly.forget(store, wanted, cached=lambda _store, _ids: [])
    assert (done.rows["calls"], done.rows["segments"], done.rows["audit"]) == (1, 3, 1)
    bucket = buckets.arrow_filesystem("s3://results")
    objects = bucket.get_file_info(pafs.FileSelector(where, recursive=True))
    for found in objects:
        if found.type == pafs.FileType.File:
            with bucket.open_input_file(found.path) as stream:
                content = stream.read()
            if found.path.endswith(".parquet"):
                with bucket.open_input_file(found.path) as stream:
                    content += str(pq.read_table(stream).to_pylist()).encode()
            assert b"aaa-gone" not in content, found.path
    assert store.read("calls", columns=["call_id"]).column(0).to_pylist() == ["bbb"]
    assert store.forgotten().call("aaa-gone")


def test_two_machines_never_write_to_one_bucket(environment: Any, tmp_path: Path) -> None:
    """Each has a work folder of its own, so that no file lock parts them."""
    one, two = (Store("s3://results/shared/store", work_folder=tmp_path / name) for name in "ab")
    with one.writer("first") as writer:
        writer.add([analysis("one")])
        writer.publish()
        refused = pytest.raises(StoreLocked, match=r"s3://results/shared/store: process \d+ on")
        with refused, two.writer("second"):
            raise AssertionError
    with two.writer("second") as writer:
        writer.add([analysis("two")])
        writer.publish()
    published = two.read("calls", columns=["call_id"]).column(0).to_pylist()
    assert sorted(published) == ["one", "two"]


def test_a_change_from_an_older_version_is_refused(environment: Any) -> None:
    """What the right to write rests on: the server creates one entry of a version, once."""
    place = Store("s3://results/swap").place
    first, late = _lease._open(place), _lease._open(place)
    _lease._write(first, {"token": "first"})
    with pytest.raises(CommitFailedError):
        _lease._write(late, {"token": "late"})
    assert _lease._held(place, _lease._open(place)) == {"token": "first"}
