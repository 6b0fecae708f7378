"""The review page: hear and see why a call is in doubt, and say what it was.

    request → _security (host, sign-in, CSRF, headers)
        → _pages, _playing, _verdicts, _desk, _signing    (handlers)
        → _catalog → _ranking → _queue, _call → _turns, _marks, _shots
        → _dashboards → _charts, _sqlbox                  (what the store says)
        → _media → _cache                                 (audio, outline, screen captures)
        → _records                                        (verdicts and audit, appended)
        → _cover → _masking                               (what this user may see)

It reads the store through its catalog and changes nothing but ``reviews`` and ``audit``, which
anybody may append to while the nightly run writes. Nothing that a request says becomes part of
a path: recordings and captures are found by call id, and only where the store says they are.
"""

from __future__ import annotations

from speechlytics.review._app import create_app, serve
from speechlytics.review._cache import cached_of, forget_cached
from speechlytics.review._settings import ReviewSettings

__all__ = ["ReviewSettings", "cached_of", "create_app", "forget_cached", "serve"]
