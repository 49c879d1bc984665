"""The opening of a call: who has answered, that a machine speaks, and whether it may record."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vivavoce.agent import Call, NoAnswer, yes_no
from vivavoce.agent.events import CallerPartial, CallerSaid
from vivavoce.agent.languages import base
from vivavoce.agent.phrases import DISCLOSURE, MAY_RECORD, phrase
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.transport import OnJoining, PhoneTransport
from vivavoce.phone.voicemail import Answerer, Voicemail
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.tasks import Tasks

log = logging.getLogger("vivavoce")

TICK = 0.05
"""Seconds between two looks at who has answered."""
LOOKS = 400
"""Most looks: 20 s. The detector decides long before, while our clock runs."""

HELLO = 2.0
"""Seconds after it is known that a person has answered until their "hello?" is understood."""

Sentence = bool | str | Mapping[str, str]
"""A sentence of ours in the call's language (True), one in every language, or one for each
language; False is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What is done with who answers a call of ours, before the agent speaks.

    Attributes:
        message: Left on a voicemail, after its beep; "" hangs up at once.
        beep: Seconds to wait for the beep; then it is spoken anyway.
    """

    message: str = ""
    beep: float = 25.0


@dataclass(frozen=True, slots=True)
class Manners:
    """What callers are told and asked before anything else.

    Attributes:
        disclosure: That a machine speaks.
        consent: Whether the call may be recorded; False: it is recorded unasked.
        record_joined: Whether the recording goes on when the caller is joined with somebody: True
            without asking them, False never; None: where `consent` is asked and they say yes to
            it, too, in the briefing of a warm transfer.
    """

    disclosure: Sentence = False
    consent: Sentence = False
    record_joined: bool | None = None

    def __post_init__(self) -> None:
        for name in ("disclosure", "consent"):
            given = getattr(self, name)
            if isinstance(given, Mapping) and not given:
                raise ValueError(f"{name}: give a sentence for at least one language")


class Opening:
    """What comes before a call's greeting.

    Args:
        transport: Carries it.
        manners: What is told and asked.
        recording: Where it is recorded; None: nowhere.
        screen: What is done with who answers; None for calls that came in.
    """

    def __init__(
        self,
        transport: PhoneTransport,
        manners: Manners,
        recording: Path | None,
        screen: Screen | None = None,
    ) -> None:
        self._transport = transport
        self._manners = manners
        self._recording = recording
        self._screen = screen
        self._verdict: asyncio.Task[Answerer] | None = None
        self._tasks = Tasks()
        if recording is not None and not manners.consent:
            transport.record(recording, bool(manners.record_joined))

    @property
    def needed(self) -> bool:
        """Whether there is anything to do before the greeting."""
        asks = self._recording is not None and bool(self._manners.consent)
        return asks or bool(self._manners.disclosure) or self._screen is not None

    async def run(self, call: Call[Any]) -> bool:
        """Do it; return whether the agent may greet."""
        asks = self._recording is not None and bool(self._manners.consent)
        if self._screen is not None:
            with call.aside():
                if not await self._passes(call, self._screen):
                    return False
                hello = self._tasks.spawn(_heard_out(call), "hello")
                await asyncio.sleep(0)
            if asks:
                await hello  # it is no answer to what is asked next
        telling = None
        text = _sentence(self._manners.disclosure, DISCLOSURE, call.language)
        if text:
            # Queued before anything else is, and cannot be cut.
            telling = self._tasks.spawn(self._tell(call, text), "disclosure")
            await asyncio.sleep(0)
        if self._recording is not None and self._manners.consent:
            if telling is not None:
                await telling
            await self._ask(call, self._recording)
        return not call.ended

    async def answered_by(self, call: Call[Any]) -> Answerer:
        """Wait until it shows who has answered; asked again, it says the same."""
        if self._verdict is None:
            self._verdict = self._tasks.spawn(answered_by(call, self._transport.line), "who it is")
        return await asyncio.shield(self._verdict)

    async def close(self) -> None:
        """Stop, whatever is under way; idempotent."""
        await self._tasks.close()

    # -- inside

    async def _tell(self, call: Call[Any], text: str) -> None:
        """Say that a machine speaks; note it once it was heard."""
        if (await call.say(text, interruptible=False)).heard and call.disclosed is None:
            call.disclosed = call.now

    async def _ask(self, call: Call[Any], recording: Path) -> None:
        """Ask whether it may be recorded, and record after a yes only."""
        question = _sentence(self._manners.consent, MAY_RECORD, call.language)
        try:
            with call.aside():
                call.consent = await call.ask(question, yes_no(), retries=1)
        except NoAnswer:
            call.consent = False
        if call.consent and not call.ended:
            self._transport.record(recording, self._on_joining())

    def _on_joining(self) -> OnJoining:
        if self._manners.record_joined is not None:
            return self._manners.record_joined
        return partial(_sentence, self._manners.consent, MAY_RECORD)

    async def _passes(self, call: Call[Any], screen: Screen) -> bool:
        """Let a person on; leave a machine a message, or nothing."""
        line, beeped = self._transport.line, asyncio.Event()
        listener = Voicemail(0.0)
        listener.verdict = Answerer.MACHINE  # it only listens for the beep

        def heard(pcm: Int16, rate: int) -> None:
            listener.sound(pcm, rate, 0.0)
            if listener.beeped is not None:
                beeped.set()

        with line.sounds(heard):
            who = await self.answered_by(call)
            if who is Answerer.HUMAN:
                return True
            if who is Answerer.MACHINE and screen.message and not line.ended:
                try:
                    async with asyncio.timeout(screen.beep):
                        await beeped.wait()
                except TimeoutError:
                    log.info("%r: no beep came: speaking anyway", line)
                await self._leave(call, screen.message)
                return False
        reason = "voicemail" if who is Answerer.MACHINE else "nobody said anything"
        await call.hang_up(reason, after_speech=False)
        return False

    async def _leave(self, call: Call[Any], message: str) -> None:
        disclosure = _sentence(self._manners.disclosure, DISCLOSURE, call.language)
        if disclosure:
            await self._tell(call, disclosure)
        await call.say(message, interruptible=False)
        await call.hang_up("a message was left on voicemail")


async def _heard_out(call: Call[Any]) -> None:
    """Leave the caller's "hello?" aside, also where it is understood a little later.

    Who has said it is greeted, not answered.
    """
    with call.aside(), contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HELLO), aclosing(aiter(call)) as events:
            async for event in events:
                if isinstance(event, CallerSaid):
                    break


async def answered_by(call: Call[Any], line: TelephoneLine) -> Answerer:
    """Wait until it shows who has answered a call of ours: some three seconds at most."""
    detector = Voicemail(0.0)
    # The time is the sound's own: a moment in which we were too busy to listen is no pause.
    now = 0.0

    def heard(pcm: Int16, rate: int) -> None:
        nonlocal now
        now += len(pcm) / rate
        detector.sound(pcm, rate, now)

    async def follow() -> None:
        async for event in call:
            if isinstance(event, CallerPartial):
                detector.words(event.text, now)

    following = asyncio.create_task(follow(), name="who has answered")
    try:
        with line.sounds(heard):
            for _ in range(LOOKS):
                if detector.tick(now) is not None or await line.over(TICK):
                    break
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    log.info("%r: answered by %s: %s", line, detector.verdict, detector.why)
    return detector.verdict or Answerer.NOBODY


def _sentence(given: Sentence, ours: dict[str, str], language: str) -> str:
    if given is True:
        return phrase(ours, language)
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        return given.get(language) or given.get(base(language)) or next(iter(given.values()))
    return ""
