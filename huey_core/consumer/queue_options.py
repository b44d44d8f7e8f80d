"""Which queues a consumer serves, as its command line says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from huey_core.exceptions import ConfigurationError

__all__ = ["served_queues"]

Served = Mapping[str, float] | Sequence[str]


def served_queues(
    setting: Served | None, names: Sequence[str], weights: Sequence[str], *, strict: bool
) -> Served | None:
    """The queues to serve, by the options ``--queue``, ``--weight`` and ``--strict``, which go before the setting.

    Args:
        setting: ``SERVE_QUEUES``.
        names: The names of queues, each of which is served with the weight 1; those of the setting if there are none.
        weights: Weights of these queues, each as ``NAME=3``.
        strict: Whether they are served in strict order.

    Returns:
        A value of ``SERVE_QUEUES``: weights by name, or names in strict order.

    Raises:
        ConfigurationError: The options contradict each other, or a weight is no number.
    """
    if not names and not weights and not strict:
        return setting
    if repeated := next((name for index, name in enumerate(names) if name in names[:index]), None):
        raise ConfigurationError(f"--queue {repeated!r} is given twice")
    if strict and weights:
        raise ConfigurationError("--strict is strict order, and --weight shares by weight: leave one of them out")
    served = names or setting or ()
    if strict:
        if len(served) < 2:
            raise ConfigurationError("--strict needs several queues: name each with --queue, in order")
        return list(served)
    weighted: set[str] = set()
    by_name = dict(served) if isinstance(served, Mapping) else dict.fromkeys(served, 1.0)
    if weights and not names and not isinstance(served, Mapping) and served:
        raise ConfigurationError("--weight serves queues by weight, and SERVE_QUEUES is a list, in strict order")
    for given in weights:
        name, separator, weight = given.rpartition("=")
        if not separator or not name:
            raise ConfigurationError(f"--weight is a name and a number, such as mail=3, not {given!r}")
        if name not in by_name:
            served_here = ", ".join(map(repr, by_name)) or "name each with --queue"
            raise ConfigurationError(f"--weight names the queue {name!r}, which is not served here: {served_here}")
        if name in weighted:
            raise ConfigurationError(f"--weight of {name!r} is given twice")
        weighted.add(name)
        try:
            by_name[name] = float(weight)
        except ValueError:
            raise ConfigurationError(f"--weight {given!r}: {weight!r} is no number") from None
    return by_name
