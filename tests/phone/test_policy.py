from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from vivavoce.phone.policy import Pace, Policy, Retries

MONDAY = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "allowed"),
    [("+33123", True), ("+33 1-23", True), ("+34123", False), ("0800", True), ("08001", False)],
)
def test_numbers(number, allowed):
    why = Policy(numbers=("+33*", "0800")).forbids(number, MONDAY)
    assert (why == "") is allowed
    if not allowed:
        assert number in why


def test_any_number_without_a_list():
    assert Policy().forbids("anybody", MONDAY) == ""


def test_hours_are_the_zones():
    policy = Policy(hours=(time(9), time(11, 30)), zone="Europe/Paris")
    assert policy.forbids("1", MONDAY) == "it is 11:30; calls are made from 09:00 to 11:30"
    assert policy.forbids("1", MONDAY.replace(hour=8)) == ""
    assert "07:59" in policy.forbids("1", MONDAY.replace(hour=6, minute=59))


def test_days():
    policy = Policy(days=(0, 1, 2, 3, 4))
    assert policy.forbids("1", MONDAY) == ""
    assert "Sunday" in policy.forbids("1", MONDAY.replace(day=22))
    # Already Monday in Auckland.
    late = MONDAY.replace(day=22, hour=20)
    assert Policy(days=(0,), zone="Pacific/Auckland").forbids("1", late) == ""


def test_the_pace():
    pace = Pace(2)
    pace.made(0)
    pace.made(10)
    assert pace.wait(20) == 40
    assert pace.wait(60) == 0
    pace.made(60)
    assert pace.wait(61) == 9


@pytest.mark.parametrize(
    "options",
    [
        {"numbers": ("+33 1",)},
        {"numbers": ("*3",)},
        {"per_minute": 0},
        {"days": ()},
        {"days": (7,)},
        {"hours": (time(20), time(8))},
        {"zone": "Nowhere/Else"},
    ],
    ids=str,
)
def test_rules_that_say_nothing(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Policy(**options)


@pytest.mark.parametrize(
    ("number", "allowed"),
    [
        ("sip:desk@pbx.test", True),
        ("sip:desk@elsewhere.test", False),
        ("sip:+33123@elsewhere.test", False),
        ("tel:+33 123", True),
    ],
)
def test_whole_uris(number, allowed):
    why = Policy(numbers=("+33*", "sip:desk@pbx.test")).forbids(number, MONDAY)
    assert (why == "") is allowed


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        (486, [60, 120, 240, None]),
        (408, [900, 1800, 3600, None]),
        (480, [900, 1800, 3600, None]),
        (503, [10, 20, 40, None]),
        (404, [None]),
        (603, [None]),
        (401, [None]),
        (0, [None]),
    ],
)
def test_who_is_called_again_and_when(code, waits):
    retries = Retries(attempts=4, busy=60, no_answer=900, trouble=10)
    assert [retries.after(code, number + 1) for number in range(len(waits))] == waits


def test_a_wait_has_an_end():
    assert Retries(attempts=10, busy=60, longest=300).after(486, 8) == 300
    assert Retries().after(486, 1) is None


@pytest.mark.parametrize(
    ("given", "why"), [({"attempts": 0}, "1 to 20"), ({"busy": -1}, "0 or more")]
)
def test_retries_that_make_no_sense(given, why):
    with pytest.raises(ValueError, match=why):
        Retries(**given)
