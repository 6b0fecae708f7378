"""Settings for all tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# no test asserts a time: a busy machine is no failure
settings.register_profile("speechlytics", deadline=None)
settings.load_profile("speechlytics")


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Take back what a command set up for its own log, which would outlive its streams."""
    log = logging.getLogger("speechlytics")
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before
