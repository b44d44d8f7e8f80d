"""Commands that are calls of a decorated function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from huey_core.commands.base import QueueCommand
from huey_core.commands.signature import TAKES_EVERY_CALL, Signature, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FunctionCommand"]

R_co = TypeVar("R_co", covariant=True)


class FunctionCommand(QueueCommand, Generic[R_co], declare=False):
    """A call of a decorated function; :attr:`data` is the pair of its arguments and keyword arguments.

    A function may use up its arguments, so a retry carries those of the call, just as a redelivery after a crash does.

    Attributes:
        function: The function.
        signature: The calls that it takes.
        option_names: What ``.using(...)`` takes beside the options.
        checked_data: The data whose arguments were checked already.
    """

    keeps_changes = False
    checked_data: Any = None

    function: ClassVar[Callable[..., Any]]
    signature: ClassVar[Signature] = TAKES_EVERY_CALL
    option_names: ClassVar[frozenset[str]] = frozenset()

    def check_arguments(self) -> None:
        """Refuse arguments that the function does not take.

        Raises:
            TypeError: What Python says of such a call.
        """
        args, kwargs = self.data
        try:
            self.signature.takes(*args, **kwargs)
        except TypeError:
            self.signature.check(args, kwargs, self.is_option)
        self.checked_data = self.data

    def is_option(self, name: str) -> bool:
        """Whether a name is given to ``.using(...)``, and not to the function."""
        return name in self.option_names or self._option_table().get(name) is not None

    def execute(self) -> R_co:
        """Call the function."""
        args, kwargs = self.data
        return self.function(*args, **kwargs)  # type: ignore[no-any-return]

    def to_payload(self) -> Any:
        """The arguments as a list, and the keyword arguments."""
        args, kwargs = self.data
        return [list(args), kwargs]

    @classmethod
    def from_payload(cls, payload: Any) -> Any:
        """Take the two apart again, which fails for anything else."""
        args, kwargs = payload
        return args, kwargs

    def _call_with_arguments(self, function: Callable[..., Any]) -> Any:
        args, kwargs = self.data
        return function(*args, **kwargs)

    def _arguments_by_name(self) -> dict[str, Any]:
        args, kwargs = self.data
        try:
            bound = parameters_of(self.function).bind(*args, **kwargs)
        except (TypeError, ValueError):
            # A wrapper fills in arguments that nobody else knows, or a function in C does not say what it takes.
            return {"args": args, "kwargs": kwargs}
        bound.apply_defaults()
        return bound.arguments
