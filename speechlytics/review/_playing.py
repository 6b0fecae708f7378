"""Handlers of sound, waveform and screen captures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from speechlytics.errors import AudioError, StoreError
from speechlytics.review._asking import asked, covering, row_asked, services, user_of
from speechlytics.review._catalog import Row
from speechlytics.review._i18n import N_, name_of
from speechlytics.review._marks import regions
from speechlytics.review._render import language_of

if TYPE_CHECKING:
    from starlette.requests import Request

RANGE = re.compile(r"bytes=(\d{1,15}-\d{0,15}|-\d{1,15})")
"""One range. Several would let a short request ask for a long answer many times over."""


def wave(request: Request) -> Response:
    """Outline and marks of a call's waveform, and when its captures were taken."""
    cover = covering(request)
    found = services(request).calls.view(*asked(request), cover)
    if found is None:
        raise HTTPException(404, N_("no such call"))
    language = language_of(request)
    marks = regions(found.turns, found.pauses)
    for mark in marks:
        mark["label"] = name_of(mark.get("category") or mark["kind"], language)
    shots = [
        {"n": s["n"], "kind": s["kind"], "start_ms": s["start_ms"], "end_ms": s["end_ms"]}
        for s in found.screens
    ]
    answer: Row = {"regions": marks, "screens": shots, "outline": None, "problem": None}
    try:
        answer["outline"] = services(request).media.outline(found.call)
    except AudioError as error:
        answer["problem"] = cover(str(error))
    return JSONResponse(answer)


def audio(request: Request) -> Response:
    """The sound of a call, by HTTP Range; noted in the audit."""
    _check_range(request)
    row = row_asked(request)
    shared = services(request)
    try:
        sound = shared.media.sound(row)
        if request.method != "HEAD":
            shared.journal.listened(user_of(request), row["call_id"])
    except AudioError as error:
        raise HTTPException(404, N_("this recording cannot be played")) from error
    except StoreError as error:
        raise HTTPException(503, N_("listening cannot be recorded; nothing is played")) from error
    return FileResponse(sound.path, media_type=sound.media_type)


def screen(request: Request) -> Response:
    """One screen capture of a call, by its ordinal; with ``t``, a picture out of a video."""
    _check_range(request)
    row = row_asked(request)
    shots = row["screens"] or ()
    ordinal = _number(request.query_params.get("n", ""))
    at_ms = request.query_params.get("t")
    if ordinal is None or ordinal >= len(shots) or (at_ms is not None and _number(at_ms) is None):
        raise HTTPException(404, N_("no such capture"))
    media, uri = services(request).media, shots[ordinal]["uri"]
    if at_ms is None:
        found = media.capture(row["call_id"], uri)
    else:
        found = media.frame(row["call_id"], uri, _number(at_ms) or 0)
    if found is None:
        raise HTTPException(404, N_("this capture is not here"))
    return FileResponse(found.path, media_type=found.media_type)


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _check_range(request: Request) -> None:
    given = request.headers.get("range")
    if given is not None and not RANGE.fullmatch(given):
        raise HTTPException(416, N_("one range of bytes at a time"))
