"""A seat: one participant of an interpreted session, on one transport."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
from pipecat.frames.frames import Frame, InputAudioRawFrame
from pipecat.processors.frame_processor import FrameDirection

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.events import CallEnded, CallStarted, SegmentChanged
from vivavoce.agent.interpreter import Interpreter, Original
from vivavoce.agent.reason import LONGEST
from vivavoce.agent.segment import Segment
from vivavoce.pipelines import running
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.frames import CallerTurnFrame
from vivavoce.pipelines.interpret.aside import Aside
from vivavoce.pipelines.interpret.ear import RATE, Ear
from vivavoce.pipelines.interpret.guard import Guard
from vivavoce.pipelines.interpret.outlet import Beneath, Outlet
from vivavoce.pipelines.interpret.piece import Voices
from vivavoce.pipelines.interpret.speakers import Speakers
from vivavoce.pipelines.lag import LoopLag
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.observing import logs
from vivavoce.pipelines.stage import Context, Stage
from vivavoce.pipelines.transport import Transport
from vivavoce.pipelines.turns.playout import Block

BLOCK = 0.02
"""Seconds of a block of silence."""


class Booth(Stage):
    """The stage of a seat's pipeline: what the participant says and writes goes to the seat."""

    def __init__(self, context: Context, seat: Seat) -> None:
        super().__init__(context, "Booth")
        self._seat = seat
        self._resampler: Resampler | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take audio and typed turns; hand everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case InputAudioRawFrame():
                self._seat.hear(self._mono(frame))
            case CallerTurnFrame():
                if self._seat.ear is not None:
                    self._seat.ear.typed(frame.text)
            case _:
                await self.push_frame(frame, direction)

    def _mono(self, frame: InputAudioRawFrame) -> Samples:
        pcm: Samples = np.frombuffer(frame.audio, np.int16)
        if frame.num_channels > 1:
            pcm = pcm.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
        if frame.sample_rate == RATE:
            return pcm
        if self._resampler is None or self._resampler.source_rate != frame.sample_rate:
            self._resampler = Resampler(frame.sample_rate, RATE, aligned=False)
        return self._resampler.feed(pcm)


class Seat:
    """One participant: speaks, hears the others translated, or both. Implements `Talk`.

    It owns its ear, the ear owns its lanes; a session connects them: another's
    `ear.lane(language).outlet()` is given to `listen`, and their voice to `beneath`.

    Args:
        interpreter: How it is to be done.
        models: With what.
        transport: What carries the call.
        speaks: The participant's language; "" where it is either of the interpreter's two; None
            where they only listen.
        hears: The language that they hear.
        name: Names the speaker in segments.
        call_id: Names the call; made up if None.
        caller: Who calls, where that is known.
        called: What they called, likewise.
        clock: The session's clock; one of its own if None.
        began: When the session began, on that clock (s): all times of all its participants count
            from there; when this call begins, if None.
        voices: Whose voice speaks for this participant; the interpreter's if None.
        drain: Seconds at most in which, once the participant has left, what they had said is
            still translated and spoken to the others.
        simulated: Whether time is simulated.

    Attributes:
        name: Names the speaker in segments.
        call: The call's public face: events, transcript with segments, ledger, usage.
        clock: Stamps everything.
        context: The call, its clock and its books.
        ear: What hears the participant; None where they only listen.
        on_segment: Told of each segment of this participant's that is new or has changed: `note`
            of this seat, and whatever a session adds.
        on_voice: Given what the participant says, as it comes: int16 mono samples, and their rate
            (Hz).
        speakers: Who agrees that their voice is copied (`Speakers.agree`), and how far that is;
            None where nobody's is, or the session does it itself.
        playout: How long after its arrival sound is heard, as the client says (s).
        worker: The pipecat worker beneath.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        models: Models,
        transport: Transport,
        *,
        speaks: str | None,
        hears: str,
        name: str = "A",
        call_id: str | None = None,
        caller: str = "",
        called: str = "",
        clock: Clock | None = None,
        began: float | None = None,
        voices: Voices | None = None,
        drain: float = 0.0,
        simulated: bool = False,
    ) -> None:
        self.interpreter = interpreter
        self.name = name
        self.clock = clock or Clock()
        self.call: Call[Any] = Call(
            interpreter.facade(hears),
            call_id or secrets.token_hex(6),
            caller=caller,
            called=called,
        )
        self.call.models = dict(models.names)
        self._own_time = began is None
        self.context = Context(
            self.call, self.clock, self.clock.now() if began is None else began, self._trouble
        )
        self.on_segment: list[Callable[[Segment], None]] = [self.note]
        self.on_voice: list[Callable[[Samples, int], None]] = []
        self.playout = 0.0
        self.ear: Ear | None = None
        self.speakers: Speakers | None = None
        if speaks is not None and interpreter.copies and voices is None:
            voices = self.speakers = Speakers(interpreter, models.speaking, self.now)
            self.call.copies = self.speakers.records
        self._guard = Guard(models.speaking.rate)
        if speaks is not None:
            self.ear = Ear(
                self.context,
                interpreter,
                models,
                speaker=name,
                language=speaks,
                changed=self._tell,
                voices=voices,
            )
            self.ear.echoes = self._guard.repeats
        self._transport = transport
        self._rate = models.speaking.rate
        self._outlets: list[Outlet] = []
        self._beneath: dict[Seat, Beneath] = {}
        self._drain = drain
        self._aside = Aside(self.context, models.speaking, transport, self.hang_up)
        self._lag = None if simulated else LoopLag()
        self._noted: set[int] = set()
        self._over = self._leaving = ""
        self.worker = running.make_worker(
            [transport.input(), Booth(self.context, self), transport.output()], self._rate
        )

    # For the session.

    def listen(self, outlet: Outlet) -> None:
        """Hear an outlet from now on, mixed with whatever else is heard."""
        if outlet not in self._outlets:
            self._outlets.append(outlet)

    def unlisten(self, outlet: Outlet) -> None:
        """Hear it no more; idempotent. The outlet itself is left to its lane (`Lane.leave`)."""
        if outlet in self._outlets:
            self._outlets.remove(outlet)

    def beneath(self, speaker: Seat, original: Original | None = None) -> None:
        """Hear a speaker's own voice beneath the translation.

        Args:
            speaker: Whose.
            original: How; as the interpreter says if None. "full" for who speaks the language
                that is heard here: there is no translation to lower it for.
        """
        self.unhear(speaker)
        heard = Beneath(self._rate, original or self.interpreter.original)
        self._beneath[speaker] = heard
        speaker.on_voice.append(heard.feed)

    def unhear(self, speaker: Seat) -> None:
        """Hear a speaker's own voice no more; idempotent."""
        heard = self._beneath.pop(speaker, None)
        if heard is not None and heard.feed in speaker.on_voice:
            speaker.on_voice.remove(heard.feed)

    def set_original(self, original: Original) -> None:
        """Hear the own voices of all who are heard beneath in another way from now on."""
        for heard in self._beneath.values():
            heard.original = original

    def note(self, segment: Segment) -> None:
        """Enter a segment that is new or has changed into this seat's call."""
        if self.call.ended:
            return
        if id(segment) not in self._noted:
            self._noted.add(id(segment))
            self.call.transcript.add(segment)
        if segment.state == "speaking":
            self._guard.said(segment.translation)
        self.context.emit(SegmentChanged(self.context.at, segment))

    # For the pipeline.

    def hear(self, pcm: Samples) -> None:
        """Take what the participant says (int16 mono, 16 kHz)."""
        if self._leaving:
            pcm = np.zeros_like(pcm)  # or who goes on speaking would never have left
        for heard in list(self.on_voice):
            heard(pcm, RATE)
        if self.ear is not None:
            self.ear.feed(self._guard.filter(pcm, speaking=self.ear.speaking))

    # For the transport (`Carried`).

    @property
    def rate(self) -> int:
        """Sample rate of what `play` gives (Hz)."""
        return self._rate

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for: time must pass as it does."""
        return self.ear is not None and self.ear.busy

    @property
    def settled(self) -> bool:
        """Whether nobody speaks and nothing is being made."""
        spoken = not any(outlet.waiting for outlet in self._outlets)
        return spoken and self._aside.idle and (self.ear is None or self.ear.idle)

    @property
    def over(self) -> str:
        """Why the call is over; empty while it goes on."""
        if self._leaving and self.settled:
            self._over = self._over or self._leaving
        if not self._over and self.now() > self.interpreter.limits.call:
            self._over = LONGEST
        return self._over

    def fail(self, stage: str, message: str) -> None:
        """Note that something of the transport's failed; the call goes on."""
        self.context.fail(stage, message)

    async def play(self, count: int) -> Block:
        """Take the next `count` samples of what the participant hears."""
        aside = self._aside.pull(count)
        mixed: list[Samples] = [aside.samples] if aside.speaking else []
        translated = aside.speaking
        for outlet in self._outlets:
            samples = outlet.take(count)
            if outlet.speaking:
                translated = True
                mixed.append(samples)
        speech = _mix(mixed, count)
        self._guard.played(speech)
        for beneath in self._beneath.values():
            original = beneath.take(count, translated=translated)
            if original.any():
                mixed.append(original)
        if not self.call.ended:
            self.call.phase = "speaking" if translated else "listening"
        out = speech if len(mixed) == 0 else _mix(mixed, count)
        return Block(out, None, (), bool(mixed))

    def ahead(self, seconds: float) -> tuple[int, Samples]:
        """Return what `play` is going to give next of the translation, as far as is known.

        With it goes a count that changes when that becomes something else: it never does, since
        what is being spoken is not taken back.
        """
        count = round(seconds * self._rate)
        known = [outlet.peek(count) for outlet in self._outlets]
        longest = max(map(len, known), default=0)
        parts = [np.pad(each, (0, longest - len(each))) for each in known if len(each)]
        return 0, _mix(parts, longest)

    # For whoever serves the call (`Talk`).

    @property
    def agent(self) -> Agent[Any]:
        """The interpreter's facade."""
        return self.call.agent

    def now(self) -> float:
        """Return the seconds since the session began."""
        return self.context.at

    def use(self, agent: Agent[Any]) -> None:
        """Do nothing: an interpreter is not replaced in the middle of a session."""

    def note_heard(self) -> None:
        """Do nothing: segments tell by themselves how far they are."""

    async def hang_up(self, reason: str, *, after_speech: bool) -> None:
        """End the call, after what is being said where asked."""
        if after_speech:
            self._leaving = self._leaving or reason
        else:
            self._over = self._over or reason

    async def run(self) -> Call[Any]:
        """Carry the call to its end and return it.

        Cancelling it ends the call, with its recording whole; the cancellation goes on.

        Raises:
            RuntimeError: If the pipeline does not start.
        """
        logs.call_id.set(self.call.id)
        await running.run(self.worker, self._carry, self._end)
        return self.call

    async def _carry(self) -> str:
        if self._own_time:
            self.context.began = self.clock.now()
        self.call.connect(self._aside)
        self.context.emit(CallStarted(self.context.at, self.call.id))
        if self._lag is not None:
            self._lag.start()
        if self.ear is not None:
            await self.ear.open()
        return await self._transport.carry(self)

    async def _end(self, reason: str) -> None:
        await self._transport.close()
        if self.ear is not None:
            await self._drained(self.ear)
            await self.ear.close()
        if self.speakers is not None:
            self.speakers.close()
        for speaker in list(self._beneath):
            self.unhear(speaker)
        await self._aside.close()
        if self._lag is not None:
            self._lag.close()
            self.call.ledger.health.lag = self._lag.to_dict()
        self.call.emit(CallEnded(self.context.at, self._over or reason))
        await self.context.close()

    async def _drained(self, ear: Ear) -> None:
        """Have what was said translated to its end, for those who are still there."""
        until = self.clock.now() + self._drain
        while self.clock.now() < until and not ear.idle:
            # Silence, as it comes from a line on which nobody speaks: so a turn ends.
            ear.feed(np.zeros(round(RATE * BLOCK), np.int16))
            await asyncio.sleep(BLOCK)

    async def _trouble(self, error: ModelError | None) -> None:
        """A model server failed: it is noted; nobody is told aloud."""
        if error is not None:
            self.context.fail(error.stage, str(error), error.kind)

    def _tell(self, segment: Segment) -> None:
        for told in self.on_segment:
            told(segment)


def _mix(parts: list[Samples], count: int) -> Samples:
    """Return the sum of some sounds (int16), clipped."""
    if not parts:
        return np.zeros(count, np.int16)
    if len(parts) == 1:
        return parts[0]
    total = np.sum([part.astype(np.int32) for part in parts], axis=0)
    mixed: Samples = np.clip(total, -32_768, 32_767).astype(np.int16)
    return mixed
