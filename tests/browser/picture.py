"""Makes the README's picture: ``python -m tests.browser.picture [docs/call-page.png]``.

The store is the one of the browser tests; the agent's screen is drawn here, by the same browser.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import sync_playwright

from speechlytics.review import ReviewSettings, create_app
from tests.browser.conftest import FLAGS, chromium
from tests.review_store import CALLS, SILENCE_SCREEN_MS, build

OUT = Path(__file__).parents[2] / "docs" / "call-page.png"
SIZE = {"width": 1360, "height": 900}
MOMENT_S = 31.0
DESK = """<!doctype html><style>
body{{margin:0;font:15px system-ui,sans-serif;background:#eef1f5;color:#223}}
header{{background:#24476f;color:#fff;padding:10px 18px;display:flex;gap:26px}}
header b{{flex:1}} main{{display:grid;grid-template-columns:210px 1fr;gap:14px;padding:14px}}
div{{background:#fff;border:1px solid #d5dbe4;border-radius:6px;padding:12px 16px}}
p{{margin:7px 0;display:flex;justify-content:space-between}} i{{color:#78859a;font-style:normal}}
em{{font-style:normal;background:#fdeceb;color:#a8281f;padding:1px 9px;border-radius:9px}}
h3{{margin:2px 0 12px;font-size:16px}} .on{{background:#e6effb;color:#1d5fbf}}
li{{list-style:none;padding:6px 8px;border-radius:5px}} ul{{margin:0;padding:0}}
</style><header><b>CRM</b><span>Internet</span><span>A01</span><span>{clock}</span></header>
<main><div><ul><li>Customer</li><li>Contract</li><li class=on>{tab}</li><li>Tickets</li>
<li>Knowledge base</li></ul></div><div><h3>{tab}</h3>{rows}</div></main>"""
LINES = (
    (0, "Customer", ("<p><i>Contract</i>•••• 04</p><p><i>Tariff</i>Home 300</p>"
     "<p><i>Since</i>2023</p>")),
    (12, "Line", ("<p><i>Router</i>online</p><p><i>Signal</i><em>no link</em></p>"
     "<p><i>Last seen</i>03:12</p>")),
    (22, "Line", ("<p><i>Router</i>online</p><p><i>Signal</i><em>no link</em></p>"
     "<p><i>Test</i>running…</p>")),
    (30, "Personal mail", ("<p><i>Inbox</i>12 new</p><p>Canteen: menu of the week</p>"
     "<p>Shift plan for December</p>")),
    (43, "Tickets", "<p><i>New ticket</i>draft</p><p><i>Call back</i>yes</p>"),
)  # fmt: skip


def draw_screens(browser: Any, folder: Path) -> None:
    """Replace the plain captures of the fixture by pictures of an agent's desk."""
    page = browser.new_page(viewport={"width": 720, "height": 450})
    for path in sorted(folder.glob("*.png"), key=lambda p: int(p.stem)):
        at_s = int(path.stem) * SILENCE_SCREEN_MS // 1000 // 1000
        _, tab, rows = next(line for line in reversed(LINES) if line[0] <= at_s)
        page.set_content(DESK.format(clock=f"09:14:{20 + at_s % 40:02d}", tab=tab, rows=rows))
        page.screenshot(path=str(path))
    page.close()


def main(out: Path = OUT) -> None:
    """Build the store, serve it, take the picture."""
    folder = Path(tempfile.mkdtemp(prefix="speechlytics-picture-"))
    store = build(folder, CALLS, attacked=False)
    settings = ReviewSettings(store=Path(store.place.root), reviewer="anna")
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
            draw_screens(browser, folder / "screens")
            context = browser.new_context(viewport=SIZE, locale="en-GB", device_scale_factor=1.5)
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"http://127.0.0.1:{port}/call?id=demo-01&t={round(1000 * MOMENT_S)}")
            page.wait_for_selector("#call[data-drawn]", state="attached")
            page.wait_for_function("() => document.getElementById('screen-image').naturalWidth > 0")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=str(out))
            browser.close()
    finally:
        server.should_exit = True
        thread.join()
        shutil.rmtree(folder, ignore_errors=True)
    print(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
