"""What authors of plugins and of applications test with. Nothing in huey_core imports it.

:mod:`huey_core.testing.conformance` proves that a backend keeps the contract. It needs pytest and hypothesis, which
huey-core does not install; this module itself needs neither.
:mod:`huey_core.testing.server_process` starts a server of one's own, and needs nothing else.
:mod:`huey_core.testing.rehearsal` runs an application's commands in a test, by a clock that the test moves, and needs
huey-memory. :mod:`huey_core.testing.plugin` offers both to pytest.
"""
