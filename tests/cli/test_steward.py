"""The steward's decisions: where a worker goes, who is there, what was spent. No Ray."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.cli.steward import LEASE, LONELY, SETTLE, Fronts, Plan, Purse, node_for


def test_a_plan_follows_the_cores_unless_it_says_how_many() -> None:
    assert Plan("{}").wanted(6) == (6, 6)
    assert Plan("{}").wanted(0) == (1, 1)
    assert Plan("{}", least=2, most=5).wanted(16) == (2, 5)


def test_plans_are_told_apart_by_what_workers_are_and_not_by_how_many() -> None:
    one = Plan('{"agents": ["host.py"]}', b"parcel", least=1, made=1.0)
    assert one.mark == Plan('{"agents": ["host.py"]}', b"parcel", least=4, most=9, made=2.0).mark
    assert one.mark != Plan('{"agents": ["host.py"]}', b"newer").mark
    assert "host.py" not in repr(one)  # what stands in it is secret


def test_a_worker_goes_where_most_cores_are_free() -> None:
    cores = {"a": 2, "b": 4}
    there: dict[str, str] = {}
    for number in range(6):
        node = node_for(cores, there, ())
        there[f"w{number}"] = node
    assert sorted(there.values()) == ["a", "a", "b", "b", "b", "b"]
    assert node_for(cores, there, ()) == ""
    # Its successor may be there before it ends, and a draining one's core counts as free.
    assert node_for(cores, there, (), spare=1) in cores
    ending = next(name for name, node in there.items() if node == "a")
    assert node_for(cores, there, {ending}) == "a"
    assert node_for({}, {}, (), spare=1) == ""


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4)),
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=20),
    st.integers(0, 1),
)
def test_no_machine_gets_more_than_it_carries(cores, workers, spare) -> None:
    there = {f"w{n}": node for n, (node, _) in enumerate(workers)}
    ending = {f"w{n}" for n, (_, ends) in enumerate(workers) if ends}
    node = node_for(cores, there, ending, spare)
    taking = [each for name, each in there.items() if name not in ending and each in cores]
    if len(taking) >= sum(cores.values()) + spare:
        assert node == ""
    if node:
        assert sum(each == node for each in there.values()) < 2 * cores[node]


def test_fronts_that_ask_no_more_are_forgotten() -> None:
    fronts = Fronts(0.0)
    fronts.meet("one", 1.0)
    fronts.meet("two", 2.0)
    assert not fronts.leave("one", 3.0)
    assert fronts.leave("two", 4.0)
    fronts.meet("three", 5.0)
    assert not fronts.alone(5.0 + LONELY)  # it may have been killed: another one may come
    assert fronts.alone(5.1 + LONELY)
    fronts.meet("dead", 100.0)
    fronts.meet("four", 100.0 + LEASE)
    assert fronts.leave("four", 100.1 + LEASE), "a dead one keeps nobody"


def test_a_token_is_good_once() -> None:
    purse = Purse(100.0)
    assert purse.spend("a", 200.0, 100.0) is True
    assert purse.spend("a", 200.0, 150.0) is False
    purse.give_back("a")
    assert purse.spend("a", 200.0, 151.0) is True
    assert purse.spend("b", 300.0, 201.0) is True
    assert len(purse) == 1, "a token that has expired need not be remembered"


def test_behind_a_restart_nobody_knows_until_all_fronts_have_told() -> None:
    purse = Purse(100.0, restarted=True)
    assert purse.spend("a", 200.0, 100.0) is None
    purse.told({"a": 200.0})
    assert purse.spend("a", 200.0, 100.0 + SETTLE) is False
    assert purse.spend("b", 200.0, 100.0 + SETTLE) is True
