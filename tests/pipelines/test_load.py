import asyncio

import pytest

from vivavoce.agent.options import OptionError
from vivavoce.pipelines.load import SETTLING, Bounds, Gate, Strain


class Process:
    """A process that uses so much of a core, and whose loop is so late."""

    def __init__(self, **bounds):
        self.strain = Strain(Bounds(**bounds), cores=2)
        self.now = self.loop = self.process = 0.0

    def run(self, seconds, loop=0.0, late=0.0, others=0.0):
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            self.loop += 0.02 * loop
            self.process += 0.02 * (loop + others)
            self.strain.look(self.now, late, self.loop, self.process)
        return self

    @property
    def full(self):
        return self.strain.full(self.now)


def test_an_idle_process_takes_calls():
    process = Process()
    assert process.full == ""  # also before anything was measured
    assert process.run(5, loop=0.1).full == ""
    assert process.strain.figures.loop == pytest.approx(0.1)
    assert process.strain.figures.process == pytest.approx(0.05)


def test_a_loop_that_is_late_takes_none():
    process = Process(lag=20).run(5, late=0.03)
    assert process.full == "the event loop is 30 ms late"
    assert process.run(5, late=0.018).full  # not much better: it would be late again at once
    assert process.run(5, late=0.01).full == ""


def test_one_late_look_is_nothing():
    process = Process(lag=20).run(3).run(0.04, late=0.5).run(1)
    assert process.full == ""


def test_calls_are_taken_until_the_core_is_used():
    process, calls = Process(loop=0.86, cost=0.03).run(5, loop=0.05), 0
    for _ in range(100):
        if process.full:
            break
        process.strain.begin(process.now)
        calls += 1
        process.run(SETTLING + 4, loop=0.05 + calls * 0.04)  # a call costs 4 % of a core
    assert calls == 20  # 5 % + 20 * 4 % = 85 %; one more would be 89 %
    assert process.strain.figures.cost == pytest.approx(0.04, rel=0.05)
    assert "of a core" in process.full


def test_calls_that_begin_together_are_not_all_let_in():
    process = Process(loop=0.86, cost=0.05).run(5, loop=0.05)
    calls = 0
    while not process.full and calls < 100:
        process.strain.begin(process.now)
        calls += 1
    assert calls == 16  # nothing was measured of them yet


def test_it_takes_calls_again_when_some_have_ended():
    process = Process(cost=0.04, loop=0.85, process=0.95)
    for _ in range(20):
        process.strain.begin(process.now)
    process.run(10, loop=0.85)
    assert process.full
    process.strain.end()
    process.run(5, loop=0.81)
    assert process.full  # one that ended is no room for one that lasts
    for _ in range(4):
        process.strain.end()
    assert process.run(5, loop=0.64).full == ""


def test_what_other_threads_use_counts_too():
    process = Process(process=0.9, cost=0.02)
    process.strain.begin(0)
    assert process.run(6, loop=0.3, others=1.6).full.startswith("the process would use")


def test_the_first_call_is_taken_whatever_else_runs():
    assert Process().run(5, loop=0.99).full == ""


def test_bounds_of_nothing_are_not_looked_at():
    process = Process(lag=0, loop=0, process=0)
    process.strain.begin(0)
    assert process.run(5, loop=1.0, late=1.0, others=1.0).full == ""


@pytest.mark.parametrize("wrong", [{"lag": -1}, {"loop": 2}, {"process": "x"}, {"window": 0}])
def test_wrong_bounds(wrong):
    with pytest.raises(OptionError, match="must be within"):
        Bounds(**wrong)


def test_figures_as_json():
    figures = Process().run(5, loop=0.5, late=0.002).strain.figures
    assert figures.to_dict() == {
        "lag_ms": 2.0, "loop": 0.5, "process": 0.25, "cost_of_a_call": 0.03
    }  # fmt: skip


async def test_the_gate_measures_the_loop_it_runs_on():
    gate = Gate(Bounds(window=0.5))
    gate.start()
    gate.start()
    gate.begin()
    try:
        async with asyncio.timeout(30):
            while not gate.strain.figures.loop:
                sum(range(20_000))
                await asyncio.sleep(0.01)
    finally:
        gate.end()
        gate.close()
        gate.close()
    assert 0 < gate.strain.figures.loop <= 1.05
    assert gate.strain.figures.process > 0
