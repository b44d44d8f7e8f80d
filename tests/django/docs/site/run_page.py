"""Runs a program in the project: ``run_page.py FILE``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
    django.setup()
    page = Path(sys.argv[1])
    exec(compile(page.read_text(), page.name, "exec"), {"__name__": "__main__"})
