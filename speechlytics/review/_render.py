"""Templates in each language, and how times and figures are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from speechlytics import __version__
from speechlytics.review._filters import Filters
from speechlytics.review._i18n import LANGUAGES, choose, name_of, translations
from speechlytics.review._security import csrf_token

if TYPE_CHECKING:
    from starlette.requests import Request

LANGUAGE_COOKIE = "language"


@cache
def environment(language: str) -> Environment:
    """Templates that speak one language; everything shown is escaped."""
    made = Environment(
        loader=PackageLoader("speechlytics.review"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = translations(language)
    install: Callable[..., None] = vars(made)["install_gettext_callables"]
    install(catalogue.gettext, catalogue.ngettext, newstyle=True)
    made.filters.update(
        clock=clock,
        seconds=lambda ms: seconds(ms, language),
        number=lambda value, digits=0: number(value, digits, language),
        percent=lambda share: percent(share, language),
        when=when,
        name=lambda value: name_of(value, language),
    )
    made.globals.update(version=__version__, languages=LANGUAGES, call_url=call_url)
    return made


def language_of(request: Request) -> str:
    """The language in which a request is answered."""
    return choose(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, as the answer to a request."""
    language = language_of(request)
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    page = environment(language).get_template(template)
    content = page.render(
        language=language,
        path=request.url.path,
        address=address,
        nonce=request.state.nonce,
        user=request.state.user,
        csrf=csrf_token(request),
        settings=request.app.state.settings,
        **values,
    )
    return HTMLResponse(content, status, headers={"Vary": "HX-Request, Cookie, Accept-Language"})


def call_url(call_id: str, **more: Any) -> str:
    """Address of a call's page; what is ``None`` is left out."""
    known = {name: value for name, value in more.items() if value is not None and value != ""}
    return "/call?" + urlencode({"id": call_id, **known})


def queue_url(filters: Filters) -> str:
    """Address of a queue."""
    query = filters.query()
    return f"/queue?{query}" if query else "/queue"


def clock(ms: int | None) -> str:
    """A moment in a call as a player shows it: 3:07, or 1:03:07."""
    if ms is None:
        return "–"
    total = int(ms) // 1000
    hours, minutes, rest = total // 3600, total // 60 % 60, total % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def number(value: float | None, digits: int, language: str) -> str:
    """A figure with the language's decimal mark and thin spaces between thousands."""
    if value is None:
        return "–"
    written = f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")
    return written.replace(".", ",") if language == "ru" else written


def seconds(ms: int | None, language: str) -> str:
    """A length in seconds, as precise as it matters."""
    if ms is None:
        return "–"
    unit = translations(language).gettext("s")
    digits = 0 if ms >= 10_000 or ms == 0 else 1
    return f"{number(ms / 1000, digits, language)}\u00a0{unit}"


def percent(share: float | None, language: str) -> str:
    """A share as percent."""
    return "–" if share is None else number(100 * share, 0, language) + "\u00a0%"


def when(moment: datetime | None) -> str:
    """A wall-clock time to the minute."""
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
