from __future__ import annotations

import pytest

from huey_core.plugins.discovery import BACKENDS

BACKEND = """
    from huey_core.backends.backend import Backend
    from huey_core.backends.options import Option

    class ThisBackend(Backend):
        schemes = ("alpha",)
        api_version = 1
        capabilities = frozenset()
        options = (Option("size", int, 10, "a number"),)

        def queue(self, name): raise NotImplementedError
        def data_store(self, name): raise NotImplementedError
        def ping(self): raise NotImplementedError
"""


@pytest.fixture
def backend_source() -> str:
    """The source of a module with a backend class ``ThisBackend``."""
    return BACKEND


@pytest.fixture
def alpha(site, backend_source):
    """An installed backend of the scheme ``alpha``."""
    site.install("huey-alpha", {BACKENDS: {"alpha": "alpha_module:ThisBackend"}}, {"alpha_module": backend_source})
    return site
