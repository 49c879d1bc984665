"""A campaign: many people called, each by an agent.

`Plan` decides whom to call next, `Campaign` calls them; `people` reads the list, and `results`
keeps what came of each call.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from vivavoce.agent import Call
from vivavoce.phone.exposure import PhoneError
from vivavoce.phone.opening import Screen
from vivavoce.phone.people import Person
from vivavoce.phone.phone import Phone
from vivavoce.phone.policy import Policy, Retries
from vivavoce.phone.results import Results, Row, Status
from vivavoce.phone.station import DialError
from vivavoce.phone.voicemail import Answerer

ANSWERING = 30.0
"""Seconds that it may take to find out who has answered."""


_STATUS = {486: Status.BUSY, 600: Status.BUSY, 408: Status.NO_ANSWER, 480: Status.NO_ANSWER,
           487: Status.NO_ANSWER, 603: Status.REFUSED, 403: Status.REFUSED, 404: Status.UNKNOWN,
           410: Status.UNKNOWN, 484: Status.UNKNOWN, 604: Status.UNKNOWN}  # fmt: skip


class Plan:
    """Decides whom to call next. Pure; the time is seconds on one clock.

    Args:
        people: Everybody.
        rows: What has happened before.
        retries: Who is called again, and when.
        retry_voicemail: Whether a machine counts as nobody having answered.
    """

    def __init__(
        self,
        people: Iterable[Person],
        rows: Iterable[Row] = (),
        retries: Retries | None = None,
        *,
        retry_voicemail: bool = False,
    ) -> None:
        self._retries = retries or Retries()
        self._retry_voicemail = retry_voicemail
        self.people = {person.number: person for person in people}
        self.last: dict[str, Row] = {}
        for row in rows:
            if row.number in self.people:
                self.last[row.number] = row
        self._running: set[str] = set()
        self._queue: list[tuple[float, int, str]] = []
        for index, number in enumerate(self.people):
            if self._again(self.last.get(number)) is not None:
                # Before a crash somebody may have waited for a retry: a new start is late enough.
                self._queue.append((0.0, index, number))
        self._count = len(self.people)

    @property
    def finished(self) -> bool:
        """Whether everybody was called, and nobody is to be called again."""
        return not self._queue and not self._running

    @property
    def due(self) -> float | None:
        """When the next one may be called; None: nobody waits."""
        return self._queue[0][0] if self._queue else None

    @property
    def running(self) -> int:
        """How many are being called."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many are to be called, again or for the first time, and are not being called."""
        return len(self._queue)

    def attempt(self, person: Person) -> int:
        """Return which call to somebody the next one is, from 1."""
        last = self.last.get(person.number)
        return last.attempt + 1 if last is not None else 1

    def take(self, now: float) -> Person | None:
        """Return who is to be called now; they count as being called."""
        if not self._queue or self._queue[0][0] > now:
            return None
        number = heapq.heappop(self._queue)[2]
        self._running.add(number)
        return self.people[number]

    def put_back(self, person: Person, now: float, wait: float) -> None:
        """Nobody was called: the policy wants it later."""
        self._running.discard(person.number)
        self._push(person.number, now + wait)

    def ended(self, row: Row, now: float) -> float | None:
        """Take what came of a call; return in how many seconds they are called again, or None."""
        self._running.discard(row.number)
        self.last[row.number] = row
        wait = self._again(row)
        if wait is not None:
            self._push(row.number, now + wait)
        return wait

    def tally(self) -> Counter[Status]:
        """Count what came of the last call to each."""
        return Counter(row.status for row in self.last.values())

    def _push(self, number: str, due: float) -> None:
        self._count += 1
        heapq.heappush(self._queue, (due, self._count, number))

    def _again(self, row: Row | None) -> float | None:
        """Return how long to wait before somebody is called (again); None: never again."""
        if row is None:
            return 0.0
        match row.status:
            case Status.ANSWERED | Status.REFUSED | Status.UNKNOWN | Status.FORBIDDEN:
                return None
            case Status.CALLING:  # cut off by a crash: once more, but not for ever
                return 0.0 if row.attempt <= self._retries.attempts else None
            case Status.VOICEMAIL:
                return self._retries.after(408, row.attempt) if self._retry_voicemail else None
            case Status.SILENT:
                return self._retries.after(408, row.attempt)
            case _:
                # 0: it did not come as far as the trunk, as when too many calls are under way.
                return self._retries.after(row.code or 503, row.attempt)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How people are called.

    Attributes:
        concurrency: Most calls at once.
        agent: Who calls; "" is the first agent.
        trunk: Over which trunk; "" is the first one.
        caller: The number shown.
        ring_time: Seconds until it is given up.
        screen: What is done with machines.
        retries: Who is called again, and when.
        retry_voicemail: Whether somebody whose machine answered is called again.
    """

    concurrency: int = 3
    agent: str = ""
    trunk: str = ""
    caller: str = ""
    ring_time: float = 30.0
    screen: Screen = field(default_factory=Screen)
    retries: Retries = field(default_factory=Retries)
    retry_voicemail: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 200:
            raise ValueError(f"concurrency={self.concurrency}: 1 to 200 calls at once")


def check_policy(policy: Policy) -> None:
    """Refuse a policy that does not say whom a campaign may call, and when.

    Raises:
        PhoneError: It does not.
    """
    if not policy.numbers or policy.hours is None:
        raise PhoneError(
            "a campaign needs a policy that says whom it may call and when: give `numbers` and"
            " `hours` in [policy] (and `days`, `zone`, `per_minute`)"
        )


class Campaign:
    """Calls everybody of a list.

    Args:
        phone: Who calls. Its policy names numbers and hours.
        plan: Whom to call.
        results: Where it is noted.
        options: How.
        told: Told after each change.

    Raises:
        PhoneError: The policy does not say whom it may call and when.
    """

    def __init__(
        self,
        phone: Phone,
        plan: Plan,
        results: Results,
        options: Options | None = None,
        told: Callable[[Plan], None] = lambda _plan: None,
    ) -> None:
        check_policy(phone.policy)
        self._phone, self._plan, self._results = phone, plan, results
        self._options = options or Options()
        self._told = told
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin no more calls; those under way go on to their ends."""
        self._stopping.set()

    async def run(self) -> Counter[Status]:
        """Call until everybody was called, or it is stopped; return what came of it.

        Cancelled, calls under way are hung up; resumed, it calls those people again.
        """
        tasks: set[asyncio.Task[None]] = set()
        stopping = asyncio.create_task(self._stopping.wait(), name="campaign is stopped")
        try:
            while not self._plan.finished:
                now = time.monotonic()
                while (
                    not self._stopping.is_set()
                    and len(tasks) < self._options.concurrency
                    and (person := self._plan.take(now)) is not None
                ):
                    self._begin(person, now, tasks)
                if self._stopping.is_set() and not tasks:
                    break
                due = self._plan.due
                wait = None
                if due is not None and len(tasks) < self._options.concurrency:
                    wait = max(0.02, due - time.monotonic())
                waiting = tasks if self._stopping.is_set() else {*tasks, stopping}
                done, _ = await asyncio.wait(
                    waiting, timeout=wait, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done & tasks:
                    tasks.discard(task)
                    task.result()
        finally:
            stopping.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)
        return self._plan.tally()

    # -- inside

    def _begin(self, person: Person, now: float, tasks: set[asyncio.Task[None]]) -> None:
        wait = self._phone.wait(person.number)
        if wait is None:
            attempt = self._plan.attempt(person)
            self._end(Row(person.number, person.name, Status.FORBIDDEN, attempt))
        elif wait > 0:
            self._plan.put_back(person, now, wait)
        else:
            task = asyncio.create_task(self._call(person), name=f"call {person.number}")
            tasks.add(task)

    def _end(self, row: Row) -> None:
        self._results.write(row)
        self._plan.ended(row, time.monotonic())
        self._told(self._plan)

    async def _call(self, person: Person) -> None:
        options, attempt = self._options, self._plan.attempt(person)
        began, start = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()

        def row(status: Status, **more: Any) -> Row:
            seconds = round(time.monotonic() - start, 1)
            return Row(
                person.number, person.name, status, attempt, began=began, seconds=seconds, **more
            )

        self._results.write(row(Status.CALLING))
        self._told(self._plan)
        try:
            call = await self._phone.dial(
                person.number,
                agent=options.agent,
                trunk=options.trunk,
                caller=options.caller,
                ring_time=options.ring_time,
                screen=options.screen,
                memory=person.memory,
            )
        except DialError as error:
            status = _STATUS.get(error.code, Status.FAILED)
            if error.code == 0 and self._phone.wait(person.number) is None:
                status = Status.FORBIDDEN
            self._end(row(status, code=error.code, reason=str(error)))
            return
        try:
            async with asyncio.timeout(ANSWERING):
                who = await self._phone.answered_by(call)
        except TimeoutError:
            who = Answerer.NOBODY
        try:
            async with aclosing(aiter(call)) as events:
                async for _ in events:
                    pass
        except asyncio.CancelledError:
            # No row: it is cut off, and a campaign that is resumed calls them again.
            await call.hang_up("the campaign was ended", after_speech=False)
            raise
        status = {
            Answerer.HUMAN: Status.ANSWERED,
            Answerer.MACHINE: Status.VOICEMAIL,
            Answerer.NOBODY: Status.SILENT,
        }[who]
        self._end(row(status, reason=call.reason, call=call.id, memory=_noted(call, person)))


def _noted(call: Call[Any], person: Person) -> str:
    """Return what the agent noted in a call, beside what it was told before."""
    told = {key: str(value) for key, value in person.memory.items()}
    noted = {key: value for key, value in call.memory.items() if told.get(key) != value}
    return json.dumps(noted, ensure_ascii=False) if noted else ""
