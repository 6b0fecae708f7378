"""A live review page and one real Chromium for all browser tests.

Set ``SPEECHLYTICS_CHROMIUM`` to its path where it is not on the ``PATH``.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from speechlytics.review import ReviewSettings, create_app
from speechlytics.store import Store
from tests.review_store import shared

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
PATIENCE_MS = 30_000
"""A busy machine takes its time; no test asserts how long anything took."""


def chromium() -> str | None:
    named = os.environ.get("SPEECHLYTICS_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def store() -> Store:
    return shared()


@pytest.fixture(scope="session")
def address(store: Store) -> Iterator[str]:
    """Where the page is served, by the server that users run."""
    import uvicorn

    settings = ReviewSettings(store=Path(store.place.root), reviewer="anna")
    config = uvicorn.Config(create_app(settings), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = chromium()
    if path is None:
        text = "NO BROWSER TEST RAN: chromium is not installed (Debian: apt install chromium)"
        print(f"\n{text}\n", file=sys.__stderr__)
        pytest.skip(text)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Watched:
    """A page, and everything that it must never do."""

    page: Any
    address: str
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        self.page.goto(self.address + path)
        return self.page

    def call(self, path: str = "/call?id=demo-01") -> Any:
        """Open a call and wait until its waveform stands."""
        self.open(path)
        self.page.wait_for_selector("#call[data-drawn]", state="attached")
        return self.page

    def position(self) -> float:
        return float(self.page.evaluate("document.getElementById('audio').currentTime"))


@pytest.fixture
def watched(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh page; fails its test on any violation of the policy or outside request."""
    options = getattr(request, "param", {})
    context = browser.new_context(
        viewport={"width": 1360, "height": 900}, locale="en-GB", **options
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    seen = Watched(page, address)
    page.on("request", lambda r: None if r.url.startswith(address) else seen.outside.append(r.url))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on(
        "console",
        lambda m: seen.errors.append(m.text) if m.type in {"error", "warning"} else None,
    )
    yield seen
    context.close()
    assert seen.outside == []
    assert seen.errors == []
