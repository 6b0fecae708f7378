"""The application: routes, what they share, and the layers around them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from speechlytics.errors import StoreError
from speechlytics.review import _desk, _pages, _playing, _signing, _verdicts
from speechlytics.review._cache import Cache
from speechlytics.review._call import Calls
from speechlytics.review._catalog import Catalog
from speechlytics.review._cover import Handles
from speechlytics.review._dashboards import Dashboards
from speechlytics.review._i18n import translations
from speechlytics.review._media import Media
from speechlytics.review._queue import Queues
from speechlytics.review._ranking import Rankings
from speechlytics.review._records import Journal
from speechlytics.review._render import language_of, render
from speechlytics.review._security import Doorkeeper, KnownHost, SafeHeaders, SignedIn
from speechlytics.review._settings import ReviewSettings
from speechlytics.store import Store

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger("speechlytics.review")


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers share."""

    settings: ReviewSettings
    store: Store
    catalog: Catalog
    queues: Queues
    calls: Calls
    media: Media
    handles: Handles
    journal: Journal
    dashboards: Dashboards


def create_app(settings: ReviewSettings) -> Starlette:
    """The page as an ASGI application.

    Raises:
        ConfigError: the settings would open recordings to a network.
        StoreError: there is no store.
    """
    settings.check()
    store = settings.store if isinstance(settings.store, Store) else Store(settings.store)
    catalog, cache = Catalog(store), Cache(store, settings.cache_bytes)
    catalog.state()
    rankings = Rankings(catalog)
    services = Services(
        settings=settings,
        store=store,
        catalog=catalog,
        queues=Queues(catalog, rankings),
        calls=Calls(catalog, rankings),
        media=Media(cache, settings.audio),
        handles=Handles(cache.folder),
        journal=Journal(store),
        dashboards=Dashboards(catalog),
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        services.journal.close()

    session = Middleware(
        SessionMiddleware,
        secret_key=settings.secret,
        session_cookie="review",
        same_site="lax",
        https_only=settings.secure_cookies,
        max_age=12 * 3600,
    )
    app = Starlette(
        routes=_routes(settings),
        middleware=[
            Middleware(SafeHeaders),
            Middleware(KnownHost, settings=settings),
            session,
            Middleware(SignedIn, settings=settings),
        ],
        exception_handlers={HTTPException: refused, StoreError: broken},
        lifespan=lifespan,
    )
    app.state.services, app.state.settings = services, settings
    app.state.doorkeeper = Doorkeeper(settings.password or "")
    return app


def _routes(settings: ReviewSettings) -> list[Route | Mount]:
    with as_file(files("speechlytics.review") / "static") as folder:
        static = StaticFiles(directory=Path(folder))
    routes: list[Route | Mount] = [
        Route("/", _pages.home),
        Route("/queue", _pages.queue),
        Route("/call", _pages.call),
        Route("/wave", _playing.wave),
        Route("/audio", _playing.audio),
        Route("/screen", _playing.screen),
        Route("/verdict", _verdicts.verdict, methods=["POST"]),
        Route("/rules", _pages.rules),
        Route("/dashboards", _desk.dashboards),
        Route("/login", _signing.sign_in, methods=["GET", "POST"]),
        Route("/logout", _signing.sign_out, methods=["POST"]),
        Route("/lang", _signing.language),
        Mount("/static", static),
    ]
    if settings.sql_box:
        routes.append(Route("/sql", _desk.sql, methods=["GET", "POST"]))
    return routes


def refused(request: Request, error: Exception) -> Response:
    """A page for what was not found or not allowed."""
    assert isinstance(error, HTTPException)
    detail = translations(language_of(request)).gettext(str(error.detail))
    code = error.status_code
    return render(request, "problem.html", status=code, code=code, detail=detail)


def broken(request: Request, error: Exception) -> Response:
    """A page for a store that cannot be read or written."""
    log.error("%s", error)
    return render(request, "problem.html", status=503, code=503, detail=str(error))


def serve(settings: ReviewSettings) -> None:
    """Run the page until it is interrupted.

    Raises:
        ConfigError, StoreError: as for :func:`create_app`.
    """
    import uvicorn

    app = create_app(settings)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=32_768,
        timeout_keep_alive=30,
    )
