"""The store: a database, a place of recordings, and what keeps them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.records import (
    PATIENCE,
    Bucket,
    Claimed,
    Found,
    NotHeldError,
    Query,
    Recording,
    RecordsError,
    RefusedError,
    scarce,
)
from vivavoce.web.store_beats import LEASE, Watch
from vivavoce.web.store_calendar import Calendar
from vivavoce.web.store_database import Database, Held
from vivavoce.web.store_journal import Journal, compose
from vivavoce.web.store_recordings import Recordings, is_name
from vivavoce.web.store_redaction import Redaction
from vivavoce.web.store_rows import check_stretches, cursor, limit, lost

log = logging.getLogger("vivavoce")

ROUND = 30.0
"""Seconds between two looks at calls that are lost, and at what could not be done."""
BEAT = 1.0
"""Seconds between two signs of life, and two looks at those of others."""
LOOK = 0.25
"""Seconds between two looks at a call that is to be taken over."""
SILENT = 120.0
"""Seconds after which a call whose server nobody heard of is over."""
HOUR = 3600.0
"""Seconds between two purges."""
_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between attempts to write
_MOST = 10_000  # calls whose records wait for a database


class Store:
    """Records and recordings. Implements `vivavoce.web.records.Records`.

    Args:
        database: Where records are kept.
        recordings: Where recordings are kept; None: calls are not recorded.
        spool: A folder on this machine where recordings grow until their call is over; needed
            with `recordings`.
        redaction: What is taken out of records; `Redaction()` unless given.
        days: Days that a call is kept; None: for ever.
        upkeep: Look after old and lost calls: for servers, not for one look.
        now: Gives the time of day (s since 1970), which may jump.
        clock: Gives the time that passes (s), which does not: whether a server lives goes by it.

    Attributes:
        owner: Our name, as the owner of calls; new for each store.
        written: How often a record was written.
        lost: Records that cannot be kept.
        on_taken: Told of each call of ours that another server has taken over.

    Raises:
        ValueError: There are recordings and no spool, or `days` is not more than 0.
    """

    def __init__(
        self,
        database: Database,
        recordings: Recordings | None = None,
        spool: Path | None = None,
        *,
        redaction: Redaction | None = None,
        days: float | None = None,
        upkeep: bool = True,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if recordings is not None and spool is None:
            raise ValueError("recordings need a spool: a folder where they grow")
        if days is not None and not days > 0:
            raise ValueError(f"days = {days:g}: give how long calls are kept, more than 0")
        self.database, self.recordings = database, recordings
        self.redaction = redaction or Redaction()
        self.days = days
        self._spool = spool if recordings is not None else None
        self._upkeep, self._now, self._clock = upkeep, now, clock
        self.owner = secrets.token_hex(8)
        self.on_taken: list[Callable[[str], None]] = []
        self._journal = Journal(self.redaction)
        self._watch = Watch()
        self._calendar = Calendar(now(), clock())
        self._gone: set[str] = set()  # calls that are another's now
        self._tasks = Tasks()
        self._waiting: dict[str, Mapping[str, Any]] = {}
        self._live: set[str] = set()
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = False
        self._keeping: set[str] = set()
        self.written = self.lost = 0

    @property
    def folder(self) -> Path | None:
        """Where recordings grow; None where calls are not recorded."""
        return self._spool

    @property
    def waiting(self) -> int:
        """How many calls' records wait to be written."""
        return len(self._waiting)

    async def check(self) -> None:
        """Find out whether a record could be written now.

        Raises:
            RecordsError: It could not.
        """
        await self.database.mark("")  # which writes, though there is no such call
        if self._spool is not None and not await asyncio.to_thread(os.access, self._spool, os.W_OK):
            raise RecordsError(f"{self._spool} cannot be written to")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Make everything ready."""
        if self._open:
            return
        try:
            await self.database.open()
            if self.recordings is not None and self._spool is not None:
                await self.recordings.open()
                await asyncio.to_thread(self._spool.mkdir, 0o700, parents=True, exist_ok=True)
        except OSError as error:
            await self.database.close()
            raise RecordsError(f"cannot make {self._spool}: {error.strerror}") from error
        except BaseException:
            await self.database.close()
            raise
        self._open = True
        self._tasks.spawn(self._write(), "write records")
        if self._upkeep:
            self._tasks.spawn(self._keep_up(), "upkeep of records")
            self._tasks.spawn(self._live_on(), "signs of life")

    def put(self, record: Mapping[str, Any]) -> None:
        """Take a record."""
        call = str(record.get("call", ""))
        if call in self._gone:
            return
        if record.get("live"):
            self._live.add(call)
        else:
            self._live.discard(call)
        waiting = self._waiting.get(call)
        if waiting is not None and record.get("live") and not waiting.get("live"):
            return  # what is over does not go on
        if waiting is None and len(self._waiting) >= _MOST:
            self.lost += 1
            log.error("the record of call %s is lost: %d wait for the database", call, _MOST)
            return
        self._waiting[call] = record
        self._idle.clear()
        self._more.set()

    def spool(self, call: str) -> Path | None:
        """Return where to record."""
        return None if self._spool is None else self._spool / f"{call}.wav"

    async def keep(self, call: str) -> None:
        """Take a recording."""
        if call in self._gone:
            return
        try:
            await self._take(call)
        except (RecordsError, MemoryError, RuntimeError) as error:
            waits = str(error) if isinstance(error, RecordsError) else scarce(error)
            if not waits:
                raise
            log.warning("the recording of call %s waits: %s", call, waits)

    async def flush(self) -> None:
        """Wait until all is written."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._idle.wait()
        except TimeoutError:
            raise RecordsError(f"{len(self._waiting)} records wait for the database") from None

    async def get(self, call: str) -> dict[str, Any] | None:
        """Return a record."""
        found = compose(await self.database.get(call))
        if found is not None:
            found.pop("revival", None)  # for those who go on with it alone
        return found

    async def claim(self, digest: str, within: float) -> Claimed:
        """Take a call over."""
        held = await self.database.held(digest)
        if held is None:
            raise NotHeldError("no_call", "there is no call to come back to: begin another")
        away = max(0.0, self._now() - max(held.beat, held.touched))
        if self._watch.lived(held.owner):
            # Who has looked on needs no clock that may have been set since.
            away = self._watch.quiet(held.owner, held.beat, self._clock())
        if not held.live or away > within + LEASE:
            raise NotHeldError("over", "the call is over: begin another")
        asked = self._clock()
        if not await self._claim(held, digest):
            raise NotHeldError("elsewhere", "another server carries the call: try again")
        record = compose(await self.database.get(held.call))
        if record is None:
            raise NotHeldError("no_call", "there is no call to come back to: begin another")
        self._gone.discard(held.call)
        self._live.add(held.call)
        self._journal.forget(held.call)
        return Claimed(record, away + self._clock() - asked)

    async def _claim(self, held: Held, digest: str) -> bool:
        """Make a call ours once its owner has not been heard of for long enough."""
        if held.owner == self.owner:
            return False
        quiet = self._watch.quiet(held.owner, held.beat, self._clock()) if held.owner else LEASE
        while quiet < LEASE:
            await asyncio.sleep(min(LOOK, LEASE - quiet))
            quiet += LOOK
            if await self.database.held(digest) != held:
                return False
        return await self.database.claim(held, self.owner, self._now())

    async def release(self, call: str) -> None:
        """Let go of a call that was claimed and is not carried."""
        self._live.discard(call)
        self._waiting.pop(call, None)
        await self.database.release(call, self.owner)

    async def search(self, query: Query) -> Found:
        """Return calls."""
        entries = await self.database.search(query)
        most = limit(query)
        more = len(entries) > most
        return Found(entries[:most], cursor(entries[most - 1]) if more else "")

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str = ""
    ) -> list[Bucket]:
        """Return latencies over time."""
        check_stretches(since, until, bucket)
        return await self.database.percentiles(since, until, bucket, agent)

    async def recording(self, call: str) -> Recording | None:
        """Return what is known of a recording."""
        return None if self.recordings is None else await self.recordings.find(call)

    async def stream(
        self, call: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read a recording."""
        if self.recordings is None:
            raise RecordsError("there is no such recording: calls are not recorded here")
        async for data in self.recordings.stream(call, start, end):
            yield data

    async def forget(self, caller: str) -> int:
        """Delete a caller's calls."""
        await self.flush()
        return await self._remove(list(await self.database.over(caller=caller)))

    async def delete(self, call: str) -> bool:
        """Delete a call."""
        await self.flush()
        return bool(await self._remove(list(await self.database.over(call=call))))

    async def purge(self, before: datetime) -> int:
        """Delete old calls, and recordings of which nothing else is left."""
        stamp = before.timestamp()
        count = await self._remove(list(await self.database.over(before=stamp)))
        if self.recordings is not None:
            await self.recordings.purge(stamp)
        return count

    async def close(self) -> None:
        """Write what waits, and let go."""
        if not self._open:
            return
        self._open = False
        try:
            if self._waiting or not self._idle.is_set():
                await self.flush()
        except RecordsError as error:
            log.error("records are lost: %s", error)  # noqa: TRY400 (it says all there is)
        finally:
            await self._tasks.close()
            with contextlib.suppress(RecordsError):
                await self.database.forget_owners([self.owner])
            await self.database.close()
            if self.recordings is not None:
                await self.recordings.close()

    # Inside.

    async def _write(self) -> None:
        """Write what is put, each call's newest record."""
        failures = 0
        while True:
            if not self._waiting:
                self._idle.set()
                self._more.clear()
                await self._more.wait()
            call = next(iter(self._waiting))
            record = self._waiting.pop(call)
            try:
                step = await asyncio.to_thread(self._journal.step, record)
                outcome = await self.database.write(step, self.owner, self._now())
                if outcome == "kept":
                    self._journal.written(step)
                elif outcome == "taken":
                    self._lose(call)
            except RefusedError:
                self._journal.forget(call)
                self.lost += 1
                log.exception("the record of call %s cannot be kept", call)
            except Exception as error:  # one bad record must not stop those after it
                self._journal.forget(call)  # it may stand there, for all we know
                waits = str(error) if isinstance(error, RecordsError) else scarce(error)
                if not waits:
                    self.lost += 1
                    log.exception("the record of call %s cannot be kept", call)
                    continue
                if not failures:
                    log.warning("records wait: %s", waits)
                if call not in self._waiting or not record.get("live"):
                    self._waiting[call] = record
                await asyncio.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
                failures += 1
            else:
                self.written += 1
                if failures:
                    log.info("records are written again")
                failures = 0

    def _lose(self, call: str) -> None:
        """A call is another server's: nothing more is written of it here."""
        if call in self._gone:
            return
        log.warning("call %s: another server has taken it over", call)
        self._gone.add(call)
        self._live.discard(call)
        self._waiting.pop(call, None)
        self._journal.forget(call)
        for told in self.on_taken:
            told(call)

    async def _take(self, call: str) -> None:
        path = self.spool(call)
        if path is None or self.recordings is None or call in self._keeping:
            return
        self._keeping.add(call)
        try:
            if not await asyncio.to_thread(path.is_file):
                return
            await self.recordings.keep(call, path)
            await self.flush()
            if not await self.database.mark(call):  # deleted meanwhile, or never begun
                await self.recordings.remove([call])
        finally:
            self._keeping.discard(call)

    async def _remove(self, calls: list[str]) -> int:
        """Delete calls; recordings first: what a record leads to can be found once more."""
        if calls:
            if self.recordings is not None:
                await self.recordings.remove(calls)
                await asyncio.to_thread(self._unspool, calls)
            await self.database.remove(calls)
        return len(calls)

    def _unspool(self, calls: list[str]) -> None:
        for call in filter(is_name, calls):
            path = self.spool(call)
            if path is not None:
                path.unlink(missing_ok=True)

    async def _live_on(self) -> None:
        failed = False
        while True:
            try:
                await self.beat()
                failed = False
            except RecordsError as error:
                if not failed:
                    log.warning("no sign of life can be given: %s", error)
                failed = True
            await asyncio.sleep(BEAT)

    async def beat(self) -> None:
        """Give a sign of life, look at those of others, and whether calls of ours were taken over.

        A server does it by itself every second.

        Raises:
            RecordsError: The database cannot be reached. Nobody is silent then, for all we know.
        """
        try:
            if self._live:
                await self.database.beat(self.owner, self._now())
                for call in await self.database.taken(sorted(self._live), self.owner):
                    self._lose(call)
            self._watch.look(await self.database.beats(), self._clock())
        except RecordsError:
            self._watch.clear()
            raise

    async def _keep_up(self) -> None:
        due = self._clock()
        while True:
            try:
                purge = self._clock() >= due
                await self.look_after(purge=purge)
                due = self._clock() + HOUR if purge else due
            except RecordsError as error:
                log.warning("records are not looked after: %s", error)
            await asyncio.sleep(ROUND)

    async def look_after(self, *, purge: bool = True) -> None:
        """End calls whose server is lost, take up what lies in the spool.

        A server does it by itself every half minute, and purges when it begins and every hour.

        Args:
            purge: Delete what is older than `days`.

        Raises:
            RecordsError: Something cannot be reached.
        """
        await self.beat()
        silent = self._watch.silent(SILENT, self._clock())
        for owner in silent:
            if owner != self.owner:
                await self._end(owner)
        await self.database.forget_owners([each for each in silent if each != self.owner])
        if self._spool is not None:
            left = await asyncio.to_thread(self._left, self._spool, self._now() - SILENT)
            going = set(await self.database.going(left)) if left else set()
            for call in left:
                if call not in going:
                    await self._take(call)
        if purge and self.days is not None:
            await self._purge()

    async def _end(self, owner: str) -> None:
        """End the calls of a server that is lost."""
        for call in await self.database.of(owner):
            record = compose(await self.database.get(call))
            if record is not None:
                log.warning("call %s: its server was lost", call)
                step = await asyncio.to_thread(Journal(self.redaction).step, lost(record))
                await self.database.write(step, owner, self._now())

    async def _purge(self) -> None:
        assert self.days is not None
        today = self._calendar.today(self._now(), self._clock())
        before = datetime.fromtimestamp(today, UTC) - timedelta(days=self.days)
        count = await self.purge(before)
        if count:
            log.info("%d calls were older than %g days and are deleted", count, self.days)

    def _left(self, spool: Path, before: float) -> list[str]:
        """Return recordings that nobody writes any more, and nobody has taken."""
        return [
            path.stem
            for path in spool.glob("*.wav")
            if path.stem not in self._live and path.stat().st_mtime < before
        ]
