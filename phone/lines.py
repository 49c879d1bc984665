"""What every telephone line can, whatever brought the call here: SIP, or a PBX's own protocol."""

from __future__ import annotations

import abc
import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator

from vivavoce.phone.board import Direction
from vivavoce.phone.media.session import Statistics
from vivavoce.phone.sip.decisions import Outcome
from vivavoce.phone.sip.leg import CallError
from vivavoce.phone.sip.uri import Uri
from vivavoce.pipelines.audio.convert import Int16

STILL = 5.0
"""Seconds without a block of audio, which comes by our own clock, after which it is a defect."""
KEPT = 150
"""Blocks of the caller's audio that wait to be taken (3 s); the oldest are dropped beyond."""


class TelephoneLine(abc.ABC):
    """One telephone call, from its first ring to its last sample.

    All methods belong to one event loop. Every method is safe at any time; once the call is over
    it does nothing, or says so.

    Attributes:
        direction: Who called.
        trunk: The trunk's name, or that of the way in; "" for a phone of our own.
        number: The number or user that is called.
        caller: The number or user that calls, as it was told to us: anybody may tell anything.
        display: The caller's name, as told.
        user: The phone of our own that calls, proved; "" over a trunk.
        call_id: What the signalling calls it, for logs.
        dropped: Blocks of the caller's audio that nobody took in time.
    """

    def __init__(self, *, direction: Direction, trunk: str) -> None:
        self.direction = direction
        self.trunk = trunk
        self.number = self.caller = self.display = self.user = self.call_id = ""
        self.dropped = 0
        self._blocks: deque[tuple[Int16, int]] = deque(maxlen=KEPT)
        self._news = asyncio.Event()  # set whenever something a waiter looks at has changed
        self._came = asyncio.Event()  # audio of the caller's came, or the end
        self._on_key: list[Callable[[str], None]] = []
        self._on_sound: list[Callable[[Int16, int], None]] = []
        self._on_refer: list[Callable[[Uri], None]] = []

    def __repr__(self) -> str:
        state = "ended" if self.ended else "up" if self.answered else "ringing"
        return f"<{type(self).__name__} {self.direction.value} {self.call_id[:12]} {state}>"

    # -- how it stands

    @property
    @abc.abstractmethod
    def answered(self) -> bool:
        """Whether both sides may speak, or could until it ended."""

    @property
    @abc.abstractmethod
    def ended(self) -> bool:
        """Whether it is over."""

    @property
    def held(self) -> bool:
        """Whether the far end has put us on hold: what is said is to wait."""
        return False

    @property
    @abc.abstractmethod
    def farewell(self) -> str:
        """Why it ended, for people; empty while it goes on."""

    @property
    @abc.abstractmethod
    def rate(self) -> int:
        """Sample rate of what is heard and said now (Hz)."""

    @property
    @abc.abstractmethod
    def wanted(self) -> float:
        """Seconds of speech that are to be said now, lest the next packet be silence.

        Never more than a packet and a hair: what waits cannot be taken back.
        """

    @property
    def packet(self) -> float:
        """Seconds of audio in each packet that is sent."""
        return 0.02

    def statistics(self) -> Statistics | None:
        """Return the figures of its media; None where there are none."""
        return None

    # -- its course

    @abc.abstractmethod
    async def answer(self) -> bool:
        """Take the call; return whether it stands."""

    @abc.abstractmethod
    def reject(self, code: int = 603) -> None:
        """Refuse a call that came in; `code` is a SIP status."""

    @abc.abstractmethod
    def hang_up(self, why: str = "") -> None:
        """End it, whatever its state; idempotent."""

    async def hold(self) -> bool:
        """Put the far end on hold; return whether it took that."""
        return False

    async def resume(self) -> bool:
        """Take the far end back from hold; return whether it took that."""
        return False

    async def transfer(self, target: str, *, within: float = 180.0) -> Outcome:
        """Ask the far end to call somebody else instead, and wait for how it went.

        Raises:
            CallError: The call does not stand, or this kind of line cannot.
        """
        del target, within
        raise CallError("this line cannot be handed over: join both with mode='bridge'")

    def report_transfer(self, status: int) -> None:
        """Tell the far end, which asked us to call somebody, how it went (a SIP status)."""
        del status  # only SIP's can ask

    async def over(self, within: float | None = None) -> bool:
        """Wait until the call is over; return False if it is not `within` so many seconds."""
        try:
            await self._until(lambda: self.ended, within)
        except TimeoutError:
            return False
        return True

    # -- sound

    async def listen(self) -> list[tuple[Int16, int]]:
        """Wait for what the caller says: blocks of 20 ms (int16), each with its rate (Hz).

        They come by our clock, silence included, also while the call is on hold. Usually it is
        one; more when whoever listens was late. Empty once the call is over.

        Raises:
            TimeoutError: None came for long: the call is not answered, or our clock stands.
        """
        if not self._blocks and not self.ended:
            self._came.clear()
            async with asyncio.timeout(STILL):
                await self._came.wait()
        if self.ended:
            return []
        blocks = list(self._blocks)
        self._blocks.clear()
        return blocks

    @abc.abstractmethod
    def say(self, pcm: Int16) -> None:
        """Queue audio to send (int16 at `rate`); `wanted` says how much is worth giving."""

    @property
    def behind(self) -> float:
        """Seconds of its reserve that were sent, because nobody said anything in time."""
        return 0.0

    def reserve(self, pcm: Int16) -> None:
        """Keep what will be said next (int16 at `rate`), in place of what was kept.

        It is sent if our event loop stalls and nobody comes to say it: see `behind`.
        """
        del pcm  # a line without a thread of its own stalls with us

    def skip(self, pcm: Int16) -> None:
        """Take it that these samples were said: they were sent out of the reserve."""
        del pcm

    @abc.abstractmethod
    async def said(self, within: float = 0.5) -> None:
        """Wait until what was queued has left."""

    @contextlib.contextmanager
    def sounds(self, told: Callable[[Int16, int], None]) -> Iterator[None]:
        """Have a function told each block that is heard (20 ms, int16) and its rate (Hz)."""
        self._on_sound.append(told)
        try:
            yield
        finally:
            self._on_sound.remove(told)

    # -- keys

    @abc.abstractmethod
    def press(self, keys: str) -> None:
        """Press keys.

        Raises:
            ValueError: A character is no key.
        """

    @contextlib.contextmanager
    def keys(self, told: Callable[[str], None]) -> Iterator[None]:
        """Have a function told each key that the caller presses, within a `with` block."""
        self._on_key.append(told)
        try:
            yield
        finally:
            self._on_key.remove(told)

    @contextlib.contextmanager
    def refers(self, told: Callable[[Uri], None]) -> Iterator[None]:
        """Have a function told whom the far end wants us to call instead.

        It answers by `report_transfer`. Where nobody listens it is refused (603).
        """
        self._on_refer.append(told)
        try:
            yield
        finally:
            self._on_refer.remove(told)

    async def collect(
        self,
        count: int = 0,
        *,
        until: str = "#",
        first: float = 10.0,
        between: float = 4.0,
    ) -> str:
        """Collect the keys that the caller presses.

        Args:
            count: Most keys; 0 for any number.
            until: The key that ends them, and is not among them; "" for none.
            first: Seconds to wait for the first key.
            between: Seconds to wait for each other one.

        Returns:
            What was pressed by then; "" if nothing was.
        """
        queue: asyncio.Queue[str] = asyncio.Queue()
        pressed = ""
        with self.keys(queue.put_nowait):
            while not self.ended and (not count or len(pressed) < count):
                try:
                    async with asyncio.timeout(between if pressed else first):
                        key = await queue.get()
                except TimeoutError:
                    break
                if key == until:
                    break
                pressed += key
        return pressed

    # -- for those who carry it

    def _take(self, pcm: Int16) -> None:
        """Take a block of what the caller says."""
        self.dropped += len(self._blocks) == KEPT
        self._blocks.append((pcm, self.rate))
        for told in list(self._on_sound):
            told(pcm, self.rate)
        self._came.set()

    def _pressed(self, key: str) -> None:
        for told in list(self._on_key):
            told(key)

    async def _until(self, condition: Callable[[], bool], within: float | None) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._news.clear()
                await self._news.wait()
