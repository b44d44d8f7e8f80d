"""The conformance kit: every promise that the contract makes for a backend, as tests to subclass.

A plugin's test module names the kit's classes and says how its own objects are made. This is all of it::

    import pytest
    from huey_core.testing.conformance import BackendConformance, DataStoreConformance, QueueConformance
    from huey_kite import KiteDataStore, KiteQueue

    class TestKiteQueue(QueueConformance):
        @pytest.fixture
        def make_queue(self, kite_server):
            return lambda name, **options: KiteQueue(name, port=kite_server.port, **options)

        @pytest.fixture
        def make_data_store(self, kite_server):
            return lambda name: KiteDataStore(name, port=kite_server.port)

    class TestKiteDataStore(DataStoreConformance):
        @pytest.fixture
        def make_data_store(self, kite_server):
            return lambda name: KiteDataStore(name, port=kite_server.port)

    class TestKiteBackend(BackendConformance):
        @pytest.fixture
        def url(self, kite_server):
            return f"kite://127.0.0.1:{kite_server.port}/"

For a backend that is installed and has a server at hand, no module is needed; pytest does the same for a URL::

    pytest -p huey_core.testing.plugin --huey-url kite://127.0.0.1/ --pyargs huey_core.testing.conformance

What a subclass gives, as pytest fixtures (so they may use others, such as a server that the test session started):

======================  ====================  ==========================================================================
fixture                 class                 value
======================  ====================  ==========================================================================
``make_queue``          QueueConformance      a callable ``(name, **options)`` that makes a queue; ``options`` is
                                              ``max_deliveries`` or nothing, and for a plain ``BaseQueue`` nothing
``make_data_store``     DataStoreConformance  a callable ``(name)`` that makes a data store
``make_data_store``     QueueConformance      the same; only a queue that declares ``ATOMIC_SETTLE`` needs it, and
                                              must be able to settle into the store
``url``                 BackendConformance    the URL of a backend that is installed, or registered in this process
``advance``             Queue…, DataStore…    optional: a callable ``(seconds)`` that moves the backend's clock, for a
                                              backend whose clock can be moved; without it the tests wait in real time
======================  ====================  ==========================================================================

and as class attributes, where the defaults do not fit:

* ``lease = 0.25``: the lease, the delay and the time to live in seconds that the tests wait for in real time. A server
  whose clock is coarse wants more.
* ``deadline = 10``: seconds after which something that should have happened is taken never to happen.
* ``killed_lease = 2``: seconds of the lease of a process that is killed with SIGKILL (``BackendConformance``).
* ``histories``: hypothesis's settings for the random histories that are compared with a model of the contract, fifty
  by default; ``histories = settings(QueueConformance.histories, max_examples=1000)`` looks longer.

Every call makes an object for a name of the kit's choosing. Two objects of one name must be one queue (or store), as
they are for everybody who uses the same server. Names are new for every test, so tests may share a server with each
other, and everything the kit writes is flushed afterwards.

A test runs when the queue, store or backend declares the capability that it is about, and is skipped otherwise, with
what the capability means as the reason; that is the only skip there is. A plain ``BaseQueue`` is thus asked for what
its four methods promise. A test that fails begins its message with its docstring: what a user would suffer.
"""

from __future__ import annotations

import pkgutil

import pytest

# The kit is imported, not collected, so pytest has to be told to explain the assertions in it.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))

from huey_core.testing.conformance.backend import BackendConformance  # noqa: E402 - after the line above
from huey_core.testing.conformance.data_store import DataStoreConformance  # noqa: E402 - after the line above
from huey_core.testing.conformance.queue import QueueConformance  # noqa: E402 - after the line above

__all__ = ["BackendConformance", "DataStoreConformance", "QueueConformance"]
