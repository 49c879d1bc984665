"""Mouth: the stage that speaks.

Text comes in as it is written, is cut into clauses, and each clause is synthesised while the one
before plays. The transport takes the speech in small blocks at its own pace (`play`); what it
took is what the caller may have heard, and nothing else is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

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
from vivavoce.agent.ledger import account
from vivavoce.agent.transcript import Reply
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
from vivavoce.pipelines.models.interfaces import Speaking
from vivavoce.pipelines.speakable import prepare
from vivavoce.pipelines.speech import Speech
from vivavoce.pipelines.stage import Context, Stage
from vivavoce.pipelines.synthesis import Synthesis
from vivavoce.pipelines.turns.playout import Block, Clause, Playout

log = logging.getLogger("vivavoce")

RECENT = 1.2
"""Seconds of what was played that are kept, to know our own echo by."""


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
        self._began = began
        self._playout = Playout(speaking.rate)
        self._recent = Ring(round(speaking.rate * RECENT))
        self._speeches: list[Speech] = []
        self._synthesis = Synthesis(context, speaking, self.tasks)
        self._talking = False
        self._silent: float | None = None
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
        return self._synthesis.busy or any(not speech.ended for speech in self._speeches)

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
        return speech.asks(self._heard(speech), self.rate)

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
        self._playout.append(speech.fill(samples))
        return speech

    def tone(self, samples: NDArray[np.int16]) -> Speech:
        """Play a sound that says nothing (int16 at `rate`), behind what is being said.

        The caller may cut it; it is in the recording, and in no transcript.
        """
        speech = self._start(Reply(), None, protected=False)
        speech.wordless = True
        self._playout.append(speech.fill(samples))
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
            self._synthesis.stop(speech)
            said_out = speech.played and bool(speech.places)
            speech.ended = True
            if said_out:
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
        agent, language = self.context.agent, self.context.call.language
        first_words = self._synthesis.first_words
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
                speech.come_true(frame.stopped, frame.spans)
                if speech.failed is not None:
                    await self.context.trouble(speech.failed)

    def _drop(self, guess: int) -> None:
        """A guess was wrong: its reply was never made."""
        for speech in [each for each in self._speeches if each.guess == guess]:
            speech.ended = True
            self._synthesis.stop(speech)
            self._playout.remove(speech.places)
            self._speeches.remove(speech)
            speech.reply.closed = True
            speech.over.set()

    def _find(self, reply: object) -> Speech | None:
        return next((speech for speech in self._speeches if speech.reply is reply), None)

    def _write(self, frame: ReplyTextFrame) -> None:
        speech = self._find(frame.reply)
        if speech is None or speech.ended:
            return
        for piece in speech.write(frame.text, frame.spans, self.context.clock.now()):
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
        clause = speech.place(piece, self.context.clock.now())
        self._playout.append(clause)
        self._synthesis.begin(speech, clause)

    def _audible(self, clause: Clause, moment: float) -> None:
        """The first sound of a clause was sent."""
        speech = self._find(clause.owner)
        if speech is None or speech.wordless or speech.reply.started is not None:
            return
        reply = speech.reply
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
            if speech.played:
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
        late = 0 if arrived else round(self.delay * self.rate)
        return speech.heard(self.rate, self._playout.position - late if late else None)
