"""Whether a screen has changed: cheap, and blind to a blinking caret.

A picture is reduced to the mean grey of its 8 × 8 pixel blocks (32,400 of them on a Full HD
screen). A block has changed when its mean differs by more than ``BLOCK_LEVELS`` of 255. A caret,
a pointer or the digit of a clock touches a handful of blocks; 0.05 % (the default, 16 blocks of
Full HD) is about a word typed. The picture is compared with the last one *kept*, not the last
one seen, so that slow changes add up until they count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

BLOCK_PX = 8
BLOCK_LEVELS = 8  # compression and dithering stay below, a letter on paper is well above


def outline(image: Image.Image) -> Image.Image:
    """Mean grey per block; what is remembered of a picture for the comparison."""
    return image.convert("L").reduce(BLOCK_PX)


def changed_share(before: Image.Image, now: Image.Image) -> float:
    """Share of blocks that differ, 0–1; 1 where the screen's size changed."""
    from PIL import ImageChops

    if before.size != now.size:
        return 1.0
    counts = ImageChops.difference(before, now).histogram()
    return sum(counts[BLOCK_LEVELS + 1 :]) / (now.width * now.height)
