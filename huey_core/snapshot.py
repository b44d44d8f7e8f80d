"""What a consumer had in flight and had done at one moment: values, and no windows on numbers that go on changing."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from huey_core.text import times

__all__ = ["HookFaults", "Snapshot", "Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """What a consumer had done at one moment since it started.

    Attributes:
        claimed: Messages claimed.
        done: Messages acked.
        retried: Messages put back to be tried again.
        released: Messages given back, or put back for later because a plugin said so.
        buried: Messages made dead letters, and dead letters reported that claims have made.
        lost: Outcomes that did not count, because the lease had ended.
    """

    claimed: int = 0
    done: int = 0
    retried: int = 0
    released: int = 0
    buried: int = 0
    lost: int = 0

    def __add__(self, other: Stats) -> Stats:
        """What both together had done."""
        return Stats(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(slots=True)
class HookFaults:
    """What one plugin has done amiss in one observing hook.

    That is how often it raised, how often it took longer than the limit, and how many seconds these calls took.
    """

    plugin: str
    hook: str
    errors: int = 0
    delays: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    def __str__(self) -> str:
        parts = [f"raised {times(self.errors)}"] if self.errors else []
        if self.delays:
            parts.append(f"was slow {times(self.delays)} ({self.seconds:.3g} s in all, {self.longest:.3g} s at most)")
        return f"plugin {self.plugin} in {self.hook} {' and '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a consumer had in flight at one moment.

    Attributes:
        name: The consumer's name: host, process and a number.
        in_flight: Messages under a lease of this consumer, running ones included.
        running: The identifiers of the messages that ran, with the seconds for which they had run.
        stats: What it had done since it started.
        hook_faults: What its plugins had done amiss as observers since then.
        problems: What keeps it from running commands, in a few words each: a part of it that has ended, or is stuck.
    """

    name: str
    in_flight: int
    running: dict[str, float]
    stats: Stats
    hook_faults: tuple[HookFaults, ...] = ()
    problems: tuple[str, ...] = ()
