import asyncio
import random

import pytest

from vivavoce.agent.options import OptionError
from vivavoce.pipelines.load import EVERY, SETTLING, Bounds, Gate, Strain


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


def test_it_takes_a_call_again_when_one_has_ended():
    process = Process(cost=0.04, loop=0.85, process=0.95).run(5, loop=0.01)
    for _ in range(20):
        process.strain.begin(process.now)
    process.run(60, loop=0.81)
    assert process.full
    process.strain.end()
    assert process.full  # what it used is not known to be free
    assert process.run(5, loop=0.77).full == ""


def test_a_quiet_moment_makes_no_room():
    process = Process(loop=0.7).run(5)
    for _ in range(16):
        process.strain.begin(process.now)
    process.run(60, loop=0.69)
    assert process.full
    assert process.run(3, loop=0.5).full  # fewer speak just now


def test_what_a_process_does_when_it_starts_is_not_what_it_always_does():
    process = Process(cost=0.1, process=0).run(1, loop=0.9).run(4, loop=0.02)
    for _ in range(5):
        process.strain.begin(process.now)
    process.run(120, loop=0.52)
    assert process.strain.figures.cost == pytest.approx(0.1, rel=0.1)


class Server:
    """A core with calls that listen and speak by turns; what it cannot do in time is late."""

    def __init__(self, cost, seed=1):
        self.random = random.Random(seed)
        self.strain = Strain(cores=1)
        self.cost = cost
        self.now = self.loop = self.process = self.behind = 0.0
        self.calls = []
        self.used = []
        self.refused = 0

    def ask(self):
        if self.strain.full(self.now):
            self.refused += 1
            return
        self.strain.begin(self.now)
        self.calls.append((self.now, self.random.uniform(3, 5), self.random.uniform(3, 5)))

    def share(self):
        """What is to be done: 0.03 by itself; its calls; other threads take a fifth more."""
        found = 0.03
        for began, listens, speaks in self.calls:
            age = self.now - began
            found += 0.1 if age < 0.3 else 0  # connecting
            found += self.cost * (0.6 if age % (listens + speaks) < listens else 1.4)
        return found

    def run(self, seconds, every=None):
        due = self.now
        for _ in range(round(seconds / EVERY)):
            self.now += EVERY
            share = self.share() * self.random.uniform(0.7, 1.3)
            self.used.append(share)
            self.behind += share * EVERY
            done = min(self.behind, 0.98 * EVERY / 1.2)
            self.behind -= done
            self.loop, self.process = self.loop + done, self.process + done * 1.2
            self.strain.look(self.now, self.behind, self.loop, self.process)
            while every is not None and due <= self.now:
                self.ask()
                due += self.random.expovariate(1 / every)
        return self

    def mean(self, seconds):
        last = self.used[-round(seconds / EVERY) :]
        return sum(last) / len(last)


@pytest.mark.parametrize("cost", [0.02, 0.055, 0.1])
@pytest.mark.parametrize("every", [0.02, 0.4])
def test_as_many_as_fit_are_taken_however_fast_they_come(cost, every):
    server = Server(cost).run(5).run(75, every)
    fits = (0.8 / 1.2 - 0.03) / cost
    assert 0.85 * fits - 1 <= len(server.calls) <= fits * 1.05
    assert server.refused > 10
    assert server.mean(20) < 0.7
    assert server.behind < 0.02


def test_a_burst_before_anything_was_measured_does_not_fill_the_core():
    server = Server(0.1).run(5)
    for _ in range(200):
        server.ask()
    assert server.run(10).mean(10) < 0.75


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
        "lag_ms": 2.0, "loop": 0.5, "process": 0.25, "cost_of_a_call": 0.1
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
