from __future__ import annotations

import pytest

from huey_core.backends.backend import Backend
from huey_core.exceptions import PluginNotFound
from huey_core.plugins.backends import backend_class
from huey_core.plugins.discovery import BACKENDS
from huey_core.plugins.registry import LazyRegistry


@pytest.fixture
def registry():
    """A registry that knows of a backend which is not installed."""
    return LazyRegistry(BACKENDS, Backend, kind="backend", role="URL scheme", known={"gamma": "huey-gamma"})


def test_a_known_scheme_that_is_not_installed_says_what_to_install(registry):
    with pytest.raises(PluginNotFound) as caught:
        registry.get("gamma")

    assert "no backend is installed for the URL scheme 'gamma'" in str(caught.value)
    assert "pip install huey-gamma" in str(caught.value)
    assert caught.value.distribution == "huey-gamma"


@pytest.mark.parametrize(
    ("scheme", "reason"),
    [
        ("redis+cluster", "huey-redis does not speak to Redis Cluster yet; use the redis:// URL of"),
        ("redis+sentinel", "huey-redis does not speak to Redis Sentinel yet; use the redis:// URL of the primary"),
        ("redis+sentinal", "did you mean 'redis+sentinel' (huey-redis does not speak to Redis Sentinel yet"),
    ],
)
def test_a_scheme_that_no_known_plugin_serves_says_what_to_use_and_not_what_to_install(scheme, reason):
    with pytest.raises(PluginNotFound) as caught:
        backend_class(scheme)

    assert reason in str(caught.value)
    assert "pip install" not in str(caught.value)


def test_a_plugin_may_serve_a_scheme_that_no_known_plugin_serves(site, backend_source):
    site.install("huey-c", {BACKENDS: {"redis.cluster": "alpha_module:ThisBackend"}}, {"alpha_module": backend_source})

    assert backend_class("redis+cluster").__name__ == "ThisBackend"


def test_a_misspelt_scheme_names_the_closest_that_is_installed(alpha):
    with pytest.raises(PluginNotFound, match="did you mean 'alpha'"):
        backend_class("alhpa")


def test_a_misspelt_scheme_that_is_not_installed_says_what_to_install(registry):
    with pytest.raises(PluginNotFound, match=r"did you mean 'gamma' \(pip install huey-gamma\)"):
        registry.get("gamna")


def test_an_unknown_scheme_lists_what_is_installed_and_where_to_look(alpha):
    with pytest.raises(PluginNotFound, match=r"installed: .*alpha \(huey-alpha 1.0\).*; Help: huey plugins"):
        backend_class("qqqq")


@pytest.mark.parametrize("scheme", ["upper", "Upper"])
def test_an_entry_point_that_is_not_lower_case_is_reported(site, backend_source, scheme):
    site.install("huey-upper", {BACKENDS: {"Upper": "upper:ThisBackend"}}, {"upper": backend_source})

    with pytest.raises(PluginNotFound, match=r"is called 'Upper', which can never be found: .*lower case"):
        backend_class(scheme)
