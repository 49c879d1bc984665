"""What is told of a machine, and what spoils figures on it."""

from __future__ import annotations

import pytest

from vivavoce.pipelines.benching.machine import (
    Signs,
    clocks,
    describe,
    read_clocks,
    resident,
    shares,
    warnings,
)


def test_a_quiet_machine_needs_no_warning():
    assert warnings(Signs(cores=4, used=0.02, lag=1.0)) == []


@pytest.mark.parametrize(
    ("signs", "word"),
    [
        (Signs(cores=4, used=0.6), "busy before the run (60% of its cores)"),
        (Signs(cores=4, stolen=0.1), "gave 10% of its time to others"),
        (Signs(cores=4, lag=31.0), "31 ms late"),
        (Signs(cores=4, governor="powersave"), "cpupower"),
        (Signs(cores=1), "one core"),
        (Signs(cores=4, pinned=False), "held on one core"),
        (Signs(cores=4, debug=True), "PYTHONDEVMODE"),
    ],
)
def test_what_spoils_figures_is_said(signs: Signs, word: str):
    (told,) = warnings(signs)
    assert word in told


def test_clocks_tell_what_was_used_and_what_was_taken():
    before = clocks("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 2 3\n")
    after = clocks("cpu  200 0 200 1500 0 0 0 100 0 0\ncpu0 1 2 3\n")
    assert shares(before, after) == (pytest.approx(0.2), pytest.approx(0.1))
    assert shares(after, after) == (0.0, 0.0)
    assert clocks("nothing") == {}


def test_this_machine_is_described():
    told = describe()
    assert told["versions"]["vivavoce"]
    assert told["cores"] >= told["usable_cores"] >= 1
    assert resident() > 10
    used, stolen = shares({}, read_clocks())
    assert 0 <= used + stolen <= 1
