"""From the queue to the second that proves it, by mouse and by keyboard, in a real browser."""

from __future__ import annotations

import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from speechlytics.review import ReviewSettings, create_app
from speechlytics.store import Store
from tests.browser.conftest import Watched
from tests.review_store import (
    DEMO,
    HOSTILE_ID,
    SILENCE_SCREEN_MS,
    VIDEO_CALL,
    VIDEO_START_MS,
    truth,
)

AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
SERIOUS = {"serious", "critical"}
NEAR_S = 0.3
PAGES = ("/queue", "/queue?lane=alerts", "/queue?lane=random", "/call?id=demo-01", "/rules",
         "/dashboards", "/sql")  # fmt: skip


def spoken(call_id: str, text: str) -> tuple[float, float]:
    """When a word was said, by the truth from which the sound was made."""
    words = [w for turn in truth()[call_id]["turns"] for w in turn["words"]]
    return next((start, end) for word, start, end in words if word.startswith(text))


def paused_at(watched: Watched) -> float:
    watched.page.evaluate("document.getElementById('audio').pause()")
    return watched.position()


def test_two_clicks_from_the_queue_to_the_moment(watched: Watched) -> None:
    page = watched.open("/queue")
    page.locator(".queue .why a", has_text="Problem persists").first.click()
    page.wait_for_selector("#call[data-drawn]", state="attached")
    page.wait_for_function("() => document.getElementById('audio').currentTime > 1")
    start, _ = spoken("demo-01", "Всё")
    assert watched.position() == pytest.approx(start, abs=NEAR_S)
    # and a card jumps to its own moment
    hanging = page.locator(".reason", has_text="Question left hanging")
    said_ms = int(hanging.get_attribute("data-jump"))
    page.evaluate("document.getElementById('audio').playbackRate = 0.1")
    hanging.click()
    page.wait_for_function(
        "() => Math.abs(document.getElementById('audio').currentTime"
        f" - {said_ms / 1000}) < {NEAR_S}"
    )
    assert paused_at(watched) == pytest.approx(said_ms / 1000, abs=NEAR_S)


def test_a_word_is_heard_by_a_click_and_lit_while_said(watched: Watched) -> None:
    page = watched.call()
    start, end = spoken("demo-01", "перезвоним")
    page.evaluate("document.getElementById('audio').playbackRate = 0.1")
    page.locator(".w", has_text="перезвоним").click()
    page.wait_for_function(f"() => document.getElementById('audio').currentTime >= {start - 0.01}")
    assert start - 0.05 <= paused_at(watched) <= start + NEAR_S
    page.evaluate(f"document.getElementById('audio').currentTime = {(start + end) / 2}")
    page.wait_for_selector(".w.lit:has-text('перезвоним')")
    assert page.locator(".w.lit").count() == 1


def test_screens_follow_the_sound(watched: Watched) -> None:
    page = watched.call()
    for second in (5, 41, 20):
        page.evaluate(f"document.getElementById('audio').currentTime = {second + 0.4}")
        page.wait_for_selector(f"#call[data-shown='{second * 1000 // SILENCE_SCREEN_MS}']")
    page.wait_for_function("() => document.getElementById('screen-image').naturalWidth > 0")
    assert page.locator(".pause.alert .thumb img").count() == 4


GREY = """() => {
  const video = document.getElementById('screen-video');
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data[0];
}"""
IN_STEP = """start => {
  const video = document.getElementById('screen-video');
  const audio = document.getElementById('audio');
  return !video.seeking && Math.abs(video.currentTime - (audio.currentTime - start)) < 0.3;
}"""


def test_a_screen_video_follows_the_sound(watched: Watched) -> None:
    page = watched.call(f"/call?id={VIDEO_CALL}")
    start_s = VIDEO_START_MS / 1000
    for second in (5, 30, 18):
        page.evaluate(f"document.getElementById('audio').currentTime = {second + 0.5}")
        page.wait_for_function(IN_STEP, arg=start_s)
        page.wait_for_function(f"() => Math.abs(({GREY})() - {20 + 6 * second}) < 4")
    # and while it plays, faster than it was said
    page.select_option("#speed", "2")
    page.click("#play")
    page.wait_for_function("() => document.getElementById('audio').currentTime > 20.5")
    page.wait_for_function(IN_STEP, arg=start_s)
    assert page.evaluate("document.getElementById('screen-video').playbackRate") == 2
    page.click("#play")
    page.wait_for_function("() => document.getElementById('screen-video').paused")


def test_a_silence_shows_frames_of_the_video(watched: Watched) -> None:
    page = watched.call(f"/call?id={VIDEO_CALL}")
    page.locator(".pause .thumb").first.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pause .thumb img')].every(i => i.naturalWidth > 0)"
    )
    assert page.locator(".pause .thumb img").count() == 4
    jumps = page.locator(".pause .thumb").evaluate_all("all => all.map(b => +b.dataset.jump)")
    assert all(15_540 < at < 21_510 for at in jumps)
    assert jumps == sorted(jumps)


def test_gsm_recording_plays(watched: Watched) -> None:
    page = watched.call("/call?id=gsm")
    page.click("#play")
    page.wait_for_function("() => document.getElementById('audio').currentTime > 0.2")
    assert page.evaluate("document.getElementById('audio').duration") == pytest.approx(56.3, abs=1)


def test_keyboard_alone_gives_a_verdict_and_goes_on(watched: Watched, store: Store) -> None:
    page = watched.open("/queue")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className") == "open"
    page.keyboard.press("Enter")
    page.wait_for_selector("#call[data-drawn]", state="attached")
    page.keyboard.press("j")
    page.wait_for_function("() => document.getElementById('audio').currentTime > 1")
    page.keyboard.press("Space")  # the card has the focus: a press is a click there
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('audio').paused")
    page.keyboard.press("2")
    page.keyboard.press("n")
    page.keyboard.type("слышно: заработало")
    first = page.url
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url != first)
    assert "/call?id=" in page.url
    rows = store.read("reviews").to_pylist()
    last = max(rows, key=lambda row: row["reviewed_at"])
    assert (last["verdict"], last["note"]) == ("resolved", "слышно: заработало")


def test_filters_change_the_list_and_the_address(watched: Watched) -> None:
    page = watched.open("/queue")
    page.select_option("select[name=agent]", "A04")
    page.wait_for_url("**agent=A04**")
    page.wait_for_function("() => document.querySelectorAll('.queue .item').length === 1")
    page.reload()
    assert page.input_value("select[name=agent]") == "A04"


def test_texts_of_callers_run_no_code(watched: Watched) -> None:
    from urllib.parse import quote

    page = watched.open("/queue")
    page.goto(f"{watched.address}/call?id={quote(HOSTILE_ID, safe='')}&day=2026-11-09")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.title().startswith("Call x")
    assert page.locator("img[src=x], .call script").count() == 0
    watched.errors.clear()  # its recording is no sound: the browser says 404, as it should


def serious(page: Any) -> list[Any]:
    """Findings of axe that keep somebody from using the page."""
    # axe is evaluated by the debugger, which no policy of the page forbids; its own styles are
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (v["id"], [node["html"][:120] for node in v["nodes"]][:3])
        for v in found["violations"]
        if v["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("path", PAGES)
def test_accessible(watched: Watched, path: str) -> None:
    """Every page, light, then dark."""
    watched.page.emulate_media(reduced_motion="reduce")  # no colour half-way to another
    page = watched.call(path) if path.startswith("/call") else watched.open(path)
    if path == "/sql":
        page.fill("textarea", "SELECT call_id, reasons FROM unresolved_calls")
        page.click("button.main")
        page.wait_for_selector("table.data")
    assert watched.errors == []
    bad = serious(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    bad += serious(page)
    watched.errors.clear()
    assert bad == []


def test_signing_in_is_accessible(watched: Watched, store: Store) -> None:
    settings = ReviewSettings(store=store, password="correct horse")
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        text = client.get("/login").text
    page = watched.open("/rules")
    page.evaluate("html => { document.documentElement.innerHTML = html }", text)
    page.wait_for_selector("input[type=password]")
    assert serious(page) == []
    watched.errors.clear()


def test_code_and_pictures_from_elsewhere_are_refused_and_noticed(watched: Watched) -> None:
    """What keeps the other tests honest: a violation does fail them."""
    page = watched.open("/rules")
    page.evaluate("""() => {
        const code = document.createElement('script');
        code.textContent = 'window.ran = 1';
        document.body.append(code);
        new Image().src = 'https://elsewhere.example/x.png';
        document.body.insertAdjacentHTML('beforeend', '<p id="p" style="color: red">x</p>');
    }""")
    page.wait_for_function("() => getComputedStyle(document.getElementById('p')).color")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(p).color") != "rgb(255, 0, 0)"
    page.wait_for_timeout(200)
    assert len([text for text in watched.errors if "Content Security Policy" in text]) >= 3
    watched.errors.clear()
    watched.outside.clear()


@pytest.mark.parametrize("watched", [{"color_scheme": "dark"}], indirect=True)
def test_prints_dark_on_white_with_marks_in_place(watched: Watched) -> None:
    page = watched.call()
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 35, 48)"
    assert page.locator("nav, .controls button, #save").filter(visible=True).count() == 0
    assert page.locator("#turns .turn").filter(visible=True).count() > 5
    shadow = "document.querySelector('#wave > div').shadowRoot"
    widths = page.evaluate(
        f"[...{shadow}.querySelectorAll('canvas')].map(c => c.getBoundingClientRect().width)"
    )
    paper = page.evaluate("document.getElementById('wave').getBoundingClientRect().width")
    assert {round(width) for width in widths if width} == {round(paper)}
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.parametrize("path", ["/queue", "/call?id=demo-01"])
def test_russian(watched: Watched, path: str) -> None:
    page = watched.open("/lang?to=ru&next=/rules")
    page.goto(watched.address + path)
    assert page.get_attribute("html", "lang") == "ru"
    assert page.locator(".bar nav a").first.inner_text() == "Очередь"


def test_two_hundred_listen_at_once(address: str) -> None:
    whole = (DEMO / "demo-01.ogg").read_bytes()
    start = threading.Barrier(200)

    def listen(number: int) -> tuple[int, bytes]:
        asked = {"Range": f"bytes={100 * number}-{100 * number + 99}"}
        request = urllib.request.Request(f"{address}/audio?id=demo-01", headers=asked)
        start.wait()
        with urllib.request.urlopen(request, timeout=200) as answer:
            return answer.status, answer.read()

    with ThreadPoolExecutor(200) as listeners:
        for number, answer in enumerate(listeners.map(listen, range(200))):
            assert answer == (206, whole[100 * number : 100 * number + 100])
