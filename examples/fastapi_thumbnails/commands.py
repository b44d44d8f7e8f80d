"""The queue, the command, and the settings that its consumers are started with."""

from __future__ import annotations

import os
from pathlib import Path

from huey_core import Invoker, current_command, queue_command
from huey_core.consumer import BaseConfiguration

from .images import NotAPicture, make_thumbnail

# The web server and the consumers share it: on one machine a folder, elsewhere the bucket of an object store.
FOLDER = Path(os.environ.get("THUMBNAILS_FOLDER", "thumbnails")).absolute()
FOLDER.mkdir(parents=True, exist_ok=True)

SIZES = (64, 128, 256, 512)

invoker = Invoker.from_url(os.environ.get("HUEY_URL") or f"sqlite:///{FOLDER / 'queue.sqlite3'}")


@queue_command(invoker, retries=3, retry_delay=5, give_up_on=NotAPicture, timeout=60)
def make_thumbnails(picture: str) -> list[str]:
    """Make the thumbnails of a picture in the folder, and return the names of their files.

    The message carries the name of the file and not the picture, so it stays small.
    """
    run = current_command()
    names = [f"{picture}-{size}.png" for size in SIZES]
    for done, (size, name) in enumerate(zip(SIZES, names, strict=True)):
        run.progress(done, len(SIZES), f"{size} pixels")
        make_thumbnail(FOLDER / picture, FOLDER / name, size)
    run.progress(len(SIZES), len(SIZES), "done")
    return names


class Configuration(BaseConfiguration):
    INVOKER = invoker
    WORKERS = 2
    PERIODIC = False
