"""Handlers of signing in and out, and of the choice of a language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from speechlytics.review._asking import services
from speechlytics.review._i18n import LANGUAGES
from speechlytics.review._render import LANGUAGE_COOKIE, render
from speechlytics.review._security import Doorkeeper, check_csrf, clean_name

if TYPE_CHECKING:
    from starlette.requests import Request

YEAR_S = 365 * 24 * 3600


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
