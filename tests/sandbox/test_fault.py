"""Faults: which there are for which stage, and which ones they strike."""

from __future__ import annotations

import pytest

from vivavoce.sandbox.fault import FAULTS, STAGES, Fault, read_fault
from vivavoce.sandbox.given import ProfileError
from vivavoce.sandbox.profile import Profile


def test_every_kind_of_fault_is_taken_for_its_stages():
    for kind, stages in FAULTS.items():
        for stage in STAGES:
            given = {"faults": {stage: [{"kind": kind}]}}
            if stage in stages:
                assert Profile.parse("k", given).fault(stage, 7, kind)
            else:
                with pytest.raises(ProfileError):
                    Profile.parse("k", given)


def test_a_fault_strikes_where_it_is_told_to():
    profile = Profile.parse("k", {"faults": {"hear": [{"kind": "lost_done", "on": [2, 4]}]}})
    assert [bool(profile.fault("hear", n, "lost_done")) for n in range(1, 6)] == [
        False,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("kind", "at"),
    [("stall", "done"), ("status", "open"), ("page", "open"), ("slow", "open"), ("rut", "audio")],
)
def test_each_kind_has_its_point_in_hearing_unless_told_otherwise(kind, at):
    assert read_fault("hear", {"kind": kind}).at == at
    assert read_fault("hear", {"kind": "stall", "at": "delta"}).at == "delta"


@pytest.mark.parametrize(("on", "struck"), [(3, [3]), ([1, 4], [1, 4]), ([], [1, 2, 3, 4])])
def test_one_number_or_several_or_all(on, struck):
    fault = read_fault("think", {"kind": "stall", "on": on})
    assert [n for n in range(1, 5) if fault.strikes(n)] == struck


def test_what_is_left_out_is_as_it_is_documented():
    assert read_fault("speak", {"kind": "cut"}) == Fault("cut")
