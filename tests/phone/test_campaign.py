"""A list of people, called: who is next, what is noted, and what is left after a crash."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest

from tests.phone.agents import phone
from tests.phone.conftest import Bot, local_trunk
from tests.speech import speak
from vivavoce.agent import Agent
from vivavoce.phone import PhoneError, Policy, Retries
from vivavoce.phone.campaign import Campaign, Options, Plan
from vivavoce.phone.people import Person
from vivavoce.phone.results import Results, Row, Status

ALWAYS = Policy(numbers=("+33*", "1*"), hours=(time.min, time.max), per_minute=600)


def people(count: int) -> list[Person]:
    return [Person(f"1{number:02}", f"P{number}") for number in range(count)]


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# -- the plan


def row(person: Person, status: Status, attempt: int = 1, code: int = 0) -> Row:
    return Row(person.number, person.name, status, attempt, code)


def test_everybody_is_called_once():
    everybody, plan = people(3), Plan(people(3))
    assert [plan.take(0.0) for _ in range(4)] == [*everybody, None]
    assert plan.running == 3
    for person in everybody:
        assert plan.ended(row(person, Status.ANSWERED), 1.0) is None
    assert plan.finished
    assert plan.tally() == Counter({Status.ANSWERED: 3})


def test_who_is_busy_is_called_again_and_who_says_no_is_not():
    first, second = people(2)
    plan = Plan([first, second], retries=Retries(attempts=3, busy=60, no_answer=600))
    assert plan.take(0.0) == first
    assert plan.take(0.0) == second
    assert plan.ended(row(first, Status.BUSY, 1, 486), 10.0) == 60
    assert plan.ended(row(second, Status.REFUSED, 1, 603), 10.0) is None
    assert plan.take(69.0) is None
    assert plan.due == 70
    assert plan.take(70.0) == first
    assert plan.attempt(first) == 2
    assert plan.ended(row(first, Status.NO_ANSWER, 2, 408), 100.0) == 1200
    assert plan.take(2000.0) == first
    assert plan.ended(row(first, Status.BUSY, 3, 486), 2000.0) is None
    assert plan.finished


@pytest.mark.parametrize(("again", "wait"), [(False, None), (True, 600)])
def test_whether_a_machine_counts_as_nobody(again, wait):
    (person,) = people(1)
    retries = Retries(attempts=2, no_answer=600)
    plan = Plan([person], retries=retries, retry_voicemail=again)
    plan.take(0.0)
    assert plan.ended(row(person, Status.VOICEMAIL), 0.0) == wait


def test_a_campaign_goes_on_where_it_was_broken_off():
    answered, busy, cut, fresh, gone = people(5)
    retries = Retries(attempts=2)
    rows = [
        row(answered, Status.CALLING),
        row(answered, Status.ANSWERED),
        row(busy, Status.CALLING),
        row(busy, Status.BUSY, 1, 486),
        row(cut, Status.CALLING),
        row(gone, Status.CALLING, 3),  # it took the program with it each time
        row(Person("9", ""), Status.BUSY, 1, 486),  # no longer on the list
    ]
    plan = Plan([answered, busy, cut, fresh, gone], rows, retries)
    assert [plan.take(0.0) for _ in range(4)] == [busy, cut, fresh, None]
    assert [plan.attempt(person) for person in (busy, cut, fresh)] == [2, 2, 1]


def test_when_the_policy_lets_it_begin():
    policy = Policy(
        numbers=("1*",), hours=(time(9), time(17)), days=(0, 1, 2, 3, 4), zone="Europe/Paris"
    )
    noon = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # a Monday
    assert policy.opens(noon) == 0
    assert policy.opens(noon.replace(hour=6)) == 2 * 3600
    assert policy.opens(noon.replace(hour=16)) == 16 * 3600
    assert policy.opens(noon.replace(day=27, hour=16)) == (16 + 48) * 3600
    # The night in which Paris goes to summer time is an hour shorter.
    assert policy.opens(datetime(2027, 3, 27, 23, 0, tzinfo=UTC)) == (8 + 24) * 3600
    assert Policy(days=(0,)).opens(noon.replace(day=24)) == 6 * 86400 - 11 * 3600


# -- the calls


class House(Bot):
    """Whoever is called: each number does something else."""

    async def take(self, line) -> None:
        self.lines.append(line)
        self._changed.set()
        match line.number[-1]:
            case "1":
                line.reject(486 if len(self.of("1")) == 1 else 603)
            case "2":
                line.reject(404)
            case "3":
                await line.answer()
                machine = "You have reached the voicemail of Peter. Please leave a message."
                await self.play(line, speak(machine, 8000))
                await line.over(30)
            case _:
                await line.answer()
                await self.play(line, speak("Hello?", 8000))
                await self.answer_and_leave(line)

    def of(self, last: str) -> list:
        return [line for line in self.lines if line.number[-1] == last]

    async def play(self, line, sound) -> None:
        line.say(np.concatenate([np.zeros(4000, np.int16), sound]))
        for _ in range(len(sound) // 160):
            await line.listen()

    async def answer_and_leave(self, line) -> None:
        loud = quiet = 0
        while (loud < 10 or quiet < 40) and (blocks := await line.listen()):
            for pcm, _ in blocks:
                talks = abs(pcm.astype(int)).max() > 500
                loud, quiet = loud + talks, 0 if talks else quiet + 1
            line.say(np.zeros(round(line.wanted * line.rate), np.int16))
        line.hang_up()


@pytest.mark.needs_flite
async def test_a_list_is_called_and_resumed(models, station, tmp_path):
    house = House(0)
    there = await station(house.take)
    trunk = local_trunk(port=there.local[0].port, transport="udp")
    listed = [Person(f"+33{n}", f"P{n}", {"city": "Lyon"}) for n in range(4)]
    listed.append(Person("+44", "abroad"))
    agent = Agent(greeting="Hello {memory.name} from {memory.city}.")
    seen: list[str] = []
    options = Options(concurrency=4, ring_time=5, retries=Retries(attempts=2, busy=0.1))
    async with phone(agent, models, trunks=[trunk], policy=ALWAYS) as made:
        for _ in range(2):  # the second time there is nothing left to do
            with Results(tmp_path / "results.csv") as results:
                plan = Plan(listed, results.rows, options.retries)
                campaign = Campaign(
                    made.phone, plan, results, options, lambda p: seen.append(str(p.running))
                )
                tally = await asyncio.wait_for(campaign.run(), 60)
        for conversation, _ in made.begun:
            if conversation.call.reason == "they hung up":
                said = conversation.call.transcript.replies[0].heard
                assert said == "Hello P0 from Lyon."
    assert tally == Counter({
        Status.ANSWERED: 1, Status.REFUSED: 1, Status.UNKNOWN: 1, Status.VOICEMAIL: 1,
        Status.FORBIDDEN: 1,
    })  # fmt: skip
    assert sorted(line.number for line in house.lines) == ["+330", "+331", "+331", "+332", "+333"]
    last = {entry["number"]: entry for entry in written(tmp_path / "results.csv")}
    assert last["+331"]["attempt"] == "2"
    assert last["+332"]["code"] == "404"
    assert last["+333"]["reason"] == "voicemail"
    assert float(last["+330"]["seconds"]) > 1
    assert seen


async def test_stopping_lets_those_under_way_end(models, station, tmp_path):
    callee = Bot(500)
    there = await station(callee.take)
    trunk = local_trunk(port=there.local[0].port, transport="udp")
    async with phone(Agent(), models, trunks=[trunk], policy=ALWAYS) as made:
        with Results(tmp_path / "r.csv") as results:
            plan = Plan(people(3), results.rows)
            campaign = Campaign(made.phone, plan, results, Options(concurrency=1))
            running = asyncio.create_task(campaign.run())
            await callee.until(lambda: callee.heard)
            campaign.stop()
            await callee.hears(0.5)
            assert not running.done()
            callee.lines[0].hang_up()
            await asyncio.wait_for(running, 20)
            assert plan.waiting == 2
            # Cancelled is another matter: it hangs up, and whoever it was is called again.
            campaign = Campaign(made.phone, plan, results, Options(concurrency=1))
            running = asyncio.create_task(campaign.run())
            await callee.until(lambda: len(callee.lines) == 2)
            await callee.until(lambda: callee.lines[1].answered)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            assert await callee.lines[1].over(10)
            assert results.rows[-1].status is Status.CALLING
            again = Plan(people(3), results.rows)
            assert [again.take(0.0).number for _ in range(2)] == ["101", "102"]


async def test_no_campaign_without_a_policy(models, tmp_path):
    for policy in (None, Policy(numbers=("1*",)), Policy(hours=(time(9), time(17)))):
        async with phone(Agent(), models, policy=policy) as made:
            with (
                Results(tmp_path / "r.csv") as results,
                pytest.raises(PhoneError, match="needs a policy"),
            ):
                Campaign(made.phone, Plan(people(1)), results)


async def test_nobody_is_called_at_night(models, tmp_path):
    now = datetime.now(UTC)
    policy = Policy(numbers=("1*",), hours=(time.min, time.max), days=((now.weekday() + 3) % 7,))
    async with phone(Agent(), models, policy=policy) as made:
        with Results(tmp_path / "r.csv") as results:
            plan = Plan(people(2))
            campaign = Campaign(made.phone, plan, results)
            running = asyncio.create_task(campaign.run())
            await asyncio.sleep(0.1)
            assert plan.waiting == 2
            assert not results.rows
            campaign.stop()
            await asyncio.wait_for(running, 5)


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="1 to 200"):
        Options(concurrency=0)
