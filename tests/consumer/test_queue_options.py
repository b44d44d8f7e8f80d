"""The options of the command line that say which queues are served."""

from __future__ import annotations

import pytest

from huey_core.consumer.queue_options import served_queues
from huey_core.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("setting", "names", "weights", "strict", "served"),
    [
        pytest.param({"a": 2}, [], [], False, {"a": 2}, id="the setting"),
        pytest.param(None, [], [], False, None, id="nothing"),
        pytest.param(None, ["mail", "reports"], [], False, {"mail": 1, "reports": 1}, id="alike"),
        pytest.param(["a", "b"], ["mail"], [], False, {"mail": 1}, id="before the setting"),
        pytest.param(None, ["mail", "b"], ["mail=3"], False, {"mail": 3, "b": 1}, id="a weight"),
        pytest.param({"mail": 3, "b": 1}, [], ["b=0.5"], False, {"mail": 3, "b": 0.5}, id="a weight of the setting"),
        pytest.param(None, ["a=b", "c"], ["a=b=2"], False, {"a=b": 2, "c": 1}, id="a name with a sign of equality"),
        pytest.param(None, ["b", "a"], [], True, ["b", "a"], id="strict"),
        pytest.param({"b": 2, "a": 1}, [], [], True, ["b", "a"], id="the setting, strict"),
    ],
)
def test_they_go_before_the_setting(setting, names, weights, strict, served):
    chosen = served_queues(setting, names, weights, strict=strict)

    assert (chosen, list(chosen or ())) == (served, list(served or ()))


@pytest.mark.parametrize(
    ("setting", "names", "weights", "strict", "said"),
    [
        pytest.param(None, ["a", "b", "a"], [], False, "--queue 'a' is given twice", id="twice"),
        pytest.param(None, ["a"], ["a=2", "a=3"], False, "--weight of 'a' is given twice", id="two weights"),
        pytest.param(None, ["a", "b"], ["a=2"], True, "leave one of them out", id="both"),
        pytest.param(None, ["a"], [], True, "needs several queues", id="one in order"),
        pytest.param(None, [], [], True, "needs several queues", id="none in order"),
        pytest.param(None, ["a"], ["b=2"], False, "'b', which is not served here: 'a'", id="another queue"),
        pytest.param(None, [], ["b=2"], False, "name each with --queue", id="no queue"),
        pytest.param(["a", "b"], [], ["b=2"], False, "is a list, in strict order", id="a list"),
        pytest.param(None, ["a"], ["a"], False, "such as mail=3, not 'a'", id="no number"),
        pytest.param(None, ["a"], ["a=many"], False, "'many' is no number", id="words"),
    ],
)
def test_a_contradiction_is_refused(setting, names, weights, strict, said):
    with pytest.raises(ConfigurationError, match=said):
        served_queues(setting, names, weights, strict=strict)
