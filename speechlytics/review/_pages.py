"""Handlers of the queue, the calls, their media and the verdicts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response

from speechlytics.errors import AudioError, StoreError
from speechlytics.review._call import overtalk, regions
from speechlytics.review._catalog import Row
from speechlytics.review._i18n import LANGUAGES, name_of
from speechlytics.review._masking import mask
from speechlytics.review._media import capture, screens_of, uris_of
from speechlytics.review._queue import LANES, Filters, parse, parse_day
from speechlytics.review._records import MAX_NOTE, VERDICTS
from speechlytics.review._render import LANGUAGE_COOKIE, call_url, language_of, render
from speechlytics.review._security import Doorkeeper, check_csrf, clean_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from speechlytics.review._app import Services

RANGE = re.compile(r"bytes=(\d{1,15}-\d{0,15}|-\d{1,15})")
"""One range. Several would let a short request ask for a long answer many times over."""
MAX_ID = 1000
YEAR_S = 365 * 24 * 3600


def services(request: Request) -> Services:
    """What the handlers share."""
    found: Services = request.app.state.services
    return found


def masked(request: Request) -> bool:
    """Whether numbers and addresses are covered for whoever asks."""
    return not services(request).settings.may_see(request.state.user or "")


def covering(request: Request) -> Callable[[str | None], str]:
    """Covers a text for whoever asks."""
    hidden = masked(request)
    return lambda text: mask(text or "") if hidden else (text or "")


def home(request: Request) -> Response:
    """The queue is where work starts."""
    del request
    return RedirectResponse("/queue", 303)


def queue(request: Request) -> Response:
    """One page of the queue; only its list for htmx."""
    filters = parse(request.query_params)
    found = services(request).queues.page(filters)
    partial = request.headers.get("hx-request") == "true"
    template = "queue_list.html" if partial else "queue.html"
    return render(request, template, page=found, cover=covering(request), lanes=LANES)


def call(request: Request) -> Response:
    """The page of a call."""
    call_id, day = _asked(request)
    found = services(request).calls.view(call_id, day, masked=masked(request))
    if found is None:
        raise HTTPException(404, call_id[:200])
    filters = parse(request.query_params)
    start_ms = request.query_params.get("t", "")
    day_text = found.call["call_date"].isoformat()
    return render(
        request,
        "call.html",
        view=found,
        day=day_text,
        filters=filters,
        back=_queue_url(filters),
        start_ms=int(start_ms) if re.fullmatch(r"\d{1,9}", start_ms) else None,
        has_sound=bool(uris_of(found.call)),
        overtalk=overtalk(found.turns),
        cover=covering(request),
        verdicts=VERDICTS,
        facts=_facts(found.call),
    )


def _facts(row: Row) -> list[tuple[str, str, Any]]:
    """Facts of a call in the order of a reader's questions: key, form, value."""
    return [
        (key, form, row[key])
        for key, form in (
            ("queue", "text"), ("team", "text"), ("agent_id", "text"), ("direction", "name"),
            ("wait_ms", "seconds"), ("duration_ms", "clock"), ("agent_talk_ms", "clock"),
            ("customer_talk_ms", "clock"), ("longest_silence_ms", "seconds"),
            ("hold_ms", "seconds"), ("overtalk_ms", "seconds"), ("agent_wpm", "number"),
            ("customer_wpm", "number"), ("csat", "number"), ("disconnect_by", "name"),
            ("transferred_from", "text"), ("language", "name"), ("model_id", "text"),
            ("codec", "text"),
        )
        if row[key] is not None
    ]  # fmt: skip


def _queue_url(filters: Filters) -> str:
    query = filters.query()
    return f"/queue?{query}" if query else "/queue"


def _asked(request: Request) -> tuple[str, date | None]:
    call_id = request.query_params.get("id", "")
    if not call_id or len(call_id) > MAX_ID:
        raise HTTPException(404, "no call is named")
    return call_id, parse_day(request.query_params.get("day"))


def _row(request: Request) -> Row:
    row = services(request).calls.row(*_asked(request))
    if row is None:
        raise HTTPException(404, "no such call")
    return row


def wave(request: Request) -> Response:
    """Outline and marks of a call's waveform, and when its captures were taken."""
    call_id, day = _asked(request)
    found = services(request).calls.view(call_id, day, masked=True)
    if found is None:
        raise HTTPException(404, "no such call")
    language = language_of(request)
    marks = regions(found)
    for mark in marks:
        mark["label"] = name_of(mark.get("category") or mark["kind"], language)
    shots = [
        {"n": n, "kind": s["kind"], "start_ms": s["start_ms"], "end_ms": s["end_ms"]}
        for n, s in enumerate(screens_of(found.call))
    ]
    answer: Row = {"regions": marks, "screens": shots, "outline": None, "problem": None}
    try:
        answer["outline"] = services(request).media.outline(found.call)
    except AudioError as error:
        answer["problem"] = str(error)
    return JSONResponse(answer)


def audio(request: Request) -> Response:
    """The sound of a call, by HTTP Range; noted in the audit."""
    _check_range(request)
    row = _row(request)
    shared = services(request)
    try:
        sound = shared.media.sound(row)
        if request.method != "HEAD":
            shared.journal.listened(request.state.user or "", row["call_id"])
    except AudioError as error:
        raise HTTPException(404, "this recording cannot be played") from error
    except StoreError as error:
        raise HTTPException(503, "listening cannot be recorded; nothing is played") from error
    return FileResponse(sound.path, media_type=sound.media_type)


def _check_range(request: Request) -> None:
    asked = request.headers.get("range")
    if asked is not None and not RANGE.fullmatch(asked):
        raise HTTPException(416, "one range of bytes at a time")


def screen(request: Request) -> Response:
    """One screen capture of a call, by its ordinal."""
    _check_range(request)
    ordinal = request.query_params.get("n", "")
    shots = screens_of(_row(request))
    if not re.fullmatch(r"\d{1,6}", ordinal) or int(ordinal) >= len(shots):
        raise HTTPException(404, "no such capture")
    found = capture(shots[int(ordinal)]["uri"])
    if found is None:
        raise HTTPException(404, "this capture is not here")
    return FileResponse(found.path, media_type=found.media_type)


async def verdict(request: Request) -> Response:
    """Append a verdict and go on to the next call of the queue."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    check_csrf(request, form.get("csrf"))
    return await run_in_threadpool(_verdict, request, form)


def _verdict(request: Request, form: dict[str, str]) -> Response:
    shared = services(request)
    given = form.get("verdict", "")
    call_id = form.get("id", "")
    if given not in VERDICTS:
        raise HTTPException(400, "the verdict is resolved, unresolved or unclear")
    row = shared.calls.row(call_id, parse_day(form.get("day"))) if call_id else None
    if row is None:
        raise HTTPException(404, "no such call")
    filters = parse(form)
    following = shared.queues.next_after(filters, call_id)
    shared.journal.verdict(
        request.state.user or "",
        call_id,
        {
            "verdict": given,
            "reason": form.get("why", "")[:200].strip(),
            "note": form.get("note", "")[:MAX_NOTE].strip(),
            "sample_kind": "random" if filters.lane == "random" else "targeted",
        },
    )
    if following is None:
        return RedirectResponse(_queue_url(filters), 303)
    return RedirectResponse(next_url(following, filters), 303)


def next_url(row: Row, filters: Filters) -> str:
    """Address of a call of the queue, at the moment that speaks loudest."""
    link = call_url(row["call_id"], day=row["call_date"], t=moment(row))
    query = replace(filters, page=1).query()
    return f"{link}&{query}" if query else link


def moment(row: Row) -> int | None:
    """Where to start listening: an alert's silence, else the heaviest reason with a time."""
    if "silence_id" in row:
        return max(0, int(row["start_ms"]) - 3000)
    timed = [r for r in row["reasons"] or () if r["start_ms"] is not None and r["weight"] > 0]
    return int(timed[0]["start_ms"]) if timed else None


def rules(request: Request) -> Response:
    """Which rules can be trusted."""
    found = services(request).catalog.rows("FROM rule_performance ORDER BY calls DESC, rule_id")
    return render(request, "rules.html", rows=found)


async def sign_in(request: Request) -> Response:
    """The form to sign in, and its answer."""
    settings = services(request).settings
    if not settings.password or settings.user_header:
        return RedirectResponse("/queue", 303)
    if request.method != "POST":
        return render(request, "login.html", failed=False)
    form = await request.form()
    check_csrf(request, form.get("csrf"))
    name = clean_name(str(form.get("name", "")))
    keeper: Doorkeeper = request.app.state.doorkeeper
    right = await run_in_threadpool(keeper.admits, str(form.get("password", "")))
    if not right or not name:
        return render(request, "login.html", status=403, failed=True)
    request.session.clear()
    request.session["user"] = name
    return RedirectResponse("/queue", 303)


async def sign_out(request: Request) -> Response:
    """End the session."""
    form = await request.form()
    check_csrf(request, form.get("csrf"))
    request.session.clear()
    return RedirectResponse("/login", 303)


def language(request: Request) -> Response:
    """Choose a language and go back to the same page."""
    wanted = request.query_params.get("to", "")
    back = request.query_params.get("next", "/queue")
    if not re.fullmatch(r"/(?![/\\])[^\s\\]*", back):
        back = "/queue"
    answer = RedirectResponse(back, 303)
    if wanted in LANGUAGES:
        answer.set_cookie(
            LANGUAGE_COOKIE,
            wanted,
            max_age=YEAR_S,
            httponly=True,
            samesite="lax",
            secure=services(request).settings.secure_cookies,
        )
    return answer
