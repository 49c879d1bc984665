"""Who is let in, who is not, and how it is counted."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.web.limits import Limits
from vivavoce.web.live import DeskError, Wish
from vivavoce.web.turnstile import Turnstile


class Measure:
    """A gate that is full when it is told to be."""

    def __init__(self) -> None:
        self.why, self.calls = "", 0

    def full(self) -> str:
        return self.why

    def begin(self) -> None:
        self.calls += 1

    def end(self) -> None:
        self.calls -= 1


class Notes:
    """An observer that notes refusals."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def refused(self, kind: str, code: str) -> None:
        assert kind == "web"
        self.codes.append(code)


def make(**limits: int) -> tuple[Turnstile, Any, Any]:
    gate: Any = Measure()
    notes: Any = Notes()
    return Turnstile(Limits(**limits), gate, notes), gate, notes


def refusal(turnstile: Turnstile, wish: Wish) -> tuple[int, str]:
    with pytest.raises(DeskError) as refused:
        turnstile.admit(wish)
    assert refused.value.retry > 0
    return refused.value.status, refused.value.code


def test_calls_are_counted_in_and_out():
    turnstile, gate, notes = make(calls=1)
    wish = Wish(address="192.0.2.1")
    assert not turnstile.busy
    turnstile.admit(wish)
    assert turnstile.busy
    assert (turnstile.admission.calls, gate.calls) == (1, 1)
    assert refusal(turnstile, Wish(address="192.0.2.2")) == (503, "busy")
    turnstile.release(wish)
    assert not turnstile.busy
    assert (turnstile.admission.calls, gate.calls) == (0, 0)
    assert notes.codes == ["busy"]


def test_one_caller_has_so_many_and_the_server_is_not_busy_for_others():
    turnstile, gate, notes = make(calls=5, per_caller=1)
    turnstile.admit(Wish(address="192.0.2.1", caller="ann"))
    assert refusal(turnstile, Wish(address="192.0.2.1", caller="ann")) == (429, "too_many_calls")
    assert not turnstile.busy
    turnstile.admit(Wish(address="192.0.2.1", caller="bob"))
    assert gate.calls == 2
    assert notes.codes == ["too_many_calls"]


def test_a_measured_load_refuses_before_the_count_does():
    turnstile, gate, notes = make(calls=5)
    gate.why = "the loop is late"
    assert turnstile.busy
    assert refusal(turnstile, Wish()) == (503, "busy")
    assert (turnstile.admission.calls, gate.calls) == (0, 0)
    assert notes.codes == ["busy"]


def test_who_drains_lets_nobody_in_and_everybody_out():
    turnstile, _, notes = make()
    wish = Wish(address="192.0.2.1")
    turnstile.admit(wish)
    turnstile.draining = True
    assert turnstile.busy
    assert refusal(turnstile, wish) == (503, "closing")
    turnstile.release(wish)
    assert turnstile.admission.calls == 0
    assert notes.codes == ["closing"]


def test_a_check_counts_nobody_in():
    turnstile, gate, _ = make(calls=1)
    turnstile.check(Wish())
    assert gate.calls == 0
    turnstile.draining = True
    with pytest.raises(DeskError):
        turnstile.check(Wish())
    assert (turnstile.admission.calls, gate.calls) == (0, 0)


def test_limits_alone_are_enough():
    turnstile = Turnstile(Limits(calls=1))
    turnstile.admit(Wish())
    assert refusal(turnstile, Wish()) == (503, "busy")
    turnstile.release(Wish())
    assert not turnstile.busy
