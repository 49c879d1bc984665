"""Mouth: the stage that speaks.

Text comes in as it is written, is cut into clauses, and each clause is synthesised while the one
before plays. The transport takes the speech in small blocks at its own pace (`play`); what it
took is what the caller may have heard, and nothing else is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMTextFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from vivavoce.agent.events import AgentSaid, AgentStarted
from vivavoce.agent.ledger import Span, account
from vivavoce.agent.transcript import Reply
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.clauses import Clauses
from vivavoce.pipelines.frames import (
    CommitFrame,
    DropFrame,
    DuckFrame,
    HoldFrame,
    ReplyEndFrame,
    ReplyStartFrame,
    ReplyTextFrame,
    ResumeFrame,
)
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Speaking
from vivavoce.pipelines.speakable import Speakable, prepare, speakable
from vivavoce.pipelines.stage import Context, Noting, Stage
from vivavoce.pipelines.turns import heard
from vivavoce.pipelines.turns.playout import Block, Clause, Playout

log = logging.getLogger("vivavoce")

QUICK = 0.25
"""Seconds to the first audio up to which one word is enough for a first clause: the next clause
is there before it has been said. A slower synthesiser is given more at first, or there is a gap.
"""

RECENT = 1.2
"""Seconds of what was played that are kept, to know our own echo by."""
BEYOND = 3
"""Words behind a question up to which "yes" still answers it."""
CLOSE = 1.0
"""Seconds before the end of a question from which "yes" answers it: people do not wait for it."""


@dataclass(slots=True, eq=False)
class Speech:
    """A reply on its way to the caller.

    Attributes:
        reply: The reply.
        stopped: The caller's last voiced sample if it answers a turn (s).
        protected: The caller may not cut it.
        turn_spans: What deciding and transcribing the turn took.
        guess: The guess that it is made on; it is not played before that comes true.
        failed: Why it could not be spoken, found out while it was a guess.
        wordless: It is a sound, and enters no transcript.
        voice: Who speaks; stays the same to its end, whoever takes the call over.
        language: What is spoken, likewise.
        ended: All of its text was given.
        clauses: Cuts the text into clauses.
        cursor: How much of the text was cut.
        text_began: When its first text came (s).
        spans: What had to be done before that.
        places: Its clauses and where each stands in `reply.generated`, as (start, end).
        spoken: What is said for each clause.
        causes: What each clause's text and audio needed, in causal order.
        over: Set once it was played or cut.
    """

    reply: Reply
    stopped: float | None = None
    protected: bool = False
    turn_spans: tuple[Span, ...] = ()
    guess: int | None = None
    failed: ModelError | None = None
    wordless: bool = False
    voice: str | Speaker | None = None
    language: str = "en"
    ended: bool = False
    clauses: Clauses = field(default_factory=Clauses)
    cursor: int = 0
    text_began: float = 0.0
    spans: tuple[Span, ...] = ()
    places: dict[Clause, tuple[int, int]] = field(default_factory=dict)
    spoken: dict[Clause, Speakable] = field(default_factory=dict)
    causes: dict[Clause, tuple[Span, ...]] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Mouth(Stage):
    """Speaks: clauses, synthesis, playout, and what was heard of it."""

    def __init__(
        self,
        context: Context,
        speaking: Speaking,
        began: Callable[[], float | None],
    ) -> None:
        """Prepare it.

        Args:
            context: The call.
            speaking: Text to speech.
            began: Gives the first voiced sample of the speech that cuts a reply (s).
        """
        super().__init__(context, "Mouth")
        self._speaking = speaking
        self._began = began
        self._playout = Playout(speaking.rate)
        self._recent = Ring(round(speaking.rate * RECENT))
        self._speeches: list[Speech] = []
        self._jobs: dict[Clause, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(context.agent.speech.ahead)
        self._talking = False
        self._silent: float | None = None
        self._first_audio = QUICK
        self.delay = 0.0
        """How long after it was handed over speech is heard (s), where the line knows."""

    @property
    def rate(self) -> int:
        """Sample rate of what `play` gives (Hz)."""
        return self._playout.rate

    @property
    def idle(self) -> bool:
        """Whether nothing is being said or about to be."""
        return not self._speeches and self._playout.empty

    @property
    def sounding(self) -> bool:
        """Whether something is being said, or is on its way to be."""
        return not self._playout.empty

    @property
    def waiting(self) -> bool:
        """Whether audio that is due has not been synthesised yet."""
        return bool(self._jobs) or any(not speech.ended for speech in self._speeches)

    @property
    def interruptible(self) -> bool:
        """Whether something is being said, or about to be, that the caller may cut."""
        return any(not speech.protected and speech.guess is None for speech in self._speeches)

    def recent(self, seconds: float) -> NDArray[np.int16]:
        """Return the last of what was played (int16 at `rate`), up to `RECENT` seconds."""
        return self._recent.last(min(len(self._recent), round(seconds * self.rate)))

    @property
    def asking(self) -> bool:
        """Whether what is being said has just come to a question, or is about to."""
        speech = next((each for each in self._speeches if each.reply.started is not None), None)
        if speech is None:
            return False
        said = self._heard(speech)
        if "?" in said and len(said.rpartition("?")[2].split()) <= BEYOND:
            return True
        left = sum(clause.waiting for clause in speech.places)
        whole = speech.ended and all(clause.complete for clause in speech.places)
        ends = speech.reply.generated.rstrip().endswith("?")
        return whole and ends and left <= CLOSE * self.rate

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Speak replies; hand everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case ReplyStartFrame():
                speech = self._start(frame.reply, frame.stopped, protected=frame.protected)
                speech.turn_spans, speech.guess = frame.spans, frame.guess
            case CommitFrame():
                await self._commit(frame)
            case DropFrame():
                self._drop(frame.guess)
            case ReplyTextFrame():
                self._write(frame)
            case ReplyEndFrame():
                self._end(frame.reply)
            case TTSSpeakFrame():
                self.say(frame.text)
                return
            case LLMTextFrame() if direction is FrameDirection.DOWNSTREAM:
                self.say(frame.text)
            case DuckFrame():
                self._playout.duck(on=frame.on)
            case HoldFrame():
                self._fall_silent()
                self._playout.hold()
            case ResumeFrame():
                self._silent = None
                self._playout.resume()
            case InterruptionFrame():
                await self.cut()
            case CancelFrame() | EndFrame():
                await self.cut(force=True)
            case _:
                pass
        await self.push_frame(frame, direction)

    def say(self, text: str, *, protected: bool = False, aside: bool = False) -> Speech:
        """Speak a text of our own, behind what is being said.

        Args:
            text: What to say.
            protected: The caller may not cut it.
            aside: The model is not told of it.
        """
        reply = Reply(aside=aside)
        self.context.call.transcript.add(reply)
        speech = self._start(reply, None, protected=protected)
        self._write(ReplyTextFrame(text, reply=reply))
        self._end(reply)
        return speech

    def sound(
        self, samples: NDArray[np.int16], text: str = "", *, protected: bool = True
    ) -> Speech:
        """Play ready audio (int16 at `rate`), whose words are `text`, behind what is being said."""
        reply = Reply(generated=text)
        self.context.call.transcript.add(reply)
        speech = self._start(reply, None, protected=protected)
        clause = Clause(speech, text, interruptible=not protected)
        clause.add(samples)
        clause.complete = True
        speech.places[clause] = (0, len(text))
        speech.ended = True
        self._playout.append(clause)
        return speech

    def tone(self, samples: NDArray[np.int16]) -> Speech:
        """Play a sound that says nothing (int16 at `rate`), behind what is being said.

        The caller may cut it; it is in the recording, and in no transcript.
        """
        speech = self._start(Reply(), None, protected=False)
        speech.wordless = True
        clause = Clause(speech, "")
        clause.add(samples)
        clause.complete = True
        speech.places[clause] = (0, 0)
        speech.ended = True
        self._playout.append(clause)
        return speech

    async def play(self, count: int) -> Block:
        """Hand the next `count` samples to the transport; what is speech goes downstream, too.

        Called at the transport's pace; this is the only place where speech leaves.
        """
        now = self.context.clock.now()
        block = self._playout.pull(count)
        self.context.call.ledger.health.underruns = self._playout.underruns
        if block.audible is not None:
            offset, clause = block.audible
            self._audible(clause, now + offset / self.rate)
        self._recent.push(block.samples)
        if block.speaking:
            # As in pipecat, silence is no frame: most of a call is, and each would cost 15 µs.
            await self.push_frame(TTSAudioRawFrame(block.samples.tobytes(), self.rate, 1))
        if block.speaking:
            self.context.call.usage.said += count / self.rate
        if block.speaking and not self._talking:
            self._talking = True
            if not self.context.call.on_hold:
                self.context.call.phase = "speaking"
            await self.broadcast_frame(BotStartedSpeakingFrame)
        if block.finished or (self._talking and self._playout.empty):
            await self._settle(now + count / self.rate)
        return block

    def ahead(self, seconds: float) -> tuple[int, NDArray[np.int16]]:
        """Return what `play` is going to give next, as far as is known (int16 at `rate`).

        With it goes a count that changes when that becomes something else: the caller cut in.
        """
        return self._playout.changes, self._playout.peek(round(seconds * self.rate))

    async def cut(self, *, force: bool = False) -> None:
        """Stop speaking, except what is protected; what was heard of it is settled to the word."""
        self._fall_silent()
        now = self._silent or self.context.clock.now()
        self._silent = None
        self._playout.cut(force=force)
        for speech in list(self._speeches):
            if speech.protected and not force:
                continue
            for clause in speech.places:
                if job := self._jobs.get(clause):
                    job.cancel()
            written, speech.ended = speech.ended, True
            if written and speech.places and all(clause.over for clause in speech.places):
                # It was over but for its last block.
                speech.reply.heard = self._heard(speech, arrived=True)
                await self._close(speech, now)
                continue
            reply = speech.reply
            reply.heard = self._heard(speech)
            reply.interrupted = True
            began = self._began()
            if began is not None and reply.started is not None and not force:
                reply.reaction = max(0.0, now - began)
                self.context.call.ledger.health.reactions.append(reply.reaction * 1000)
            await self._close(speech, now)
        await self._settle(now)

    def _fall_silent(self) -> None:
        """Note when the last sample leaves, if it is now that the reply is silenced."""
        if self._silent is None:
            self._silent = self.context.clock.now() + self._playout.tail_if_cut

    def _start(self, reply: Reply, stopped: float | None, *, protected: bool) -> Speech:
        first_words = 1 if self._first_audio <= QUICK else 3
        agent, language = self.context.agent, self.context.call.language
        clauses = Clauses(first_words=first_words, longest=agent.speech.longest)
        speech = Speech(reply, stopped, protected, clauses=clauses)
        speech.voice, speech.language = agent.voice_for(language), language
        prepare(language)
        self._speeches.append(speech)
        return speech

    async def _commit(self, frame: CommitFrame) -> None:
        """A guess came true: its reply may be played."""
        for speech in list(self._speeches):
            if speech.guess == frame.guess:
                speech.guess = None
                speech.stopped, speech.turn_spans = frame.stopped, frame.spans
                for clause in speech.places:
                    clause.held = False
                if speech.failed is not None:
                    await self.context.trouble(speech.failed)

    def _drop(self, guess: int) -> None:
        """A guess was wrong: its reply was never made."""
        for speech in [each for each in self._speeches if each.guess == guess]:
            speech.ended = True
            for clause in speech.places:
                if job := self._jobs.get(clause):
                    job.cancel()
            self._playout.remove(speech.places)
            self._speeches.remove(speech)
            speech.reply.closed = True
            speech.over.set()

    def _find(self, reply: Reply) -> Speech | None:
        return next((speech for speech in self._speeches if speech.reply is reply), None)

    def _write(self, frame: ReplyTextFrame) -> None:
        speech = self._find(frame.reply)
        if speech is None or speech.ended:
            return
        if not speech.text_began:
            speech.text_began = self.context.clock.now()
        speech.spans = speech.spans or frame.spans
        speech.reply.generated += frame.text
        for piece in speech.clauses.feed(frame.text):
            self._speak(speech, piece)

    def _end(self, reply: Reply) -> None:
        speech = self._find(reply)
        if speech is None or speech.ended:
            return
        for piece in speech.clauses.finish():
            self._speak(speech, piece)
        speech.ended = True
        if not speech.places:
            # Nothing to say: as if it had never been.
            self._speeches.remove(speech)
            reply.closed = True
            if not reply.generated.strip():
                self.context.call.transcript.drop(reply)
            speech.over.set()

    def _speak(self, speech: Speech, piece: str) -> None:
        generated = speech.reply.generated
        start = generated.find(piece, speech.cursor)
        start = speech.cursor if start < 0 else start
        speech.cursor = start + len(piece)
        clause = Clause(
            speech, piece, interruptible=not speech.protected, held=speech.guess is not None
        )
        speech.places[clause] = (start, speech.cursor)
        speech.spoken[clause] = speakable(piece, speech.language)
        now = self.context.clock.now()
        speech.causes[clause] = (*speech.spans, Span("clause", speech.text_began, now))
        self._playout.append(clause)
        self._jobs[clause] = self.tasks.spawn(self._synthesise(speech, clause), "speech")

    async def _synthesise(self, speech: Speech, clause: Clause) -> None:
        call = self.context.call
        text = speech.spoken[clause].text
        call.usage.characters += len(text)
        started = self.context.clock.now()
        first = True
        try:
            if not speech.spoken[clause].said:
                return  # a picture, or a line of dashes: there is nothing to say
            note = partial(speech.reply.served.__setitem__, "speaking")
            noted = Noting(self.context, note, characters=len(text))
            async with self._slots:
                stream = self._speaking.stream(text, voice=speech.voice, language=speech.language)
                with served.listening(noted):
                    async with aclosing(stream) as chunks:
                        async for chunk in chunks:
                            if first:
                                first = False
                                span = Span("speech", started, self.context.clock.now())
                                self._first_audio += 0.3 * (span.end - started - self._first_audio)
                                speech.causes[clause] = (*speech.causes[clause], span)
                            clause.add(chunk)
        except ModelError as error:
            clause.broken = True
            self._abandon(speech)
            if speech.guess is None:
                await self.context.trouble(error)
            else:
                speech.failed = error
        finally:
            clause.complete = True
            self._jobs.pop(clause, None)

    def _abandon(self, speech: Speech) -> None:
        """Say no more of a reply than was synthesised: its rest would be out of order."""
        speech.ended = True
        current = asyncio.current_task()
        for clause in speech.places:
            job = self._jobs.get(clause)
            if job is not None and job is not current:
                job.cancel()

    def _audible(self, clause: Clause, moment: float) -> None:
        """The first sound of a clause was sent."""
        speech = clause.owner
        assert isinstance(speech, Speech)
        reply = speech.reply
        if reply.started is not None or speech.wordless:
            return
        reply.started = self.context.since(moment)
        if self.context.call.phase == "thinking":
            # It follows upon a reply that was cut so closely that there was no silence between.
            self.context.call.phase = "speaking"
        if speech.stopped is not None and self._answers(speech):
            spans = (*speech.turn_spans, *speech.causes.get(clause, ()))
            reply.latency = account(speech.stopped, moment, spans)
            who = self._served(reply)
            self.context.call.ledger.add(reply.latency, who)
            told = ", ".join(f"{stage} by {name}" for stage, name in who.items())
            log.info("call %s: a turn served: %s", self.context.call.id, told or "by no provider")
        self.context.emit(AgentStarted(reply.started, reply))

    def _served(self, reply: Reply) -> dict[str, str]:
        """Return who served the turn that a reply answers."""
        said = self.context.call.transcript.caller
        heard = {"hearing": said[-1].served} if said and said[-1].served else {}
        return {**heard, **reply.served}

    def _answers(self, speech: Speech) -> bool:
        """Whether it is the first that is heard in answer to its turn."""
        return not any(
            reply.latency is not None and reply is not speech.reply
            for reply in self._since_last_utterance()
        )

    def _since_last_utterance(self) -> list[Reply]:
        replies: list[Reply] = []
        for entry in reversed(self.context.call.transcript.entries):
            if entry.kind == "caller":
                break
            if isinstance(entry, Reply):
                replies.append(entry)
        return replies

    def note_heard(self) -> None:
        """Enter how much was heard by now of what is being said, for who follows it (0.3 ms).

        An estimate that turns out to have been too far is put right when the reply closes.
        """
        for speech in self._speeches:
            if speech.reply.started is not None:
                told = self._heard(speech)
                if len(told) > len(speech.reply.heard):
                    speech.reply.heard = told

    async def _settle(self, now: float) -> None:
        """Close the replies that are over."""
        for speech in list(self._speeches):
            if speech.ended and all(clause.over for clause in speech.places):
                speech.reply.heard = self._heard(speech, arrived=True)
                await self._close(speech, now)
        if self._talking and self._playout.empty:
            self._talking = False
            if self.context.call.phase == "speaking":
                self.context.call.phase = "listening"
            await self.broadcast_frame(BotStoppedSpeakingFrame)

    async def _close(self, speech: Speech, now: float) -> None:
        reply = speech.reply
        if speech in self._speeches:
            self._speeches.remove(speech)
        reply.closed = True
        if reply.started is not None:
            reply.ended = self.context.since(now)
        speech.over.set()
        if speech.wordless:
            return
        if not reply.heard and reply.started is None:
            # Not a sound of it was heard: it was never said.
            self.context.call.transcript.drop(reply)
            return
        self.context.emit(AgentSaid(self.context.at, reply))

    def _heard(self, speech: Speech, *, arrived: bool = False) -> str:
        """Return what was heard of a reply, as it stands in its text.

        Args:
            speech: The reply.
            arrived: It was said to its end: what is still on its way to the ear arrives. Where a
                caller cuts in they speak over that, so it does not count.
        """
        generated = speech.reply.generated
        late = 0 if arrived else round(self.delay * self.rate)
        reached = self._playout.position - late
        end = 0
        for clause, (start, stop) in speech.places.items():
            silent = clause in speech.spoken and not speech.spoken[clause].said
            played = clause.played_by(reached) if late else clause.played
            over = clause.complete and played >= clause.received
            if over and (clause.received or silent) and not clause.broken:
                end = stop
                continue
            if played:
                audio, rate = clause.audio, self.rate
                text = generated[start:stop]
                reach = heard.heard(
                    text,
                    audio,
                    rate,
                    played,
                    complete=clause.complete and not clause.broken,
                    spoken=speech.spoken.get(clause),
                )
                end = start + reach if reach else end
            break
        return generated[:end].strip()
