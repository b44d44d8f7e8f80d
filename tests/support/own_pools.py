"""Worker pools with the abilities that core's has not: an event loop, and a process for each delivery.

They prove that the kit can be passed with these abilities. The one that forks does so beside threads, and hands no
outcome back, so it is of no use to a consumer.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import threading
import time
import warnings
from collections import deque
from contextlib import suppress

from huey_core.workers import Interruption, PoolAbility, Run, ThreadInterruption, WorkerPool

__all__ = ["ForkPool", "LoopPool"]


class LoopPool(WorkerPool):
    """Runs deliveries as tasks of one event loop, in a thread."""

    abilities = frozenset({PoolAbility.RUN_COROUTINES})

    def __init__(self, settings):
        super().__init__(settings)
        self.settings = settings
        self.waiting_ones = deque()
        self.tasks = {}
        self.interruptions = {}
        self.handing_on = set()
        self.is_stopping = False
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def start(self):
        self.thread.start()
        self.ready.wait()

    def work(self):
        self.settings.on_start("loop")
        asyncio.run(self.main())
        self.settings.on_stop("loop")

    async def main(self):
        self.loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        await self.settings.on_loop_start()
        self.ready.set()
        while not (self.is_stopping and not self.waiting_ones and not self.tasks and not self.handing_on):
            self.begin()
            await self.changed.wait()
            self.changed.clear()
        await self.settings.on_loop_stop()

    def begin(self):
        while len(self.tasks) < self.size:
            try:
                delivery, runner = self.waiting_ones.popleft()
            except IndexError:
                return
            task = self.loop.create_task(self.run_one(delivery, runner))
            self.tasks[task] = Run(delivery, runner, time.monotonic())

    async def run_one(self, delivery, runner):
        self.interruptions[delivery.message_id] = interruption = self.make_interruption()
        try:
            await runner.run_async(delivery, interruption)
        except BaseException:  # noqa: BLE001 - what a pool must go on after
            runner.abandon(delivery)
        task = asyncio.current_task()
        self.handing_on.add(task)
        del self.tasks[task], self.interruptions[delivery.message_id]
        self.changed.set()
        await self.hand_on(runner)
        self.handing_on.discard(task)
        self.changed.set()

    async def hand_on(self, runner):
        await asyncio.to_thread(runner.has_run)

    def make_interruption(self):
        return Interruption()

    def look_again(self):
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.changed.set)

    def put(self, deliveries, runner):
        self.waiting_ones.extend((delivery, runner) for delivery in deliveries)
        self.look_again()

    def room(self):
        return self.size - len(self.tasks) - len(self.waiting_ones)

    def waiting(self):
        return len(self.waiting_ones)

    def drain(self):
        drained = []
        with suppress(IndexError):
            while True:
                drained.append(self.waiting_ones.popleft())
        return drained

    def running(self):
        return list(self.tasks.copy().values())

    def has_worker(self, thread):
        return thread is self.thread

    def cancel(self, run, error):
        interruption = self.interruptions.get(run.delivery.message_id)
        return interruption is not None and interruption.interrupt(run.delivery, error)

    def stop(self):
        self.is_stopping = True
        if self.thread.is_alive():
            self.look_again()

    def wait(self, seconds):
        if self.thread.is_alive():
            self.thread.join(seconds)
        return not self.thread.is_alive()


class Marked(ThreadInterruption):
    """Marks in memory that is shared with the parent where a run is."""

    BEFORE, INSIDE, AFTER = range(3)

    def __init__(self, page):
        super().__init__()
        self.page = page

    def enter(self, *args):
        self.page[0] = self.INSIDE
        super().enter(*args)

    def leave(self):
        self.page[0] = self.AFTER
        super().leave()


class ForkPool(WorkerPool):
    """Runs each delivery in a process of its own, with a thread that waits for its end."""

    abilities = frozenset({PoolAbility.INTERRUPT_PYTHON, PoolAbility.INTERRUPT_ANYTHING, PoolAbility.SURVIVE_CRASH})

    def __init__(self, settings):
        super().__init__(settings)
        self.settings = settings
        self.changed = threading.Condition(threading.RLock())
        self.waiting_ones = deque()
        self.children = {}
        self.pages = {}
        self.watchers = set()
        self.cancelled = set()

    def start(self):
        pass

    def put(self, deliveries, runner):
        with self.changed:
            self.waiting_ones.extend((delivery, runner) for delivery in deliveries)
            self.begin()

    def begin(self):
        while self.waiting_ones and len(self.children) < self.size:
            delivery, runner = self.waiting_ones.popleft()
            started = time.monotonic()
            page = mmap.mmap(-1, 1)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                self.be_the_child(delivery, runner, page)
            self.pages[pid] = page
            self.children[pid] = Run(delivery, runner, started)
            watcher = threading.Thread(target=self.watch, args=(pid,), daemon=True)
            self.watchers.add(watcher)
            watcher.start()

    def be_the_child(self, delivery, runner, page):
        code = 1
        try:
            name = f"child-{os.getpid()}"
            self.settings.on_start(name)
            with suppress(BaseException):
                runner.run(delivery, Marked(page))
                code = 0
            self.settings.on_stop(name)
        finally:
            os._exit(code)

    def watch(self, pid):
        # Reaped below, so that until then nobody kills another process of that number.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with self.changed:
            _, status = os.waitpid(pid, 0)
            run = self.children.pop(pid)
            self.pages.pop(pid).close()
            if status:
                run.runner.abandon(run.delivery)
            self.begin()
        run.runner.has_run()
        with self.changed:
            self.watchers.discard(threading.current_thread())
            self.changed.notify_all()

    def room(self):
        with self.changed:
            return self.size - len(self.children) - len(self.waiting_ones)

    def waiting(self):
        return len(self.waiting_ones)

    def drain(self):
        with self.changed:
            drained = list(self.waiting_ones)
            self.waiting_ones.clear()
        return drained

    def running(self):
        with self.changed:
            return list(self.children.values())

    def has_worker(self, thread):
        return thread in self.watchers

    def cancel(self, run, error):
        with self.changed:
            for pid, running in self.children.items():
                if running is run:
                    while (where := self.pages[pid][0]) == Marked.BEFORE:
                        time.sleep(0.001)
                    if where == Marked.INSIDE:
                        os.kill(pid, signal.SIGKILL)
                    return where == Marked.INSIDE
        return False

    def stop(self):
        pass

    def wait(self, seconds):
        with self.changed:
            return self.changed.wait_for(lambda: not self.watchers, seconds)

    def kill(self):
        with self.changed:
            for pid in self.children:
                os.kill(pid, signal.SIGKILL)
