"""A station: the telephone lines of one process, their sockets and their limits; no agents."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Self

from vivavoce.phone.board import Direction
from vivavoce.phone.exposure import (
    Exposure,
    PhoneError,
    guard,
    listener,
    loopback_trunk,
    own_address,
)
from vivavoce.phone.line import PhoneLine
from vivavoce.phone.media.thread import MediaLoop, MediaThread, SameLoop
from vivavoce.phone.sip import decisions as sip
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import Address, Decision
from vivavoce.phone.sip.leg import CallState
from vivavoce.phone.sip.refresh import SessionTimer
from vivavoce.phone.sip.session import LocalMedia
from vivavoce.phone.sip.transport import LookUp as Asking
from vivavoce.phone.sip.transport import Transports
from vivavoce.phone.sip.trunk import Trunk, formats
from vivavoce.phone.sip.ua import UserAgent
from vivavoce.phone.sip.uri import Uri
from vivavoce.pipelines.load import Gate
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

DRAIN = 2.0
"""Seconds that far ends are given to acknowledge our goodbyes."""
HANDLER = 10.0
"""Seconds that whoever answers calls is given to end, once they are hung up."""

Answering = Callable[[PhoneLine], Awaitable[None]]
"""Takes a call that rings: it answers or rejects the line, and returns when done with it."""


class DialError(RuntimeError):
    """A call of ours did not come about.

    Attributes:
        code: The SIP status: 486 busy, 408 no answer, 603 declined, 404 no such number, 503 the
            trunk is out of order; 0 when it was not tried.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Station:
    """The telephone lines of one process.

    Use it as an async context manager, on the event loop of its calls. It rings each call that
    comes in and gives it to `answer`; when that returns, the call is hung up. Leaving the block
    hangs up every call and says goodbye to registrars.

    Args:
        answer: Takes the calls that come in; None refuses them (480).
        trunks: Where calls come from and go to; none: this machine alone.
        exposure: How it is reached.
        look_up: Answers questions of DNS; by default as the system is configured.
        gate: Measures whether one more call fits, beside `max_calls`; the station does not start
            it. One that comes in when none does is told so (503 with Retry-After).

    Raises:
        PhoneError: The configuration does not hold together, or lets anybody in.

    Attributes:
        registered: For each trunk that registers, whether it is registered now.
    """

    def __init__(
        self,
        answer: Answering | None = None,
        *,
        trunks: Sequence[Trunk] = (),
        exposure: Exposure | None = None,
        look_up: Asking | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate
        self._exposure = exposure or Exposure()
        guard(self._exposure, trunks)
        if not trunks and not self._exposure.phones:
            trunks = (loopback_trunk(),)
        names = [trunk.name for trunk in trunks]
        if len(set(names)) != len(names):
            raise PhoneError(f"two trunks have one name: {', '.join(names)}")
        self._answer = answer
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._lines: dict[Call, PhoneLine] = {}
        self._tasks = Tasks()
        self._changed = asyncio.Event()
        self._wire = Transports(
            self._news,
            look_up=look_up or _look_up(),
            server_tls=self._exposure.server_tls,
            client_tls=self._exposure.client_tls,
        )
        self._ua: UserAgent | None = None
        self._media: MediaLoop = MediaThread() if self._exposure.media_thread else SameLoop()
        self._closing = False
        self.registered = {trunk.name: False for trunk in trunks if trunk.register}
        self.refusals: dict[str, tuple[int, str]] = {}

    @property
    def local(self) -> list[Address]:
        """Where it listens, once it is open."""
        return list(self._wire.local)

    @property
    def lines(self) -> list[PhoneLine]:
        """The calls that are not over."""
        return list(self._lines.values())

    @property
    def refused(self) -> Mapping[str, int]:
        """Calls that came in and were refused, by why: busy, closing, trunk_full."""
        return {} if self._ua is None else dict(self._ua.refused)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Listen, and register where a trunk wants it.

        Raises:
            PhoneError: An address cannot be bound, or a trunk needs a listener of its kind.
        """
        places = [listener(text) for text in self._exposure.listen]
        try:
            await self._wire.open(places)
            local = [self._seen(mine) for mine in self._wire.local]
            self._ua = UserAgent(
                local,
                self._trunks.values(),
                phones=dict(self._exposure.phones) or None,
                realm=self._exposure.realm,
                max_calls=self._exposure.max_calls,
                full=self._no_room,
                session_timer=SessionTimer(self._exposure.session_timer),
            )
        except OSError as error:
            where = ", ".join(self._exposure.listen)
            raise PhoneError(f"cannot listen on {where}: {error.strerror or error}") from error
        except ValueError as error:
            await self._wire.close()
            raise PhoneError(str(error)) from error
        self._wire.attach(self._ua)
        self._media.start()

    async def drain(self, wait: float) -> None:
        """Take no new calls (503, also for a proxy's OPTIONS), and wait for those there are to end.

        Calls of ours can still be made: somebody may be put through. Cancelling it stops the wait.

        Args:
            wait: Seconds that calls may go on.
        """
        if self._ua is not None:
            self._ua.rest()
        deadline = time.monotonic() + wait
        while self._lines and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody is in a hurry
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Hang up every call, unregister and close every socket; idempotent."""
        if self._closing:
            return
        self._closing = True
        if self._ua is not None:
            ua = self._ua
            self.do(ua.close)
            deadline = time.monotonic() + DRAIN
            while (ua.unanswered or ua.calls) and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.02)
        deadline = time.monotonic() + HANDLER
        while len(self._tasks) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await self._tasks.close()
        for line in self.lines:
            await line.close()
        await self._media.stop()
        await self._wire.close()

    async def dial(
        self,
        number: str,
        *,
        trunk: str = "",
        caller: str = "",
        display: str = "",
        ring_time: float = 60.0,
    ) -> PhoneLine:
        """Call somebody, and wait until they answer.

        Cancelling it hangs up. Whoever called this owns the line: hang it up.

        Args:
            number: A number or user, or a whole SIP URI (which goes to the trunk all the same).
            trunk: The trunk's name; the first one if "".
            caller: The number or user shown.
            display: The name shown.
            ring_time: Seconds until it is given up.

        Raises:
            DialError: Nobody answered, or it could not be tried.
            PhoneError: There is no such trunk.
        """
        name = trunk or next(iter(self._trunks), "")
        if name not in self._trunks:
            known = ", ".join(self._trunks) or "none"
            raise PhoneError(f"there is no trunk {trunk!r} to dial over; known: {known}")
        ua = self._ua
        if ua is None or self._closing:
            raise DialError(0, "the telephone is not open")
        line = PhoneLine(self, direction=Direction.OUT, trunk=name)
        line.number, line.caller = number, caller or self._trunks[name].user
        line.display = display
        try:
            media = await line.open()
            target: str | Uri = number
            if number.startswith(("sip:", "sips:", "tel:")):
                target = Uri.parse(number)
            call, decided = ua.dial(
                name,
                target,
                media,
                time.monotonic(),
                caller=caller,
                display=display,
                ring_time=ring_time,
            )
        except (OSError, ValueError) as error:
            await line.close()
            raise DialError(0, f"{number}: {error}") from error
        line.attach(call)
        self._lines[call] = line
        if self._gate is not None:
            self._gate.begin()
        self._wire.do(decided)
        stands = False
        try:
            # The user agent gives up by itself; this is for a defect in it.
            async with asyncio.timeout(ring_time + 80.0):
                while not (line.answered or line.end):
                    self._changed.clear()
                    await self._changed.wait()
            stands = line.end is None
        finally:
            if not stands:
                line.hang_up()
        if line.end is not None:
            raise DialError(line.end.code, f"{number}: {line.end.reason}")
        return line

    async def registration(self, trunk: str, within: float = 30.0) -> bool:
        """Wait until a trunk's registration went well or was refused; return whether it stands."""
        self.refusals.pop(trunk, None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self.registered.get(trunk) and trunk not in self.refusals:
                    self._changed.clear()
                    await self._changed.wait()
        return self.registered.get(trunk, False)

    # -- what lines ask for

    @property
    def signalling(self) -> UserAgent:
        """The user agent."""
        if self._ua is None:
            raise PhoneError("the telephone is not open")
        return self._ua

    @property
    def media(self) -> MediaLoop:
        """Where media run."""
        return self._media

    @property
    def media_host(self) -> str:
        """Where RTP ports are bound."""
        return self._wire.local[0].host

    @property
    def ports(self) -> range:
        """Where they are taken from."""
        return self._exposure.rtp

    @property
    def silence_limit(self) -> float:
        """Seconds without a packet of the far end's after which the call is over."""
        return self._exposure.silence_limit

    def do(self, decide: Callable[[float], list[Decision]]) -> None:
        """Have the user agent decide at this moment, and carry it out."""
        self._wire.do(decide(time.monotonic()))

    def media_for(self, line: PhoneLine, port: int) -> LocalMedia:
        """Return what is offered on a line whose RTP port is `port`."""
        trunk, exposure = self._trunks.get(line.trunk), self._exposure
        host = self._seen(self._wire.local[0]).host
        if trunk is None:
            return LocalMedia(host, port, formats(exposure.codecs), srtp=exposure.srtp)
        return LocalMedia(trunk.public or host, port, trunk.formats, srtp=trunk.srtp)

    def uri(self, line: PhoneLine, number: str) -> Uri:
        """Return the URI of a number or user, on the line's trunk."""
        trunk = self._trunks.get(line.trunk)
        if trunk is not None:
            return trunk.uri(number)
        return Uri("sip", number, self._seen(self._wire.local[0]).host)

    # -- what happens

    def _seen(self, mine: Address) -> Address:
        """Return an address of ours as the far ends must write it."""
        address = ipaddress.ip_address(mine.host)
        public = self._exposure.public
        if public and ipaddress.ip_address(public).version == address.version:
            return Address(mine.transport, public, mine.port)
        if address.is_unspecified:
            return Address(mine.transport, own_address(address.version), mine.port)
        return mine

    def _no_room(self) -> bool:
        """Whether what is measured leaves no room for a call that comes in."""
        why = "" if self._gate is None else self._gate.full()
        if why:
            log.warning("a call is refused: %s", why)
        return bool(why)

    def _news(self, news: Decision) -> None:
        match news:
            case sip.Incoming():
                self._incoming(news.call)
            case sip.Registered():
                self.registered[news.trunk] = news.expires > 0
                log.info("trunk %s: registered for %d s", news.trunk, news.expires)
            case sip.RegistrationFailed():
                self.registered[news.trunk] = False
                self.refusals[news.trunk] = (news.code, news.reason)
                log.warning(
                    "trunk %s: not registered: %d %s; trying again in %.0f s",
                    news.trunk,
                    news.code,
                    news.reason,
                    news.retry,
                )
            case _:
                call = getattr(news, "call", None)
                line = self._lines.get(call) if call is not None else None
                if line is not None:
                    line.take(news)
                    if isinstance(news, sip.Ended):
                        del self._lines[news.call]
                        if self._gate is not None:
                            self._gate.end()
                        self._tasks.spawn(line.close(), "close a line")
        self._changed.set()

    def _incoming(self, call: Call) -> None:
        line = PhoneLine(self, direction=Direction.IN, trunk=call.trunk or "")
        line.attach(call)
        self._lines[call] = line
        if self._gate is not None:
            self._gate.begin()
        self._tasks.spawn(self._serve(line, call), f"call {line.call_id[:12]}")

    async def _serve(self, line: PhoneLine, call: Call) -> None:
        """Have somebody take a call, and see that it ends."""
        try:
            if self._answer is None:
                line.reject(480)
                return
            line.ring()
            await self._answer(line)
        except Exception:
            # Shown here, with the call; the caller is not left ringing.
            log.exception("%r: whoever took the call failed", line)
            line.reject(500)
        finally:
            if call.state is CallState.SETUP:
                line.reject(480)
            line.hang_up()


def _look_up() -> Asking:
    """Return what asks DNS.

    Raises:
        PhoneError: dnspython is not installed.
    """
    try:
        from vivavoce.phone.dns import LookUp
    except ImportError:
        raise PhoneError(
            "the telephone needs its packages: pip install 'vivavoce[phone]'"
        ) from None
    return LookUp()
