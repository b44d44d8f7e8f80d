"""The work itself; it knows nothing of queues or of the web, so it can be tested without them."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError


class NotAPicture(Exception):
    """What was uploaded is no picture that can be read."""


def make_thumbnail(picture: Path, thumbnail: Path, size: int) -> None:
    """Write a copy of a picture that is at most so many pixels wide and high, as a PNG.

    It is there as a whole or not at all, and making it twice does no harm.

    Raises:
        NotAPicture: It cannot be read.
    """
    part = thumbnail.with_suffix(".part")
    try:
        with Image.open(picture) as image:
            turned = ImageOps.exif_transpose(image)
            turned.thumbnail((size, size))
            turned.convert("RGBA").save(part, format="PNG")
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise NotAPicture("this is no picture that can be read") from error
    os.replace(part, thumbnail)
