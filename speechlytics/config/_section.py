"""What every section of a pipeline file is made of."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Language = Annotated[str, Meta(pattern="^[a-z]{2,3}$")]

replace = msgspec.structs.replace
"""``replace(section, key=value)``: a copy of a frozen section with other values."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, keyword only, unknown keys refused."""
