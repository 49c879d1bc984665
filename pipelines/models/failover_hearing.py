"""Failover of live transcription: several transcribers as one, for the length of a call.

All audio without a final text is kept here, beside what each transcriber keeps for its own
reconnections. When one is lost, refuses, or leaves a flush without an answer, the next is opened
and that audio sent to it, with the flushes where they stood: no word is lost, and since nothing
that has its final text is sent again, none is doubled. The call stays with it; later calls begin
with the first one that the breakers let them. One that stands behind the first is asked without
the call's wishes where it does not take them: plain words are better than none.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Hearing, HearingListener
from vivavoce.pipelines.models.succession import Failover, Provider, Succession
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.endpointing import TurnEvent

log = logging.getLogger("vivavoce")

BYTES_PER_SECOND = 16_000 * 2
KEEP = 120 * BYTES_PER_SECOND
"""Bytes of audio (int16, 16 kHz) without a final text that are kept: 2 min, a long monologue."""
GRACE = 0.5
"""Seconds beyond a transcriber's own time-out for a final text before the next one is asked."""

MakeHearing = Callable[[Wishes], Hearing]


class Journal:
    """What has no final text yet: audio, and the numbers of flushes where they stand. Pure."""

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._entries: deque[bytes | int] = deque()
        self._size = 0
        self._mark: int | None = None

    def __len__(self) -> int:
        """Bytes of audio that are kept."""
        return self._size

    @property
    def entries(self) -> tuple[bytes | int, ...]:
        """Audio and flushes, in order."""
        return tuple(self._entries)

    @property
    def owed(self) -> list[int]:
        """The flushes without an answer, oldest first."""
        return [entry for entry in self._entries if isinstance(entry, int)]

    def audio(self, pcm: bytes) -> None:
        """Take audio; beyond the bound the oldest is given up, but never a flush."""
        self._entries.append(pcm)
        self._size += len(pcm)
        while self._size > self._keep:
            place = next(i for i, each in enumerate(self._entries) if isinstance(each, bytes))
            gone = self._entries[place]
            del self._entries[place]
            assert isinstance(gone, bytes)
            self._size -= len(gone)

    def flush(self, number: int) -> None:
        """A final text is asked for."""
        self._entries.append(number)

    def turn_ended(self, seconds_ago: float) -> None:
        """The transcriber's view: the turn (maybe) ended so far behind the newest audio."""
        self._mark = max(0, self._size - round(seconds_ago * BYTES_PER_SECOND))

    def settle(self, number: int) -> None:
        """A segment has its final text.

        Where nobody flushed it, the transcriber ended it of itself: what lies before the end of
        the turn that it told is finished; all of it, if it told none.
        """
        if number in self.owed:
            while (entry := self._pop()) != number:
                assert entry is not None
            self._mark = None
            return
        left = self._size if self._mark is None else self._mark
        while left > 0 and self._entries and isinstance(entry := self._entries[0], bytes):
            if len(entry) > left:
                break
            left -= len(entry)
            self._pop()
        self._mark = None

    def _pop(self) -> bytes | int | None:
        entry = self._entries.popleft() if self._entries else None
        if isinstance(entry, bytes):
            self._size -= len(entry)
            if self._mark is not None:
                self._mark = max(0, self._mark - len(entry))
        return entry


class _Side:
    """One transcriber's view of whoever listens; deaf once another has taken its place."""

    def __init__(self, owner: FailoverHearing, hearing: Hearing, offset: int) -> None:
        self.hearing = hearing
        self.offset = offset
        self._owner = owner

    @property
    def _live(self) -> bool:
        return self._owner.serving is self

    def on_partial(self, segment: int, text: str) -> None:
        if self._live:
            self._owner.partial(segment + self.offset, text)

    def on_final(self, segment: int, text: str) -> None:
        if self._live:
            self._owner.final(segment + self.offset, text)

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        if self._live:
            self._owner.turn(kind, seconds_ago)

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        if self._live:
            self._owner.trouble(error, lost=lost)


class FailoverHearing:
    """One call's transcription by whoever can. Implements `Hearing`."""

    def __init__(
        self,
        succession: Succession[MakeHearing],
        *,
        wishes: Wishes | None = None,
        final: float = 2.5,
    ) -> None:
        """Prepare it.

        Args:
            succession: Makers of transcribers, which the calls of a process share.
            wishes: What is asked of them.
            final: Seconds that a transcriber gives itself for a final text.
        """
        self._succession = succession
        self._order = succession.order
        self._wishes = wishes or Wishes()
        self._plain: set[int] = set()
        self._final = final + GRACE
        self._journal = Journal()
        self._listener: HearingListener | None = None
        self._tasks = Tasks()
        self._tried: set[int] = set()
        self._index = 0
        self._current = 0
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False
        self._lost: ModelError | None = None
        self._ready = False
        self._sides: list[_Side] = []
        self.serving: _Side | None = None
        self.told: served.Listener | None = None
        """Told who takes over, and from what; set it before it is opened."""

    @property
    def provider(self) -> str:
        """Who transcribes now, for records."""
        return self._succession.providers[self._index].name

    @property
    def backlog(self) -> float:
        """Seconds of audio that were taken and not sent yet."""
        return 0.0 if self.serving is None else self.serving.hearing.backlog

    async def open(self, listener: HearingListener) -> None:
        """Begin; returns at once and connects behind the scenes."""
        if self._listener is None and not self._closed:
            self._listener = listener
            step = self._order.next(set(), self._succession.now())
            await self._take_over(0 if step is None else step.index)

    def send(self, pcm: bytes) -> None:
        """Take int16 mono audio at 16 kHz."""
        self._journal.audio(pcm)
        if self.serving is not None and self._ready:
            self.serving.hearing.send(pcm)

    def flush(self) -> int:
        """Ask for the final text of what was sent since the last flush; return its number."""
        if self._lost is not None:
            self._switch(self._lost)
        number = self._current
        if self.serving is not None and self._ready:
            number = self.serving.hearing.flush() + self.serving.offset
        self._journal.flush(number)
        self._current = number + 1
        if self._watch is None:
            self._wait_for(number)
        return number

    async def close(self) -> None:
        """End it; idempotent."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        self.serving = None
        await self._tasks.close()
        sides, self._sides = self._sides, []
        await asyncio.gather(*(side.hearing.close() for side in sides), return_exceptions=True)

    # -- what the one that serves tells

    def partial(self, segment: int, text: str) -> None:
        """It understands something."""
        if text:
            self._sound()
        if self._listener is not None:
            self._listener.on_partial(segment, text)

    def final(self, segment: int, text: str) -> None:
        """It has a final text."""
        if text:
            self._sound()
        self._journal.settle(segment)
        self._current = max(self._current, segment + 1)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if owed := self._journal.owed:
            self._wait_for(owed[0])
        if self._listener is not None:
            self._listener.on_final(segment, text)

    def turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """It has a view of the caller's turn."""
        if kind in {"eager_end", "end"}:
            self._journal.turn_ended(seconds_ago)
        if self._listener is not None:
            self._listener.on_turn(kind, seconds_ago)

    def trouble(self, error: ModelError, *, lost: bool) -> None:
        """It fails."""
        index = self._index
        if index and error.kind == "refused" and self._wishes.special and index not in self._plain:
            self._plain.add(index)
            self._replace(index, error)
            return
        if (lost or error.lasting) and self._switch(error):
            return
        if lost:
            self._lost = error
        if self._listener is not None:
            self._listener.on_trouble(error, lost=lost)

    def _sound(self) -> None:
        self._tried.clear()
        self._lost = None
        self._order.breakers[self._index].succeeded()

    # -- who serves

    def _switch(self, error: ModelError) -> bool:
        """Have another one take over; return whether there is one."""
        now = self._succession.now()
        self._order.breakers[self._index].failed(error, now)
        self._tried.add(self._index)
        step = self._order.next(self._tried, now)
        # One that rests is no better than the present one, which goes on trying.
        if self._closed or step is None or not self._order.breakers[step.index].ready(now):
            self._tried.clear()
            return False
        self._replace(step.index, error)
        return True

    def _replace(self, index: int, error: ModelError) -> None:
        side, self.serving, self._ready, self._lost = self.serving, None, False, None
        self._index = index
        if side is not None:
            self._tasks.spawn(side.hearing.close(), "close a transcriber")
        log.warning(
            "%s; %s transcribes instead, from %.1f s ago",
            error,
            self._succession.providers[index].name,
            len(self._journal) / BYTES_PER_SECOND,
        )
        if self.told is not None:
            self.told("hearing", self.provider, error)
        self._tasks.spawn(self._take_over(index), "another transcriber")

    async def _take_over(self, index: int) -> None:
        """Open a transcriber and send it all that has no final text."""
        self._index = index
        self._order.breakers[index].begin()
        owed = self._journal.owed
        side = _Side(
            self,
            self._succession.providers[index].model(
                Wishes() if index in self._plain else self._wishes
            ),
            min(owed, default=self._current),
        )
        self.serving = side
        self._sides.append(side)
        await side.hearing.open(side)
        if self.serving is not side:
            return
        # All at once: what is said while it opened is in the journal, too.
        self._ready = True
        for entry in self._journal.entries:
            if isinstance(entry, bytes):
                side.hearing.send(entry)
            else:
                side.hearing.flush()
        if owed:
            self._wait_for(owed[0])

    def _wait_for(self, number: int) -> None:
        """Look later whether a flush was answered."""
        if self._watch is not None:
            self._watch.cancel()
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(self._final, self._look, number)

    def _look(self, number: int) -> None:
        self._watch = None
        if self._closed or number not in self._journal.owed:
            return
        if self.backlog:
            self._wait_for(number)  # it is still being told what it is to answer
            return
        told = f"gave no final text in {self._final:g} s"
        error = self._succession.error(self._index, "timeout", told)
        if not self._switch(error):
            self._wait_for(number)  # nobody is left: its own time-outs settle what is owed


class HearingLine(Failover[MakeHearing]):
    """Transcribers in the order of preference: makes a call's, and remembers who failed.

    Args:
        providers: Makers of transcribers, in the order of preference.
        final: Seconds that a transcriber gives itself for a final text.
        now: The clock (s).

    Raises:
        ValueError: If there is none.
    """

    stage = "hearing"

    def __init__(
        self,
        providers: Sequence[Provider[MakeHearing]],
        *,
        final: float = 2.5,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(providers, now=now)
        self._final = final

    def __call__(self, wishes: Wishes) -> Hearing:
        """Make a call's transcription."""
        return FailoverHearing(self._succession, wishes=wishes, final=self._final)
