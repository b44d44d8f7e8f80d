"""Core's features are plugins, each in a file of its own, and one list names them."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from huey_core import features
from huey_core.features import FEATURES
from huey_core.plugins.manager import PluginManager


def test_the_list_names_every_file():
    assert set(FEATURES) == {found.name for found in pkgutil.iter_modules(features.__path__)}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_defined_in_the_file_of_its_name(name):
    module = importlib.import_module(f"huey_core.features.{name}")

    assert getattr(module, FEATURES[name].__name__) is FEATURES[name]


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_a_plugin_that_can_be_used_without_the_others(name):
    manager = PluginManager([FEATURES[name]()], installed=False)

    assert manager.hooks()
