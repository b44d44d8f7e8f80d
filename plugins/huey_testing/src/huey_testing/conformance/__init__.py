"""The conformance kit: every promise of a backend, a serializer or a worker pool, as tests to subclass.

A plugin's test module names the kit's classes and says how its own objects are made. This is all of it::

    import pytest
    from huey_testing.conformance import BackendConformance, DataStoreConformance, QueueConformance
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

A server that can be started, killed and suspended at will, a
:class:`~huey_testing.server_process.ServerProcess`, lets one test what its faults cost::

    from huey_testing.conformance import ServerConformance

    class TestKiteServer(ServerConformance):
        @pytest.fixture
        def server(self):
            with KiteServer() as server:
                yield server

        @pytest.fixture
        def url(self, server):
            return f"{server.url()}?timeout=1"

A serializer says what it carries beyond the plain values of JSON; a layer around another one subclasses
``WrappingSerializerConformance`` and gives a fixture ``wrap`` instead. The attributes of
:class:`SerializerConformance` say the rest::

    from huey_testing.conformance import Carried, SerializerConformance

    class TestKiteSerializer(SerializerConformance):
        carries = {Carried.TUPLE, Carried.BYTES}

        @pytest.fixture
        def make_serializer(self):
            return KiteSerializer

A worker pool needs no more than its class::

    from huey_testing.conformance import WorkerPoolConformance

    class TestKitePool(WorkerPoolConformance):
        @pytest.fixture
        def make_pool(self):
            return KitePool

For a backend that is installed and has a server at hand, no module is needed; pytest does the same for a URL::

    pytest --huey-url kite://127.0.0.1/ --pyargs huey_testing.conformance

What a subclass gives, as pytest fixtures (so they may use others, such as a server that the test session started):

======================  ====================  ==========================================================================
fixture                 class                 value
======================  ====================  ==========================================================================
``make_queue``          QueueConformance      a callable ``(name, **options)`` that makes a queue; ``options`` is
                                              ``max_deliveries`` or nothing, and for a plain ``BaseQueue`` nothing
``make_data_store``     DataStoreConformance  a callable ``(name)`` that makes a data store
``make_data_store``     QueueConformance      the same; only a queue that declares ``ATOMIC_SETTLE`` or ``WAKE`` needs
                                              it, and must be able to settle into the store
``url``                 Backend…, Server…     the URL of a backend that is installed, or registered in this process;
                                              of a ServerConformance, with time limits well below ``deadline``
``make_serializer``     Serializer…           a callable without arguments that makes a serializer
``wrap``                WrappingSerializer…   a callable ``(inner)`` that puts a layer around a serializer
``make_pool``           WorkerPool…           a callable ``(settings)`` that makes a pool
``server``              ServerConformance     a server of the test's own, which keeps on disk what it has accepted
``advance``             Queue…, DataStore…    optional: a callable ``(seconds)`` that moves the backend's clock, for a
                                              backend whose clock can be moved; without it the tests wait in real time
``count_records``       Queue…, DataStore…    optional: a callable ``()`` that counts all that the server keeps (rows,
                                              documents, elements of keys), to see that what has expired is removed
======================  ====================  ==========================================================================

and as class attributes, where the defaults do not fit:

* ``lease = 0.1``: the lease, the delay and the time to live in seconds that the tests wait for in real time. A server
  whose clock is coarse wants more.
* ``deadline = 30``: seconds after which something that should have happened is taken never to happen.
* ``killed_lease = 0.3``: seconds of the lease of a process that is killed with SIGKILL (``BackendConformance``).
* ``server_has_clock = True``: whether leases and delays go by the server's clock (``ServerConformance``).
* ``histories``: hypothesis's settings for the random histories that are compared with a model of the contract,
  twenty-five by default; ``histories = settings(QueueConformance.histories, max_examples=1000)`` looks longer, and with
  ``phases=list(hypothesis.Phase)`` one that fails is made shorter before it is shown, which takes minutes on a server.

Every call makes an object for a name of the kit's choosing. Two objects of one name must be one queue (or store), as
they are for everybody who uses the same server. Names are new for every test, so tests may share a server with each
other, and everything the kit writes is flushed afterwards.

A test runs when the queue, store or backend declares the capability that it is about, or the pool the ability, and is
skipped otherwise, with what that means as the reason; a serializer that trusts its bytes, or does not authenticate, is
not asked for what it does not say either. Beside these, two tests are skipped without ``count_records``. A plain
``BaseQueue`` is thus asked for what its four methods promise. What declares ``PERSISTENT`` is used by forked children
of the test's process too. A test that fails begins its message with its docstring: what a user would suffer.
"""

from __future__ import annotations

import pkgutil

import pytest

# The kit is imported, not collected, so pytest has to be told to explain the assertions in it.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))

from huey_testing.conformance.backend import BackendConformance  # noqa: E402 - after the line above
from huey_testing.conformance.data_store import DataStoreConformance  # noqa: E402 - after the line above
from huey_testing.conformance.pool import WorkerPoolConformance  # noqa: E402 - after the line above
from huey_testing.conformance.queue import QueueConformance  # noqa: E402 - after the line above
from huey_testing.conformance.serializer import Carried, SerializerConformance  # noqa: E402 - after the line above
from huey_testing.conformance.server import ServerConformance  # noqa: E402 - after the line above
from huey_testing.conformance.wrapping_serializer import (  # noqa: E402 - after the line above
    WrappingSerializerConformance,
)

__all__ = [
    "BackendConformance",
    "Carried",
    "DataStoreConformance",
    "QueueConformance",
    "SerializerConformance",
    "ServerConformance",
    "WorkerPoolConformance",
    "WrappingSerializerConformance",
]
