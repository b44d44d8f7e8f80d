"""What only type checkers need of an invoker: its settings, and what its type says of its result store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypedDict, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    # Type checkers know it without its being installed; the defaults of Python's own came with Python 3.13.
    from typing_extensions import TypeVar as TypeVarWithDefault

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.registry import CommandRegistry
    from huey_core.serializers.base import Serializer

    StoreT_co = TypeVarWithDefault(
        "StoreT_co", bound="BaseDataStore | None", covariant=True, default="BaseDataStore | None"
    )
else:
    StoreT_co = TypeVar("StoreT_co", covariant=True)

__all__ = ["CommandReturning", "InvokerSettings", "StoreT_co"]

R_co = TypeVar("R_co", covariant=True)


class CommandReturning(Protocol[R_co]):
    """A :class:`QueueCommand`, by what its ``execute`` says that it returns."""

    command_name: ClassVar[str]

    def execute(self) -> R_co:
        """Do the work, and return the result."""


class InvokerSettings(TypedDict, total=False):
    """The arguments of :class:`Invoker` that are given by name."""

    serializer: Serializer | str | None
    accept: Iterable[Serializer | str] | None
    result_ttl: float | None
    lease: float | None
    max_body_size: int | None
    plugins: Iterable[Any]
    registry: CommandRegistry | None
    clock: Callable[[], float] | None
    check_arguments: bool
