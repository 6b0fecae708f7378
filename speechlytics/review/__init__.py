"""The review page: hear and see why a call is in doubt, and say what it was.

    request → _security (host, sign-in, CSRF, headers) → _pages (handlers)
        → _catalog, _queue, _call, _dashboards, _sqlbox   (what the store says)
        → _media                                          (audio, outline, screen captures)
        → _records                                        (verdicts and audit, appended)

It reads the store through its catalog and changes nothing but ``reviews`` and ``audit``, which
anybody may append to while the nightly run writes. Nothing that a request says becomes part of
a path: recordings and captures are found by call id, and only where the store says they are.
"""

from __future__ import annotations

from speechlytics.review._app import create_app, serve
from speechlytics.review._media import forget_cached
from speechlytics.review._settings import ReviewSettings

__all__ = ["ReviewSettings", "create_app", "forget_cached", "serve"]
