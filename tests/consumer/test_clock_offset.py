"""How far the clock of this process is from the queue's."""

from __future__ import annotations

import pytest

from huey_core.consumer.clock_offset import measured_offset


@pytest.mark.parametrize(
    ("known", "asked", "said", "answered", "least", "most"),
    [
        pytest.param(0.0, 100.0, 100.0, 103.0, 0.0, 0.0, id="a late answer that contradicts nothing"),
        pytest.param(0.0, 100.0, 130.5, 101.0, 29.5, 30.5, id="another clock"),
        pytest.param(30.0, 100.0, 100.1, 100.2, -0.1, 0.1, id="a clock that was set right"),
    ],
)
def test_a_clock_is_known_as_well_as_the_answers_allow(known, asked, said, answered, least, most):
    offset = measured_offset(known, lambda: said, iter([asked, answered]).__next__)

    assert least - 1e-6 <= offset <= most + 1e-6
