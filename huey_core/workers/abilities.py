"""What a worker pool declares that it can do.

As with the capabilities of a backend, an ability is a promise: the conformance kit tests each one that a pool declares,
and a command with an option that asks for one its consumer's pool lacks is refused when the consumer starts.
"""

from __future__ import annotations

import enum
from typing import Self

__all__ = ["PoolAbility"]


class PoolAbility(enum.Enum):
    """One promise of a worker pool.

    Attributes:
        value: The name that the command line and the documentation show.
        description: What is promised, in a sentence.
    """

    description: str

    RUN_COROUTINES = (
        "run_coroutines",
        "Coroutines run side by side as tasks of one event loop, and one that is cancelled ends where it awaits.",
    )
    INTERRUPT_PYTHON = "interrupt_python", "A command that is cancelled ends while it runs Python code."
    INTERRUPT_ANYTHING = (
        "interrupt_anything",
        "A command that is cancelled ends whatever it does, even in a call of C code that does not return.",
    )
    SURVIVE_CRASH = "survive_crash", "A command that ends its process costs its own run and no other."

    def __new__(cls, value: str, description: str) -> Self:
        """Make a member of its name and its meaning."""
        member = object.__new__(cls)
        member._value_ = value
        member.description = description
        return member
