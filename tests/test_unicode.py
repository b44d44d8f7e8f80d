"""A text of the configuration that has a byte of another encoding is refused where it is given."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.exceptions import ConfigurationError
from huey_core.plugins.selection import DISABLE, disabled_names
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.signed import KEYS_VARIABLE, SignedSerializer
from huey_memory import MemoryDataStore, MemoryQueue

STRAY = b"caf\xe9 of sixteen bytes".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("give", "what"),
    [
        (MemoryQueue, "the name of a queue"),
        (MemoryDataStore, "the name of a data store"),
        (lambda text: SignedSerializer(JSONSerializer(), [text]), "signing key 1"),
        (
            lambda text: queue_command(Invoker("memory://", registry=CommandRegistry()), name=text)(lambda: None),
            "the name of a command",
        ),
    ],
)
def test_a_text_that_no_server_takes_is_refused_where_it_is_given(give, what):
    with pytest.raises(ConfigurationError, match=f"^{what} is not valid Unicode at character 4"):
        give(STRAY)


@pytest.mark.parametrize("name", [None, 5, b"mail"])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(ConfigurationError, match="the name of a queue must be a text, not"):
        MemoryQueue(name)


@pytest.mark.parametrize(
    ("variable", "read", "what"),
    [
        (DISABLE, disabled_names, f"the environment variable {DISABLE}"),
        (KEYS_VARIABLE, lambda: SignedSerializer(JSONSerializer()), "signing key 1"),
        ("HUEY_URL", Invoker.from_env, "the memory:// URL"),
    ],
)
def test_so_is_one_in_the_environment(monkeypatch, variable, read, what):
    monkeypatch.setenv(variable, f"memory://{STRAY.replace(' ', '-')}" if variable == "HUEY_URL" else STRAY)

    with pytest.raises(ConfigurationError, match=f"^{what} is not valid Unicode"):
        read()
