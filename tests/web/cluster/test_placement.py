"""Placement: never where it must not be, evenly where it may, and two fronts that do not collide."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vivavoce.web.cluster.fleet import Member
from vivavoce.web.cluster.placement import GONE, LOST, Placed, Placement, Refusal
from vivavoce.web.cluster.state import WorkerState

NAMES = ("aaa", "bbb", "ccc", "ddd")


def member(name: str) -> Member:
    return Member(name, f"http://{name}")


def state(name: str, calls: int = 0, room: int = 10, **more) -> WorkerState:
    return WorkerState(name, calls=calls, room=room, **more)


def known(*states: WorkerState, front: str = "f", now: float = 0.0) -> Placement:
    placement = Placement(front)
    placement.meet([member(each.name) for each in states], now)
    for each in states:
        placement.heard(each, now)
    return placement


def where(placed: Placed | Refusal) -> str:
    assert isinstance(placed, Placed), placed
    return placed.worker


def test_the_least_loaded_is_chosen_and_what_is_on_its_way_counts():
    placement = known(state("aaa", calls=5, room=5), state("bbb", calls=0, room=10))
    chosen = [where(placement.place(0.1)) for _ in range(9)]
    assert chosen[:4] == ["bbb"] * 4
    assert Counter(chosen)["aaa"] == 2  # 5 + 2 of 10 beside 7 of 10
    small = known(state("aaa", room=4), state("bbb", room=12))
    assert Counter(where(small.place(0.0)) for _ in range(16)) == {"aaa": 4, "bbb": 12}
    assert small.place(0.0) == Refusal("busy", "this server has no room for a call: try again", 5.0)


def test_what_a_worker_tells_takes_the_place_of_what_is_on_its_way():
    placement = known(state("aaa", room=2), state("bbb", room=1))
    first = placement.place(0.0)
    assert isinstance(first, Placed)
    name, other = first.worker, {"aaa": "bbb", "bbb": "aaa"}[first.worker]
    # It tells of it before it has answered, or after, and it counts once.
    placement.heard(state(name, room=1), 0.2)
    assert len(placement.pending(name)) == 1
    placement.settle(first, begun=True)
    placement.heard(state(name, room=1), 0.4)
    assert len(placement.pending(name)) == 1
    placement.heard(state(name, calls=1, room=1, taken=(first.ident,)), 0.6)
    assert placement.pending(name) == []
    # One that did not begin is nobody's.
    lost = placement.place(0.7, {other})
    assert isinstance(lost, Placed)
    placement.settle(lost, begun=False)
    assert placement.pending() == []


def test_a_silent_worker_is_lost_then_gone_and_comes_back():
    placement = known(state("aaa"))
    assert where(placement.place(LOST)) == "aaa"
    assert isinstance(placement.place(LOST + 0.1), Refusal)
    assert placement.gone(LOST + 0.1) == []
    assert placement.gone(GONE + 0.1) == ["aaa"]
    placement.heard(state("aaa"), GONE + 1)
    assert where(placement.place(GONE + 1.1)) == "aaa"
    placement.unreachable("aaa")
    refused = placement.place(GONE + 1.2)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.retry) == ("no_worker", 2.0)
    assert placement.meet([member("bbb")], GONE + 2) == ["aaa"]
    assert placement.is_lost("aaa", GONE + 2)


def test_draining_ones_get_nothing_new_and_answer_where_nobody_else_does():
    placement = known(state("aaa", draining=True), state("bbb", room=0))
    assert placement.place(0.0) == Refusal(
        "busy", "this server has no room for a call: try again", 5.0
    )
    assert placement.any(0.0) == "bbb"
    assert placement.any(0.0, {"bbb"}) == "aaa"
    placement = known(state("aaa", draining=True))
    refused = placement.place(0.0)
    assert isinstance(refused, Refusal)
    assert refused.code == "closing"


def test_one_that_has_just_come_takes_a_call_where_nobody_else_does():
    placement = known(state("aaa", draining=True))
    placement.meet([member("aaa"), member("bbb")], 1.0)
    assert where(placement.place(1.0)) == "bbb"
    assert isinstance(placement.place(1.0), Refusal)  # one, until it has told how it stands
    assert placement.any(1.0) in {"aaa", "bbb"}
    placement.heard(state("bbb", room=0), 1.1)
    assert isinstance(placement.place(1.1), Refusal)


def test_a_call_that_another_worker_took_over_is_found():
    placement = known(state("aaa"), state("bbb", adopted=("20261121T1-0-old",)))
    assert placement.adopter("20261121T1-0-old") == "bbb"
    assert placement.adopter("20261121T1-0-aaa") == ""


def test_two_fronts_that_know_the_same_do_not_choose_the_same():
    fronts = [known(*(state(name) for name in NAMES), front=front) for front in ("one", "two")]
    calls = Counter(where(front.place(0.0)) for _ in range(20) for front in fronts)
    # 40 calls, of which neither front knows the other's half: even all the same.
    assert sum(calls.values()) == 40
    assert max(calls.values()) == min(calls.values()) == 10
    firsts = {
        where(known(*(state(name) for name in NAMES), front=f"front {number}").place(0.0))
        for number in range(20)
    }
    assert firsts == set(NAMES)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6),
    st.integers(1, 120),
)
def test_calls_are_spread_evenly_and_none_is_refused_while_there_is_room(loads, count):
    states = [state(f"w{n}", calls, room) for n, (calls, room) in enumerate(loads)]
    placement = known(*states)
    placed = [placement.place(0.0) for _ in range(count)]
    room = sum(each.room for each in states)
    taken = [each for each in placed if isinstance(each, Placed)]
    assert len(taken) == min(count, room)
    got = Counter(each.worker for each in taken)
    shares = {}
    for each in states:
        assert got[each.name] <= each.room
        if each.room:
            shares[each.name] = (each.calls + got[each.name], each.calls + each.room)
    for name, (calls, total) in shares.items():
        if got[name]:  # it was the least loaded when it got its last one
            assert all(
                (calls / total) - (other + 1) / size <= 0.0011
                for other, size in shares.values()
                if other < size
            )


class Life(RuleBasedStateMachine):
    """Whatever happens, a call goes to a worker that lives, takes calls and has room."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.placement = Placement("front")
        self.told: dict[str, tuple[WorkerState, float]] = {}
        self.sent: Counter[str] = Counter()
        self.unreachable: set[str] = set()
        self.members: set[str] = set()
        self.met: dict[str, float] = {}

    @rule(names=st.sets(st.sampled_from(NAMES)))
    def meet(self, names):
        self.placement.meet([member(name) for name in sorted(names)], self.now)
        for name in self.members - names:
            self.told.pop(name, None)
            self.sent.pop(name, None)
            self.unreachable.discard(name)
        self.met = {name: self.met.get(name, self.now) for name in names}
        self.members = set(names)

    @rule(
        name=st.sampled_from(NAMES),
        calls=st.integers(0, 5),
        room=st.integers(0, 3),
        draining=st.booleans(),
    )
    def hear(self, name, calls, room, draining):
        told = state(name, calls, room, draining=draining)
        self.placement.heard(told, self.now)
        if name in self.members:
            self.told[name] = (told, self.now)
            self.unreachable.discard(name)
            self.sent[name] = len(self.placement.pending(name))

    @rule(name=st.sampled_from(NAMES))
    def refuse_connection(self, name):
        self.placement.unreachable(name)
        if name in self.members:
            self.unreachable.add(name)

    @rule(seconds=st.floats(0.01, 3.0))
    def wait(self, seconds):
        self.now += seconds

    @rule(exclude=st.sets(st.sampled_from(NAMES)))
    def place(self, exclude):
        placed = self.placement.place(self.now, exclude)
        able = {
            name
            for name, (told, at) in self.told.items()
            if name not in exclude | self.unreachable
            and not told.draining
            and self.now - at <= LOST
            and told.room > self.sent[name]
        }
        if not able:  # then one that has just come, and has told nothing
            able = {
                name
                for name, at in self.met.items()
                if name not in exclude | self.unreachable | self.told.keys()
                and self.now - at <= LOST
                and not self.sent[name]
            }
        if isinstance(placed, Placed):
            assert placed.worker in able
            self.sent[placed.worker] += 1
        else:
            assert not able
            assert placed.retry > 0

    @invariant()
    def pending_is_what_was_sent(self):
        for name in self.members:
            assert len(self.placement.pending(name)) == self.sent[name]


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestLife = Life.TestCase


def test_a_state_survives_json_and_what_is_none_is_refused():
    told = state(
        "aaa", calls=3, addresses={"10.0.0.1": 2}, adopted=("x-1-old",), about={"kept": True}
    )
    assert WorkerState.from_dict(told.to_dict()) == told
    for wrong in (None, [], {}, {"name": "aaa"}, {**told.to_dict(), "calls": "many"}):
        with pytest.raises(ValueError, match="state"):
            WorkerState.from_dict(wrong)
