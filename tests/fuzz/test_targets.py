"""No parser that faces a network raises what it does not say it raises, whatever the bytes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutations
from tests.fuzz.targets import TARGETS

EXAMPLES = 50  # `make fuzz` looks for half a minute at each


@pytest.mark.parametrize("name", TARGETS)
def test_it_takes_anything(name):
    target = TARGETS[name]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(st.one_of(st.binary(max_size=200), mutations(target.seeds)))
    def takes(data):
        target.run(data)

    for seed in target.seeds:
        target.run(seed)
    takes()


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_cut_anywhere(name):
    for seed in TARGETS[name].seeds:
        for at in range(0, len(seed), max(1, len(seed) // 40)):
            TARGETS[name].run(seed[:at])
            TARGETS[name].run(seed[at:])


def test_a_defect_would_show():
    def broken(data):
        assert b"%" not in data

    @settings(max_examples=500, deadline=None, database=None)
    @given(mutations((b"abc",)))
    def takes(data):
        broken(data)

    with pytest.raises(AssertionError):
        takes()
