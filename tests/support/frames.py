"""What an error reporter shows of our frames: it prints the local variables of every frame of a traceback."""

from __future__ import annotations

import pprint
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

TESTS: Final = Path(__file__).parents[1]


def assert_not_shown(secret: str, error: BaseException) -> None:
    """Check that no local variable of a frame of ours shows a secret, in the tracebacks of an error and its causes."""
    variables = dict(_our_variables(error))
    assert [name for name, value in variables.items() if secret in _as_shown(value)] == []
    assert variables


def _our_variables(error: BaseException) -> Iterator[tuple[str, Any]]:
    for each in _chain(error):
        traceback = each.__traceback__
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if _is_ours(code.co_filename):
                for name, value in traceback.tb_frame.f_locals.items():
                    yield f"{code.co_filename}:{code.co_name}: {name}", value
            traceback = traceback.tb_next


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_ours(file: str) -> bool:
    path = Path(file)
    return any(part.startswith("huey_") for part in path.parent.parts) and not path.is_relative_to(TESTS)


def _as_shown(value: Any) -> str:
    try:
        return repr(value) + pprint.pformat(value)
    except AttributeError:
        # Of an object that is half made.
        return ""
