"""A command in the other module that is looked into."""

from __future__ import annotations

import logging

from huey_django import queue_command

log = logging.getLogger(__name__)

EDITION = 1


@queue_command(name="shop.edition")
def edition():
    log.debug("this is edition %d", EDITION)
    return EDITION
