"""Who asks, for what: what every handler reads out of a request."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from speechlytics.review._catalog import Row
from speechlytics.review._cover import Cover, is_handle
from speechlytics.review._filters import parse_day
from speechlytics.review._i18n import N_

if TYPE_CHECKING:
    from starlette.requests import Request

    from speechlytics.review._app import Services

MAX_ID = 1000


def services(request: Request) -> Services:
    """What the handlers share."""
    found: Services = request.app.state.services
    return found


def user_of(request: Request) -> str:
    """Who asks."""
    return request.state.user or ""


def covering(request: Request) -> Cover:
    """What is covered for whoever asks."""
    shared = services(request)
    return Cover(not shared.settings.may_see(user_of(request)), shared.handles)


def call_named(request: Request, given: str, day_text: str | None) -> tuple[str, date | None]:
    """The call that an address or a form names, by its id or by a handle.

    Raises:
        HTTPException: 404, it names none.
    """
    if not given or len(given) > MAX_ID:
        raise HTTPException(404, N_("no call is named"))
    day = parse_day(day_text)
    shared = services(request)
    if is_handle(given):
        ids = () if day is None else shared.catalog.ids_of(day)
        given = shared.handles.find(given) or shared.handles.find(given, ids) or given
    return given, day


def asked(request: Request) -> tuple[str, date | None]:
    """The call that an address names, and its day as a hint."""
    query = request.query_params
    return call_named(request, query.get("id", ""), query.get("day"))


def row_asked(request: Request) -> Row:
    """The stored row of the call that an address names.

    Raises:
        HTTPException: 404, the store does not know it.
    """
    row = services(request).calls.row(*asked(request))
    if row is None:
        raise HTTPException(404, N_("no such call"))
    return row
