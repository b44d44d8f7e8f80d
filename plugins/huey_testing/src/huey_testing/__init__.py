"""What authors of plugins and of applications test with. It is for tests: production needs none of it.

:mod:`huey_testing.conformance` proves that a backend or a serializer keeps its contract.
:mod:`huey_testing.rehearsal` runs an application's commands in a test, by a clock that the test moves.
:mod:`huey_testing.plugin` offers both to pytest, which finds it by itself.
:mod:`huey_testing.server_process` starts a server of one's own, and needs nothing but Python.
:mod:`huey_testing.scaffold` is ``huey new-plugin``.
"""

from __future__ import annotations

from huey_testing._version import __version__

__all__ = ["__version__"]
