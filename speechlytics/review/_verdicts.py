"""Handler of a verdict: append it and go on to the next call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from speechlytics.review._asking import call_named, covering, services, user_of
from speechlytics.review._catalog import Row
from speechlytics.review._cover import Cover
from speechlytics.review._filters import Filters, parse
from speechlytics.review._i18n import N_
from speechlytics.review._records import MAX_NOTE, VERDICTS
from speechlytics.review._render import call_url, queue_url
from speechlytics.review._security import check_csrf

if TYPE_CHECKING:
    from starlette.requests import Request

BEFORE_MS = 3000
"""How long before a silence listening starts."""


async def verdict(request: Request) -> Response:
    """Append a verdict and go on to the next call of the queue."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    check_csrf(request, form.get("csrf"))
    return await run_in_threadpool(_verdict, request, form)


def _verdict(request: Request, form: dict[str, str]) -> Response:
    shared, cover = services(request), covering(request)
    given = form.get("verdict", "")
    if given not in VERDICTS:
        raise HTTPException(400, N_("the verdict is resolved, unresolved or unclear"))
    call_id, day = call_named(request, form.get("id", ""), form.get("day"))
    if shared.calls.row(call_id, day) is None:
        raise HTTPException(404, N_("no such call"))
    filters = parse(form)
    following = shared.queues.next_after(filters, call_id, cover)
    shared.journal.verdict(
        user_of(request),
        call_id,
        {
            "verdict": given,
            "reason": form.get("why", "")[:200].strip(),
            "note": form.get("note", "")[:MAX_NOTE].strip(),
            "sample_kind": "random" if filters.lane == "random" else "targeted",
        },
    )
    if following is None:
        return RedirectResponse(queue_url(filters), 303)
    return RedirectResponse(next_url(following, filters, cover), 303)


def next_url(row: Row, filters: Filters, cover: Cover) -> str:
    """Address of a call of the queue, at the moment that speaks loudest."""
    link = call_url(cover.ref(row["call_id"]), day=row["call_date"], t=moment(row))
    query = replace(filters, page=1).query()
    return f"{link}&{query}" if query else link


def moment(row: Row) -> int | None:
    """Where to start listening: an alert's silence, else the heaviest reason with a time."""
    if "silence_id" in row:
        return max(0, int(row["start_ms"]) - BEFORE_MS)
    timed = [r for r in row["reasons"] or () if r["start_ms"] is not None and r["weight"] > 0]
    return int(timed[0]["start_ms"]) if timed else None
