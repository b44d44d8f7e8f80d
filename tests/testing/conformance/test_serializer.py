"""The kit finds what is broken in a serializer, says what a user would suffer, and asks for what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from huey_core.serializers.base import WrappingSerializer
from mutants import assert_caught, mutants

pytest_plugins = ["pytester"]

HERE = Path(__file__).parents[1]

SERIALIZER = """
    import pytest
    from huey_testing.conformance import Carried, SerializerConformance
    from broken_serializers import {cls}

    class TestBroken(SerializerConformance):
        carries = {{Carried.TUPLE}}
        deadline = 0.5

        @pytest.fixture
        def make_serializer(self):
            return {cls}
"""

LAYER = """
    import pytest
    from huey_testing.conformance import WrappingSerializerConformance
    from broken_serializers import {cls}

    class TestBroken(WrappingSerializerConformance):
        @pytest.fixture
        def wrap(self):
            return {cls}
"""


@pytest.mark.parametrize(("cls", "test"), mutants(HERE / "broken_serializers.py"))
def test_a_broken_serializer_is_caught_by_its_test(run_kit, cls, test):
    module = LAYER if issubclass(cls, WrappingSerializer) else SERIALIZER

    assert_caught(run_kit(module.format(cls=cls.__name__), one=test), test)


@pytest.mark.parametrize(
    ("cls", "fixture"), [("SerializerConformance", "make_serializer"), ("WrappingSerializerConformance", "wrap")]
)
def test_a_subclass_without_its_fixture_is_told_which_one(run_kit, cls, fixture):
    module = f"""
        from huey_testing.conformance import {cls}

        class TestForgetful({cls}):
            pass
    """

    result = run_kit(module, one="test_it_has_one_name")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*TestForgetful needs a fixture {fixture}*"])


def test_bytes_of_others_are_not_given_to_a_serializer_that_says_that_it_runs_code(run_kit):
    module = """
        import pytest
        from huey_core.serializers.pickle import PickleSerializer
        from huey_testing.conformance import SerializerConformance

        class TestTrusting(SerializerConformance):
            @pytest.fixture
            def make_serializer(self):
                return PickleSerializer
    """

    result = run_kit(module, one="test_no_code_runs_that_the_bytes_choose")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*runs_code is True: decoding does whatever the bytes say*"])


def test_what_a_serializer_carries_beyond_its_declaration_is_no_fault(run_kit):
    module = """
        import pytest
        from huey_core.serializers.json import JSONSerializer
        from huey_testing.conformance import SerializerConformance

        class TestModest(SerializerConformance):
            @pytest.fixture
            def make_serializer(self):
                return JSONSerializer
    """

    result = run_kit(module, "-k", "carried or declared")

    result.assert_outcomes(passed=2)
