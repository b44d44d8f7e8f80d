from __future__ import annotations

import pytest

from huey_core.exceptions import ConfigurationError, PluginBlocked, PluginConflict, PluginNotFound
from huey_core.plugins.backends import backend_class
from huey_core.plugins.discovery import BACKENDS


@pytest.fixture
def claimed_twice(alpha, backend_source):
    alpha.install("other-alpha", {BACKENDS: {"alpha": "other_module:ThisBackend"}}, {"other_module": backend_source})
    return alpha


def test_two_distributions_that_claim_one_scheme_are_both_named_with_the_ways_out(claimed_twice):
    with pytest.raises(PluginConflict) as caught:
        backend_class("alpha")

    for part in ("huey-alpha 1.0", "other-alpha 1.0", 'HUEY_PLUGIN_CHOICE="alpha=huey-alpha"', "uninstall"):
        assert part in str(caught.value)
    assert "HUEY_DISABLE_PLUGINS=other-alpha" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HUEY_PLUGIN_CHOICE", "alpha=other-alpha"),
        ("HUEY_PLUGIN_CHOICE", " alpha = Other_Alpha , unused=x"),
        ("HUEY_DISABLE_PLUGINS", "huey-alpha"),
    ],
)
def test_a_choice_or_a_block_settles_a_conflict(claimed_twice, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)

    assert backend_class("alpha").__module__ == "other_module"


def test_a_choice_of_a_distribution_that_does_not_provide_the_scheme_says_who_does(alpha, monkeypatch):
    monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "alpha=huey-beta")

    with pytest.raises(PluginNotFound, match=r"HUEY_PLUGIN_CHOICE chooses 'huey-beta' .*huey-alpha 1.0"):
        backend_class("alpha")


def test_a_choice_that_cannot_be_read_is_a_configuration_error(alpha, monkeypatch):
    monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "alpha")

    with pytest.raises(ConfigurationError, match="HUEY_PLUGIN_CHOICE contains 'alpha'; write name=distribution"):
        backend_class("alpha")


@pytest.mark.parametrize("names", ["alpha", "huey-alpha", " , HUEY_Alpha ,", "unknown,alpha"])
def test_a_blocked_backend_is_refused_and_the_variable_is_named(alpha, monkeypatch, names):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", names)

    with pytest.raises(PluginBlocked, match=r"'alpha' of huey-alpha 1.0 .*HUEY_DISABLE_PLUGINS"):
        backend_class("alpha")


def test_an_empty_block_list_blocks_nothing(alpha, monkeypatch):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", " ,")

    assert backend_class("alpha").__name__ == "ThisBackend"
