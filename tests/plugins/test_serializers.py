from __future__ import annotations

from pathlib import PurePath

import pytest

from huey_core.exceptions import ConfigurationError, PluginBlocked, PluginConflict, PluginLoadError, PluginNotFound
from huey_core.plugins.discovery import SERIALIZERS, Entry
from huey_core.plugins.registry import LazyRegistry
from huey_core.plugins.serializers import register_serializer, serializer, serializer_registry
from huey_core.serializers.base import Serializer, WrappingSerializer


class Plain(Serializer):
    name = "plain"

    def encode(self, value, context=b""):
        return str(value).encode()

    def decode(self, data, context=b""):
        return data.decode()


class Other(Plain):
    name = "other"


class Layer(WrappingSerializer):
    def wrap(self, body, context):
        return b"<" + body + b">"

    def unwrap(self, data, context, max_size):
        return data[1:-1]


class Zip(Layer):
    suffix = "zip"


class Seal(Layer):
    suffix = "seal"
    authenticates = True


class Notary(Layer):
    suffix = "notary"
    authenticates = True


@pytest.fixture(autouse=True)
def five_serializers():
    classes = {"plain": Plain, "other": Other, "zip": Zip, "seal": Seal, "notary": Notary}
    for name, cls in classes.items():
        register_serializer(name, cls)
    yield
    for name in classes:
        serializer_registry.unregister(name)


def test_a_name_becomes_a_serializer():
    assert type(serializer("plain")) is Plain


def test_a_serializer_stays_what_it_is():
    given = Plain()

    assert serializer(given) is given


def test_layers_are_built_from_the_inside_out():
    made = serializer("plain|zip|seal")

    assert (type(made), type(made.inner), type(made.inner.inner)) == (Seal, Zip, Plain)
    assert made.name == "plain|zip|seal"


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("zip|plain", "'plain|zip'"),
        ("zip|plain|seal", "'plain|zip|seal'"),
        ("seal|zip", "'json|zip|seal'"),
        ("zip", "'json|zip'"),
        ("plain|other", "2 innermost layers (plain, other); keep one"),
        ("plain|zip|other", "2 innermost layers (plain, other); keep one"),
        ("plain|", "has an empty layer"),
        ("", "has an empty layer"),
    ],
)
def test_layers_in_a_wrong_order_name_the_right_one(spec, hint):
    with pytest.raises(ConfigurationError) as caught:
        serializer(spec)

    assert repr(spec) in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "right"),
    [
        ("plain|seal|zip", "plain|zip|seal"),
        ("plain|seal|zip|notary", "plain|zip|seal|notary"),
        ("plain|zip|zip", "plain|zip"),
        ("plain|seal|zip|seal", "plain|zip|seal"),
    ],
)
def test_a_layer_that_would_read_what_nobody_verified_and_one_that_is_there_twice_are_refused(spec, right):
    with pytest.raises(ConfigurationError) as caught:
        serializer(spec)

    assert repr(spec) in str(caught.value)
    assert str(caught.value).endswith(f"write {right!r}")


@pytest.mark.parametrize("spec", ["plain|zip|seal", "plain|seal|notary", "plain|zip|seal|notary"])
def test_layers_that_verify_are_outside_of_those_that_do_not(spec):
    assert serializer(spec).name == spec


def test_the_order_is_checked_before_a_layer_misses_its_key(monkeypatch):
    monkeypatch.delenv("HUEY_SIGNING_KEYS", raising=False)

    with pytest.raises(ConfigurationError, match=r"'zip' would read what 'signed' has not verified"):
        serializer("plain|signed|zip")


@pytest.mark.parametrize(("name", "distribution"), [("msgpack", "huey-msgpack"), ("plain|zstd", "huey-zstd")])
def test_a_known_serializer_that_is_not_installed_says_what_to_install(monkeypatch, name, distribution):
    monkeypatch.setattr(serializer_registry, "entries", list)

    with pytest.raises(PluginNotFound, match=f"install it with: pip install {distribution};"):
        serializer(name)


def test_an_unknown_serializer_lists_what_is_installed():
    with pytest.raises(PluginNotFound, match=r"no serializer is installed for the name 'plane'; .*'plain'.*json"):
        serializer("plane|zip")


def test_core_brings_json_pickle_and_signed(site):
    names = [entry.name for entry in serializer_registry.entries() if entry.distribution == "huey-core"]

    assert names == ["json", "pickle", "signed"]


def test_a_built_in_entry_is_found_where_no_metadata_is_installed(site):
    builtin = Entry("no.such.group", "plain", "pathlib:PurePath", "huey-core", "0")
    registry = LazyRegistry("no.such.group", PurePath, kind="path", role="name", builtin=[builtin])

    assert registry.get("plain") is PurePath


def test_a_plugin_that_claims_json_too_is_a_conflict(site):
    site.install("fast-json", {SERIALIZERS: {"json": "fast_json:Fast"}}, {"fast_json": ""})

    with pytest.raises(PluginConflict, match=r"huey-core .* and fast-json 1.0|fast-json 1.0 .* and huey-core"):
        serializer("json")


def test_core_s_own_serializers_can_be_blocked(site, monkeypatch):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "pickle")

    with pytest.raises(PluginBlocked, match="'pickle' of huey-core"):
        serializer("pickle")


def test_what_is_not_a_serializer_class_is_refused(site):
    site.install("huey-odd", {SERIALIZERS: {"odd": "odd_module:Odd"}}, {"odd_module": "Odd = dict"})

    with pytest.raises(PluginLoadError, match=r"odd_module:Odd is not a subclass of .*Serializer"):
        serializer("odd")
