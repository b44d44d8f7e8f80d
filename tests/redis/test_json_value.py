"""A value on Redis that several threads change at once."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from huey_core.backends.json_value import JSONValue
from json_changes import STEPS_OF_EACH, change_together


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps_of_each=STEPS_OF_EACH)
def test_changes_of_several_threads_lose_nothing(store, steps_of_each):
    store.flush()

    expected = change_together(store, steps_of_each)

    assert JSONValue(store, "counters", {}).read() == expected
