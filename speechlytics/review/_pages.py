"""Handlers of the queue, the calls and the rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from speechlytics.review._asking import asked, covering, services
from speechlytics.review._catalog import Row
from speechlytics.review._filters import LANES, parse
from speechlytics.review._i18n import N_
from speechlytics.review._marks import overtalk
from speechlytics.review._media import uris_of
from speechlytics.review._records import VERDICTS
from speechlytics.review._render import queue_url, render
from speechlytics.review._shots import around

if TYPE_CHECKING:
    from starlette.requests import Request


def home(request: Request) -> Response:
    """The queue is where work starts."""
    del request
    return RedirectResponse("/queue", 303)


def queue(request: Request) -> Response:
    """One page of the queue; only its list for htmx."""
    cover = covering(request)
    found = services(request).queues.page(parse(request.query_params), cover)
    partial = request.headers.get("hx-request") == "true"
    template = "queue_list.html" if partial else "queue.html"
    return render(request, template, page=found, cover=cover, lanes=LANES, around=around)


def call(request: Request) -> Response:
    """The page of a call."""
    cover = covering(request)
    found = services(request).calls.view(*asked(request), cover)
    if found is None:
        raise HTTPException(404, N_("no such call"))
    filters = parse(request.query_params)
    start_ms = request.query_params.get("t", "")
    return render(
        request,
        "call.html",
        view=found,
        ref=cover.ref(found.call["call_id"]),
        day=found.call["call_date"].isoformat(),
        filters=filters,
        back=queue_url(filters),
        start_ms=int(start_ms) if re.fullmatch(r"[0-9]{1,9}", start_ms) else None,
        has_sound=bool(uris_of(found.call)),
        overtalk=overtalk(found.turns),
        cover=cover,
        verdicts=VERDICTS,
        facts=_facts(found.call),
    )


def _facts(row: Row) -> list[tuple[str, str, Any]]:
    """Facts of a call in the order of a reader's questions: key, form, value."""
    return [
        (key, form, row[key])
        for key, form in (
            ("queue", "ours"), ("team", "ours"), ("agent_id", "ours"), ("direction", "name"),
            ("wait_ms", "seconds"), ("duration_ms", "clock"), ("agent_talk_ms", "clock"),
            ("customer_talk_ms", "clock"), ("longest_silence_ms", "seconds"),
            ("hold_ms", "seconds"), ("overtalk_ms", "seconds"), ("agent_wpm", "number"),
            ("customer_wpm", "number"), ("csat", "number"), ("disconnect_by", "name"),
            ("transferred_from", "ours"), ("language", "name"), ("model_id", "text"),
            ("codec", "text"),
        )
        if row[key] is not None
    ]  # fmt: skip


def rules(request: Request) -> Response:
    """Which rules can be trusted."""
    found = services(request).catalog.rows(
        "FROM rule_performance ORDER BY coalesce(weight, 0) = 0, calls DESC, rule_id"
    )
    fired, unused = ([row for row in found if bool(row["calls"]) is way] for way in (True, False))
    return render(request, "rules.html", fired=fired, unused=unused)
