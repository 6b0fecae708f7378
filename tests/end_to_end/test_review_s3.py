"""The review page over a store, recordings and captures that lie on an S3 server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from starlette.testclient import TestClient

from speechlytics import buckets
from speechlytics.review import ReviewSettings, create_app
from speechlytics.store import Store
from tests.review_store import DEMO, analyses, png

moto_server = pytest.importorskip(
    "moto.server", reason="MOTO IS NOT INSTALLED, S3 is not tested: pip install 'moto[server]'"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto|botocore|werkzeug"),
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """One call whose every file is in a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    made = pafs.S3FileSystem(
        access_key="key", secret_key="secret", region="us-east-1",
        endpoint_override=url, allow_bucket_creation=True,
    )  # fmt: skip
    for name in ("pbx", "results"):
        made.create_dir(name)
    bucket = buckets.arrow_filesystem("s3://pbx")
    for name, content in (
        ("demo-01.ogg", (DEMO / "demo-01.ogg").read_bytes()),
        ("shot.png", png(9, 8, 7)),
    ):
        with bucket.open_output_stream(f"pbx/{name}") as stream:
            stream.write(content)
    found = analyses(tmp_path, ["demo-01"])[0]
    shot = replace(found.recording.screens[0], uri="s3://pbx/shot.png")
    moved = replace(found.recording, uris=("s3://pbx/demo-01.ogg",), screens=(shot,))
    store = Store("s3://results/store", work_folder=tmp_path / "work")
    with store.writer("fixture") as writer:
        writer.add([replace(found, recording=moved)])
        writer.publish()
    yield store
    server.stop()


def test_the_page_works_on_a_bucket(store: Store, tmp_path: Path) -> None:
    with TestClient(create_app(ReviewSettings(store)), base_url="http://localhost") as client:
        assert "/call?id=demo-01" in client.get("/queue?lane=alerts").text
        page = client.get("/call?id=demo-01").text
        whole = (DEMO / "demo-01.ogg").read_bytes()
        part = client.get("/audio?id=demo-01", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole[10:20])
        assert client.get("/screen?id=demo-01&n=0").content == png(9, 8, 7)
        csrf = page.split('name="csrf" value="', 1)[1].split('"', 1)[0]
        form = {"csrf": csrf, "id": "demo-01", "verdict": "unresolved"}
        assert client.post("/verdict", data=form).status_code == 200
        answer = client.post("/sql", data={"csrf": csrf, "query": "SELECT call_id FROM calls"})
        assert "demo-01" in answer.text.split("</form>", 1)[1]
        for query in ("SELECT * FROM read_text('s3://pbx/shot.png')", "FROM glob('s3://pbx/*')"):
            answer = client.post("/sql", data={"csrf": csrf, "query": query})
            assert answer.status_code == 400
    assert store.read("reviews").to_pylist()[0]["verdict"] == "unresolved"
    kept = sorted(path.suffix for path in (tmp_path / "work" / "_review").iterdir())
    assert kept.count(".copy") == 2
