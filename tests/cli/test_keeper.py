"""The keeper over workers that are names: what becomes of calls when all is to end."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.cluster.test_fleet import Yard, until
from vivavoce.cli import keeper as module
from vivavoce.cli.keeper import Keeper
from vivavoce.cli.steward import Plan
from vivavoce.web.cluster.control import Control
from vivavoce.web.cluster.fleet import Fleet
from vivavoce.web.cluster.proof import Seal
from vivavoce.web.cluster.scaling import Scale

KEY = "the cluster's key, of forty characters, or so"


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No Ray is asked; what it would have been asked for."""
    asked: list[int] = []
    monkeypatch.setattr(module, "demand", asked.append)
    monkeypatch.setattr(module, "end_keeper", lambda: asked.append(-1))
    monkeypatch.setattr(module, "LOOK", 0.01)
    return asked


async def keeping(yard: Yard) -> Keeper:
    made = Keeper()
    fleet = Fleet(yard, yard, Scale(1, 1), drain=600.0)
    await fleet.open()
    made._looked = True
    made._plan, made._control, made._fleet = Plan("{}"), Control(Seal(KEY)), fleet
    made._fronts.meet("front", 0.0)
    return made


async def test_who_does_not_wait_ends_the_waiting_of_who_did(quiet: list[int]) -> None:
    yard = Yard()
    keeper = await keeping(yard)
    (name,) = yard.calls
    yard.calls[name] = 1
    patient = asyncio.create_task(keeper.leave("front", 600.0))
    await until(lambda: name in yard.draining)
    await asyncio.sleep(0.05)
    assert not patient.done(), "its call goes on"
    assert await asyncio.wait_for(keeper.leave("front", 0.0), 20)
    assert await asyncio.wait_for(patient, 20)
    assert yard.stopped == [name]
    assert yard.last == {name: True}, "its call is over: nobody is left who could carry it on"
    await until(lambda: quiet == [0, -1])
    await keeper._tasks.close()
