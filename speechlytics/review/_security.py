"""Who may ask, and what a browser may do with the answers.

Headers forbid everything that the page does not use: no script or style but our own files, no
other host, no frames. Sessions are signed cookies; every write carries a token that only a page
of this session knows.
"""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse

from speechlytics.review._i18n import N_
from speechlytics.review._settings import ReviewSettings, is_loopback

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = ("/login", "/static/", "/lang")
MAX_NAME = 100
MAX_BODY_BYTES = 1 << 20
LOGIN_PAUSE_S = 1.0


def policy(nonce: str) -> str:
    """The Content-Security-Policy. The nonce is for the one style sheet of the waveform."""
    return (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class SafeHeaders:
    """Adds the headers to every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the headers added."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce
        kept = scope["path"].startswith("/static/")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy(nonce)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
                headers.setdefault("Cache-Control", "max-age=3600" if kept else "no-store")
            await send(message)

        await self.app(scope, receive, guarded)


class KnownHost:
    """Answers only under the page's own names: a foreign one is DNS rebinding."""

    def __init__(self, app: ASGIApp, settings: ReviewSettings) -> None:
        self.app = app
        self._any_address = not is_loopback(settings.host)
        self._names = {"localhost", "127.0.0.1", "::1", settings.host.strip("[]").lower()}
        self._names |= {name.lower() for name in settings.public_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse requests under a foreign name, and bodies that no form of ours sends."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._known(headers.get("host", "")):
            answer = PlainTextResponse("unknown host name; see --public-host\n", 400)
            await answer(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        streamed = "transfer-encoding" in headers
        if streamed or not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            await PlainTextResponse("request too large\n", 413)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _known(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in self._names:
            return True
        if not self._any_address:
            return False
        try:  # an address cannot be rebound
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class SignedIn:
    """Finds out who asks; who has to sign in and has not is sent to do so."""

    def __init__(self, app: ASGIApp, settings: ReviewSettings) -> None:
        self.app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the user in the request's state."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        user = self._user(scope)
        scope.setdefault("state", {})["user"] = user
        if user is None and not scope["path"].startswith(OPEN_PATHS):
            answer: ASGIApp = RedirectResponse("/login", 303)
            if self._settings.user_header:
                answer = PlainTextResponse("not signed in: the proxy names no user\n", 401)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _user(self, scope: Scope) -> str | None:
        if self._settings.user_header:
            named = Headers(scope=scope).get(self._settings.user_header, "")
            return clean_name(as_utf8(named)) or None
        if self._settings.password:
            user = scope["session"].get("user")
            return user if isinstance(user, str) else None
        return self._settings.reviewer


def as_utf8(header: str) -> str:
    """A header's text: proxies send UTF-8, which arrives as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def clean_name(name: str) -> str:
    """A user's name as it may be stored and shown."""
    return "".join(c for c in name if c.isprintable()).strip()[:MAX_NAME]


def csrf_token(request: Request) -> str:
    """The token of this session, made when first needed."""
    token = request.session.get("csrf")
    if not isinstance(token, str):
        token = request.session["csrf"] = secrets.token_urlsafe(24)
    return token


def check_csrf(request: Request, given: object) -> None:
    """Refuse a write that no page of this session sent.

    Raises:
        HTTPException: 403.
    """
    expected = request.session.get("csrf")
    site = request.headers.get("sec-fetch-site", "same-origin")
    matches = (
        isinstance(expected, str)
        and isinstance(given, str)
        and secrets.compare_digest(expected.encode(), given.encode())
    )
    if not matches or site not in {"same-origin", "none"}:
        raise HTTPException(
            403, N_("this form is out of date; go back, reload the page, try again")
        )


class Doorkeeper:
    """Compares passwords, one a second after a wrong one."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._turn = threading.Lock()

    def admits(self, given: str) -> bool:
        """Whether the password is right; a wrong one makes everybody wait."""
        with self._turn:
            right = secrets.compare_digest(self._password, given.encode())
            if not right:
                time.sleep(LOGIN_PAUSE_S)
            return right
