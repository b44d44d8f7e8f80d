"""The project in ``shop/`` as it is deployed: a database in a file, and consumers in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployment import ConsumerProcess, await_condition, whole_lines
from huey_core import CommandRegistry, Invoker, queue_command

__all__ = ["SHOP", "Shop"]

SHOP = Path(__file__).parent / "shop"


class Shop:
    """The project with a queue and a database of its own.

    Args:
        url: Where the queue is.
        folder: An empty folder, for the database and the logs.
        database: A database with the project's tables, to be copied.
        settings: Further settings of the project.

    Attributes:
        root: The folder of ``manage.py``.
        invoker: A producer's invoker that knows nothing of Django.
    """

    def __init__(self, url: str, folder: Path, database: Path | None = None, **settings: Any) -> None:
        self.url = url
        self.folder = folder
        self.database = folder / "shop.sqlite3"
        self.root = SHOP
        self.settings = settings
        self.invoker = Invoker.from_url(url, registry=CommandRegistry())
        self._consumers: list[ConsumerProcess] = []
        if database is not None:
            shutil.copy(database, self.database)

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the project's processes."""
        own = {"HUEY_URL": self.url, "SHOP_FOLDER": str(self.folder), "SHOP_SETTINGS": json.dumps(self.settings)}
        # These tests have a DJANGO_SETTINGS_MODULE of their own.
        return {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")} | own

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py`` until it ends."""
        return subprocess.run(
            [sys.executable, str(self.root / "manage.py"), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def copy_code(self) -> Path:
        """Let the project be run from a copy, which may be changed, and return the folder of its application."""
        self.root = Path(shutil.copytree(SHOP, self.folder / "code"))
        return self.root / "orders"

    def start(self, *options: str) -> ConsumerProcess:
        """Start a consumer, and wait until it is ready."""
        consumer = self.launch(*options)
        consumer.await_ready()
        return consumer

    def launch(self, *options: str) -> ConsumerProcess:
        """Start a consumer, and return at once."""
        command = [sys.executable, str(self.root / "manage.py"), "run_huey", *options]
        consumer = ConsumerProcess(command, self.environment, self.folder / f"consumer-{len(self._consumers)}.log")
        self._consumers.append(consumer)
        return consumer

    def enqueue(self, name: str, *arguments: Any, queue: str | None = None) -> Any:
        """Enqueue a command by its name, be it in a named queue, and return the handle of its result."""

        def stub(*arguments: Any) -> None:
            """Stands for the function, which only the consumer knows."""

        return queue_command(self.invoker.on_queue(queue or self.invoker.queue.name), name=f"shop.{name}")(stub)(
            *arguments
        )

    def call(self, name: str, *arguments: Any, queue: str | None = None) -> Any:
        """Enqueue a command, wait for its result, and return it."""
        return self.enqueue(name, *arguments, queue=queue).get(blocking=True, timeout=60)

    def await_waiting(self, name: str) -> None:
        """Wait until a command runs that waits for the file of this name."""
        await_condition((self.folder / f"{name}.awaited").exists, f"a command waits for {name!r}")

    def let_go(self, name: str) -> None:
        """Let the commands end that wait for the file of this name."""
        (self.folder / name).touch()

    def asked(self) -> list[str]:
        """The minutes, such as ``"12:05"``, for which the periodic command was asked whether it is due."""
        return whole_lines(self.folder / "asked")

    def open_databases(self, consumer: ConsumerProcess) -> int:
        """How often a process has the database open."""
        links = []
        for link in Path(f"/proc/{consumer.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                links.append(os.readlink(link))
        return links.count(str(self.database))

    def close(self) -> None:
        """End every consumer that still runs."""
        for consumer in self._consumers:
            consumer.kill()
        self.invoker.close()
