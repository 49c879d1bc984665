"""The fleet over a launcher that starts nothing: who is started, replaced, drained and renewed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from vivavoce.web.cluster.control import ControlError
from vivavoce.web.cluster.fleet import Death, Fleet, LaunchError, Member
from vivavoce.web.cluster.scaling import Backoff, Scale
from vivavoce.web.cluster.state import WorkerState


class Yard:
    """Launcher and warden of workers that are names."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.draining: set[str] = set()
        self.stopped: list[str] = []
        self.before_stop = lambda _: None
        self.last: dict[str, bool] = {}
        self.ends: asyncio.Event | None = None
        self.hung: set[str] = set()
        self.wrong = ""
        self.slow: asyncio.Event | None = None
        self.starting = 0
        self._deaths: asyncio.Queue[Death] = asyncio.Queue()

    async def start(self, name: str, slot: int) -> Member:
        self.starting += 1
        try:
            if self.slow is not None:
                await self.slow.wait()
            await asyncio.sleep(0)
        finally:
            self.starting -= 1
        if self.wrong:
            raise LaunchError(self.wrong)
        self.calls[name] = 0
        return Member(name, f"http://{name}", slot=slot)

    async def stop(self, name: str, wait: float, *, last: bool = False) -> None:
        self.before_stop(name)
        self.last[name] = self.last.get(name, False) or last
        if self.ends is not None:
            await self.ends.wait()
        if self.calls.pop(name, None) is not None:
            self.stopped.append(name)

    async def death(self) -> Death:
        return await self._deaths.get()

    async def close(self) -> None:
        for name in list(self.calls):
            await self.stop(name, 0.0, last=True)

    def kill(self, name: str) -> None:
        del self.calls[name]
        self._deaths.put_nowait(Death(name, "signal 9"))

    async def state(self, member: Member) -> WorkerState:
        if member.name not in self.calls:
            raise ControlError("it is dead", absent=True)
        if member.name in self.hung:
            raise ControlError("it does not answer")
        calls = self.calls[member.name]
        return WorkerState(member.name, calls=calls, room=max(0, 10 - calls))

    async def drain(self, member: Member) -> WorkerState:
        self.draining.add(member.name)
        return await self.state(member)


class Seen:
    def __init__(self) -> None:
        self.members: tuple[Member, ...] = ()

    def __call__(self, members: tuple[Member, ...]) -> None:
        self.members = members

    @property
    def names(self) -> set[str]:
        return {each.name for each in self.members}


@contextlib.asynccontextmanager
async def fleet_of(least: int, most: int = 0, **more) -> AsyncGenerator[tuple[Fleet, Yard, Seen]]:
    yard, seen = Yard(), Seen()
    given = {"changed": seen, "drain": 20.0, **more}
    async with Fleet(yard, yard, Scale(least, most or least, step=0.01), **given) as fleet:
        yield fleet, yard, seen
    assert not yard.calls
    assert seen.names == set()


async def until(condition, within: float = 20.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_dead_one_is_replaced_and_its_slot_with_it():
    async with fleet_of(3) as (fleet, yard, seen):
        assert sorted(each.slot for each in seen.members) == [0, 1, 2]
        victim = next(each for each in seen.members if each.slot == 1)
        yard.kill(victim.name)
        await until(lambda: victim.name not in seen.names and len(seen.names) == 3)
        assert sorted(each.slot for each in seen.members) == [0, 1, 2]
        assert victim.name not in {each.name for each in fleet.taking}


async def test_one_that_does_not_start_is_an_error_at_first_and_a_wait_later():
    yard = Yard()
    yard.wrong = "host.py: no such file"
    with pytest.raises(LaunchError, match="no such file"):
        await Fleet(yard, yard, Scale(2, 2)).open()
    backoff = Backoff(first=0.01, most=0.02)
    async with fleet_of(2, backoff=backoff) as (fleet, yard, seen):
        yard.wrong = "host.py, line 3: broken"
        yard.kill(next(iter(seen.names)))
        await until(lambda: fleet.failed)
        assert fleet.failed == yard.wrong
        assert len(seen.names) == 1
        yard.wrong = ""
        await until(lambda: len(seen.names) == 2)
        assert not fleet.failed


async def test_drained_ones_end_once_their_calls_have_and_no_sooner():
    async with fleet_of(2) as (fleet, yard, seen):
        name = seen.members[0].name
        yard.calls[name] = 1
        draining = asyncio.create_task(fleet.drain(name))
        # Its successor comes at once; the old one is there for its calls.
        await until(lambda: len(fleet.taking) == 2 and len(seen.names) == 3)
        assert name in yard.draining
        assert name in seen.names
        assert not yard.stopped
        assert {each.slot for each in seen.members} == {0, 1, 2}
        yard.calls[name] = 0
        await asyncio.wait_for(draining, 20)
        assert yard.stopped == [name]
        assert name not in seen.names
        await fleet.drain("nobody")


async def test_a_drain_is_bounded():
    async with fleet_of(1, drain=0.1) as (fleet, yard, seen):
        name = seen.members[0].name
        yard.calls[name] = 1
        await asyncio.wait_for(fleet.drain(name), 20)
        assert yard.stopped == [name]


async def test_all_are_renewed_one_after_the_other_and_never_fewer():
    fewest = [9]
    async with fleet_of(2) as (fleet, yard, seen):
        old = set(seen.names)
        for name in old:
            yard.calls[name] = 1

        async def watch() -> None:
            while True:
                fewest.append(len(fleet.taking))
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        await asyncio.wait_for(fleet.renew(), 20)
        watching.cancel()
        assert min(fewest) >= 2
        assert {each.name for each in fleet.taking} & old == set()
        assert old <= seen.names  # their calls go on
        assert not yard.stopped
        for name in old:
            yard.calls[name] = 0
        await until(lambda: seen.names & old == set())
        assert len(seen.names) == 2
        yard.wrong = "broken"
        with pytest.raises(LaunchError, match="broken"):
            await fleet.renew()
        assert len(fleet.taking) == 2


async def test_a_start_that_takes_long_holds_nothing_else_up_and_is_given_up():
    async with fleet_of(2) as (fleet, yard, seen):
        yard.slow = asyncio.Event()
        fleet.scale(4)
        await until(lambda: yard.starting == 2)
        name = seen.members[0].name
        await asyncio.wait_for(fleet.drain(name), 20)
        await until(lambda: yard.starting == 3)
        fleet.scale(2)
        await until(lambda: yard.starting == 1)
        yard.slow.set()
        await until(lambda: len(seen.names) == 2)
        with pytest.raises(ValueError, match="workers"):
            fleet.scale(0)


async def test_their_number_follows_their_use(monkeypatch):
    monkeypatch.setattr("vivavoce.web.cluster.fleet.MEASURE", 0.02)
    async with fleet_of(1, 3) as (fleet, yard, seen):
        yard.calls[seen.members[0].name] = 9
        await until(lambda: len(seen.names) == 2)
        assert fleet.wanted == 2
        assert fleet.bounds == (1, 3)


async def test_one_that_hangs_is_ended_and_one_that_stalled_is_not(monkeypatch):
    monkeypatch.setattr("vivavoce.web.cluster.fleet.MEASURE", 0.01)
    async with fleet_of(2) as (_fleet, yard, seen):
        stalled, hung = (each.name for each in seen.members)
        for _ in range(20):
            yard.hung.add(stalled)
            await asyncio.sleep(0.02)  # a look or two
            yard.hung.discard(stalled)
            await asyncio.sleep(0.03)
        yard.hung.add(hung)
        await until(lambda: hung not in seen.names and len(seen.names) == 2)
        assert yard.stopped == [hung]
        assert stalled in seen.names


async def test_workers_that_were_there_before_are_kept():
    yard, seen = Yard(), Seen()
    before = [await yard.start("old1", 0), await yard.start("old2", 1)]
    async with Fleet(yard, yard, Scale(3, 3), changed=seen, members=before) as fleet:
        assert {"old1", "old2"} < seen.names
        assert sorted(each.slot for each in fleet.members) == [0, 1, 2]
        yard.kill("old1")
        await until(lambda: "old1" not in seen.names and len(seen.names) == 3)


async def test_the_end_of_all_waits_for_calls():
    async with fleet_of(2) as (fleet, yard, seen):
        first, second = seen.members
        yard.calls[first.name] = 1
        ending = asyncio.create_task(fleet.finish(20.0))
        await until(lambda: second.name not in yard.calls)
        assert not ending.done()
        yard.calls[first.name] = 0
        await asyncio.wait_for(ending, 20)
        assert not yard.calls
        assert yard.starting == 0


async def test_cores_are_asked_for_while_workers_lack_and_retried_at_once_when_they_come():
    backoff = Backoff(first=600.0, most=600.0)
    async with fleet_of(1, backoff=backoff) as (fleet, yard, seen):
        assert fleet.lacking == 0
        yard.wrong = "1 cores have their workers: add a node"
        fleet.scale(1, 3)
        fleet.scale(2, 3, quiet=5.0)
        assert fleet.lacking == 2
        await until(lambda: fleet.failed)
        fleet.retry()
        await until(lambda: backoff._row == 1)
        yard.wrong = ""  # a machine has come; without it, the next try is in ten minutes
        fleet.retry()
        await until(lambda: len(seen.names) == 2)
        assert fleet.lacking == 0
        assert fleet._scaler.scale.quiet == 5.0
        with pytest.raises(ValueError, match="quiet"):
            fleet.scale(1, 3, quiet=0.0)


async def test_only_where_all_end_is_a_worker_the_last_one():
    """The calls of one that ends alone are left to the others; those of all are over."""
    async with fleet_of(2) as (fleet, yard, seen):
        drained = seen.members[0].name
        await asyncio.wait_for(fleet.drain(drained), 20)
        await until(lambda: len(fleet.taking) == 2)
        assert yard.last == {drained: False}
        await asyncio.wait_for(fleet.finish(20.0), 20)
        assert yard.last.pop(drained) is False
        assert list(yard.last.values()) == [True, True]


async def test_one_that_is_ending_is_not_cut_off_by_whoever_does_not_wait():
    async with fleet_of(1) as (fleet, yard, _seen):
        yard.ends = asyncio.Event()
        ending = asyncio.create_task(fleet.finish(20.0))
        await until(lambda: yard.last)
        ending.cancel()
        asyncio.get_running_loop().call_later(0.05, yard.ends.set)
    assert len(yard.stopped) == 1, "it has ended, and the fleet has waited for it"


async def test_whoever_is_in_no_mood_to_wait_still_hears_the_farewells():
    """A front lets go of those that are no longer told of; so all are, until they have ended."""
    known: list[bool] = []
    async with fleet_of(2) as (fleet, yard, seen):
        for each in seen.members:
            yard.calls[each.name] = 1
        yard.before_stop = lambda name: known.append(name in seen.names)
        ending = asyncio.create_task(fleet.finish(20.0))
        await until(lambda: len(yard.draining) == 2)
        ending.cancel()
    assert known == [True, True]
