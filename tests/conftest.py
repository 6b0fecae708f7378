"""Settings for all tests."""

from __future__ import annotations

from hypothesis import settings

# no test asserts a time: a busy machine is no failure
settings.register_profile("speechlytics", deadline=None)
settings.load_profile("speechlytics")
