"""The kit finds what is broken in a serializer, says what a user would suffer, and asks for what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from huey_core.serializers.base import WrappingSerializer
from mutants import assert_caught, mutants

pytest_plugins = ["pytester"]

HERE = Path(__file__).parents[1]

# What fails need not be made smaller.
SERIALIZER = """
    import pytest
    from hypothesis import Phase, settings
    from huey_testing.conformance import Carried, SerializerConformance
    from {module} import {cls}

    class Test{cls}(SerializerConformance):
        carries = {{Carried.TUPLE}}
        deadline = 0.5
        examples = settings(SerializerConformance.examples, phases=[Phase.generate], derandomize=True)

        @pytest.fixture
        def make_serializer(self):
            return {cls}
"""

LAYER = """
    import pytest
    from huey_testing.conformance import WrappingSerializerConformance
    from {module} import {cls}

    class Test{cls}(WrappingSerializerConformance):
        @pytest.fixture
        def wrap(self):
            return {cls}
"""


def kit(cls: type) -> str:
    return LAYER if issubclass(cls, WrappingSerializer) else SERIALIZER


@pytest.mark.parametrize("mutant", mutants(HERE / "broken_serializers.py", kit))
def test_a_broken_serializer_is_caught_by_its_test(reports):
    assert_caught(reports)


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
