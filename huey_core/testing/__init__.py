"""What authors of plugins and of applications test with. Nothing in huey_core imports it.

:mod:`huey_core.testing.conformance` proves that a backend keeps the contract. It needs pytest and hypothesis, which
huey-core does not install; this module itself needs neither.
"""
