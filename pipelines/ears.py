"""Ears: the stage that listens.

Audio comes in by direct calls, in blocks of about 20 ms. The voice detector sees it first, so
that a slow transcriber never delays a barge-in; it always flows on to the transcriber, so that no
first phoneme is lost. What is heard becomes decisions: hold or stop the reply, end the turn.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.utils.time import time_now_iso8601

from vivavoce.agent.events import CallerPartial, CallerSaid, CallerStarted, CallerStopped
from vivavoce.agent.ledger import Span
from vivavoce.agent.transcript import Utterance
from vivavoce.pipelines import voice
from vivavoce.pipelines.audio.level import levels
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.audio.vad import (
    SileroVad,
    Vad,
    VoiceActivity,
    VoiceSettings,
    VoiceStarted,
    WebRtcVad,
)
from vivavoce.pipelines.frames import (
    CallerTurnFrame,
    CommitFrame,
    DropFrame,
    DuckFrame,
    HoldFrame,
    ResumeFrame,
)
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.failover_hearing import FailoverHearing
from vivavoce.pipelines.models.interfaces import Hearing
from vivavoce.pipelines.own_voice import OwnVoice, Played
from vivavoce.pipelines.stage import Context, Noting, Stage
from vivavoce.pipelines.turns.bargein import Action, BargeIn
from vivavoce.pipelines.turns.endpointing import (
    AskVoice,
    Decision,
    Drop,
    Endpointing,
    Flush,
    Guess,
    Nothing,
    TurnEvent,
    TurnOver,
)
from vivavoce.pipelines.voice import Voice

RATE = 16_000
SIGN = 0.5
"""Probability of one window from which the reply is ducked."""
HOP = RATE // 125
"""Samples of one level."""
SURE = 0.95
"""Probability from which the voice detector is so sure that a silence may be a mere closure: it is
slow to notice an end, and waiting for its doubt at 0.5 costs 19 ms of every turn."""
CLOSURE = 0.08
"""Silence that ends the speech all the same (s)."""
JUDGED = 8 * RATE
"""Samples of the end of a turn that the end-of-turn model listens to."""


class AgentSide(Played, Protocol):
    """What ears know of the agent."""

    @property
    def answering(self) -> bool:
        """Whether there is a reply, spoken or being made, that the caller may cut."""

    @property
    def asking(self) -> bool:
        """Whether it has just asked something, and "yes" is an answer."""

    @property
    def deaf(self) -> bool:
        """Whether the caller is not listened to for now."""


class Ears(Stage):
    """Listens: voice activity, transcription, the end of the turn, barge-in."""

    def __init__(
        self,
        context: Context,
        hearing: Hearing,
        smart_turn: SmartTurn | None,
        agent: AgentSide,
        vad: Vad | None = None,
    ) -> None:
        """Prepare it.

        Args:
            context: The call.
            hearing: Its transcription.
            smart_turn: The end-of-turn model; None leaves the decision to silence and words.
            agent: What the agent is doing.
            vad: The voice detector, instead of the one that the agent chose (at `RATE`).
        """
        super().__init__(context, "Ears")
        turns = context.agent.turns
        self._hearing = hearing
        if isinstance(hearing, FailoverHearing):
            hearing.told = Noting(context, lambda _provider: None)
        self._smart_turn = smart_turn
        self._agent = agent
        self._own_voice = OwnVoice(RATE, agent)
        self._vad: Vad = vad or (SileroVad(RATE) if turns.vad == "silero" else WebRtcVad(RATE))
        # A stop is told early, and acted on by the endpointing's own silences. Never while the
        # detector still hears a voice, unless it is silent for longer than any closure.
        self._voice = VoiceActivity(
            RATE,
            VoiceSettings(min_silence=min(turns.flush_after, 0.1), doubt=SURE, max_doubt=CLOSURE),
        )
        self._endpointing = Endpointing(turns, context.call.language)
        self._bargein = BargeIn(turns)
        self._resampler: Resampler | None = None
        self._ring = Ring(JUDGED)
        self._fed = 0
        self._fed_at = 0.0
        self._judged_to = 0
        self._asked = 0
        self._partials: dict[int, str] = {}
        self._opened = False
        self._ducked = False
        self._interruptible = turns.interruptible
        self._waste = turns.waste
        self._guessed: CallerTurnFrame | None = None
        self._reported = True
        # What the caller says, where the chat model listens itself.
        self._voice_in: Voice | None = None
        # Why nobody transcribes; whether the caller was told in this turn; how much was not heard.
        self._lost: ModelError | None = None
        self._excused = False
        self._unheard = 0.0

    @property
    def _listens(self) -> bool:
        """Whether the chat model hears the caller."""
        return self.context.agent.hear == "llm"

    @property
    def busy(self) -> bool:
        """Whether a final text or an opinion is awaited, or audio waits to be sent."""
        return self._endpointing.waiting or self._asked > 0 or self._hearing.backlog > 1.0

    @property
    def quiet(self) -> bool:
        """Whether no turn of the caller's is in progress."""
        return not self._endpointing.open and not self.busy and not self._bargein.held

    @property
    def began(self) -> float | None:
        """First voiced sample of the speech that last held or stopped a reply (s)."""
        return self._bargein.began

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Listen to audio; hand everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._listen(frame)
            return
        if isinstance(frame, StartFrame) and not self._opened:
            self._opened = True
            await self._hearing.open(self)
        await self.push_frame(frame, direction)
        if isinstance(frame, EndFrame | CancelFrame):
            await self._hearing.close()

    async def cleanup(self) -> None:
        """Close the transcriber's connection."""
        await self._hearing.close()
        await super().cleanup()

    async def _listen(self, frame: InputAudioRawFrame) -> None:
        pcm = np.frombuffer(frame.audio, np.int16)
        if frame.num_channels > 1:
            pcm = pcm.reshape(-1, frame.num_channels).mean(axis=1).astype(np.int16)
        if frame.sample_rate != RATE:
            if self._resampler is None or self._resampler.source_rate != frame.sample_rate:
                self._resampler = Resampler(frame.sample_rate, RATE, aligned=False)
            pcm = self._resampler.feed(pcm)
        if self._agent.deaf:
            pcm = np.zeros_like(pcm)
        now = self.context.clock.now()
        self._fed += len(pcm)
        self.context.call.usage.heard += len(pcm) / RATE
        self._fed_at = now
        self._ring.push(pcm)
        if self._listens:
            self._voice_in = self._voice_in or Voice()
            self._voice_in.push(pcm)
        self._hearing.send(pcm.tobytes())
        for window in self._vad.feed(pcm):
            self._judged_to = window.end
            await self._duck(on=window.probability >= SIGN)
            for event in self._voice.feed(window):
                if isinstance(event, VoiceStarted):
                    await self._started(self._time(event.at_sample))
                else:
                    await self._stopped(self._time(event.at_sample))
        rest = min(self._fed - self._judged_to, len(self._ring))
        if rest and self._voice.may_stop(rest):
            stop = self._voice.glance(levels(self._ring.last(rest), HOP), rest)
            if stop is not None:
                await self._stopped(self._time(stop.at_sample))
        if self._endpointing.open:
            await self._decide(self._endpointing.tick(now))
            action = self._bargein.tick(now, busy=self._agent.answering, echo=self._is_echo)
            if action is not None:
                await self._act(action)

    async def _duck(self, *, on: bool) -> None:
        """Lower the reply at the first sign of a voice, before it is sure that it is one."""
        if on and not self._ducked:
            on = self._interruptible and self._agent.answering and not self._is_echo()
        if on != self._ducked:
            self._ducked = on
            await self.push_frame(DuckFrame(on=on))

    def _is_echo(self) -> bool:
        """Whether what is heard just now is the agent's own voice, coming back."""
        return self._own_voice.heard(self._ring, self._fed)

    @property
    def _wasteful(self) -> bool:
        """Whether guessing has cost more than it may."""
        return self.context.call.ledger.speculation.waste > self._waste

    def _repeats(self, text: str) -> bool:
        """Whether a turn is nothing but our own words, heard back."""
        call = self.context.call
        return self._own_voice.repeats(text, call.transcript, call.language)

    def _time(self, sample: int) -> float:
        """Return when a sample was heard (s on the call's clock)."""
        return self._fed_at - (self._fed - sample) / RATE

    async def _started(self, at: float) -> None:
        fresh = not self._endpointing.open
        self._endpointing.speech_started(at)
        self._bargein.speech_started(at)
        await self.push_frame(VADUserStartedSpeakingFrame())
        if fresh:
            self._reported = self._excused = False
            self._unheard = 0.0
            self.context.emit(CallerStarted(self.context.since(at)))
            await self.push_frame(UserStartedSpeakingFrame())

    async def _stopped(self, at: float) -> None:
        self._endpointing.language = self.context.call.language
        self._endpointing.speech_stopped(at)
        self._bargein.speech_stopped()
        self.context.emit(CallerStopped(self.context.since(at)))
        await self.push_frame(VADUserStoppedSpeakingFrame())

    async def _decide(self, decisions: list[Decision]) -> None:
        """Carry out what was decided about the turn."""
        for decision in decisions:
            match decision:
                case Flush():
                    self._hearing.flush()
                case AskVoice():
                    self._ask()
                case Guess():
                    # While a reply is held this may be a mere "mm-hm", which is not answered.
                    held = self._bargein.held
                    if not held and not self._wasteful and not self._repeats(decision.text):
                        self._guessed = self._turn(decision.text, decision.number, None)
                        await self.push_frame(self._guessed)
                case Drop():
                    if self._guessed is not None:
                        self._guessed = None
                        await self.push_frame(DropFrame(decision.number))
                case Nothing():
                    self._partials.clear()
                    if (action := self._bargein.over("", asked=False)) is not None:
                        await self._act(action)
                    await self.push_frame(UserStoppedSpeakingFrame())
                    self._excuse()
                case TurnOver():
                    await self._turn_over(decision)

    async def _act(self, action: Action) -> None:
        match action:
            case Action.HOLD:
                await self.push_frame(HoldFrame())
            case Action.RESUME:
                await self.push_frame(ResumeFrame())
            case Action.STOP:
                await self.broadcast_interruption()  # type: ignore[no-untyped-call]

    def _ask(self) -> None:
        """Ask the end-of-turn model about the present pause."""
        if self._smart_turn is not None:
            self._asked += 1
            stopped = self._endpointing.stopped
            self.tasks.spawn(self._judge(self._ring.last(JUDGED), stopped), "end of turn")

    async def _judge(self, audio: NDArray[np.int16], stopped: float) -> None:
        assert self._smart_turn is not None
        try:
            probability = await self._smart_turn.ask(audio)
        except TimeoutError:
            # Overload: the silence and the words decide without it.
            self._endpointing.unanswered(stopped)
            return
        finally:
            self._asked -= 1
        self._endpointing.judged(probability, stopped)
        await self._decide(self._endpointing.tick(self.context.clock.now()))

    def _turn(self, text: str, guess: int | None, over: TurnOver | None) -> CallerTurnFrame:
        context, endpointing = self.context, self._endpointing
        now = context.clock.now()
        started = over.started if over else endpointing.started
        stopped = over.stopped if over else endpointing.stopped
        utterance = Utterance(
            text,
            context.since(started),
            context.since(stopped),
            over.reason if over else "",
            served=self._hearing.provider if isinstance(self._hearing, FailoverHearing) else "",
        )
        if self._listens and self._voice_in is not None:
            at = self._fed_at
            recording = self._voice_in.recording(at - started, at - stopped)
            voice.give(utterance, recording, stopped - started)
            text = utterance.text
        return CallerTurnFrame(
            text=text,
            user_id="caller",
            timestamp=time_now_iso8601(),
            finalized=over is not None,
            utterance=utterance,
            stopped=stopped,
            spans=_spans(over, now) if over else (),
            guess=guess,
        )

    async def _turn_over(self, over: TurnOver) -> None:
        self._partials.clear()
        action = self._bargein.over(over.text, asked=self._agent.asking)
        if action is Action.RESUME:
            # A listener's "mm-hm": the agent goes on, and there is nothing to answer.
            await self._act(action)
            await self.push_frame(UserStoppedSpeakingFrame())
            return
        if action is Action.STOP:
            await self._act(action)
        if self._repeats(over.text):
            self._own_voice.forget()
            await self.push_frame(UserStoppedSpeakingFrame())
            return
        self._own_voice.forget()
        context = self.context
        turn = self._turn(over.text, None, over)
        guessed, self._guessed = self._guessed, None
        if guessed is not None:
            # What the mind was told stays the same object; it is only now that it was said.
            turn.utterance = guessed.utterance
            turn.utterance.ended = context.since(over.stopped)
            turn.utterance.why_ended = over.reason
        context.call.transcript.add(turn.utterance)
        voice.forget(context.call.transcript)
        context.emit(CallerSaid(context.at, turn.utterance))
        await self.push_frame(UserStoppedSpeakingFrame())
        if guessed is None or guessed.guess is None:
            await self.push_frame(turn)
        else:
            await self.push_frame(CommitFrame(guessed.guess, over.stopped, turn.spans))

    # What the transcriber tells (`HearingListener`).

    def on_partial(self, segment: int, text: str) -> None:
        """All that is understood of a segment so far."""
        if text and self._partials.get(segment) != text:
            self._lost = None
            self._partials[segment] = text
            self.tasks.spawn(self._understood(), "partial transcript")

    def on_final(self, segment: int, text: str) -> None:
        """A segment's final text."""
        self._partials[segment] = text
        if self._listens and not text.strip() and self._spoke:
            # The model hears it, whether it was written down or not.
            text = self._partials[segment] = voice.wordless(self.context.agent.turns.min_words)
        if self._lost is not None and not text.strip() and self._spoke:
            self._unheard = self._endpointing.stopped - self._endpointing.started
        self.tasks.spawn(self._settled(text), "final transcript")

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """The transcriber's own view of the turn."""
        del seconds_ago  # the voice detector here says when it was, to the hop
        decisions = self._endpointing.told(kind, self.context.clock.now())
        self.tasks.spawn(self._decide(decisions), "turn event")

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        """Transcription fails."""
        if lost and self._listens:
            # The model hears the caller all the same.
            self.context.fail("hearing", str(error), error.kind)
        elif lost:
            self._lost, self._excused = error, self._endpointing.open
            self.tasks.spawn(self.context.trouble(error), "apology")

    def _excuse(self) -> None:
        """Tell of a turn that nobody transcribed: its caller waits for an answer."""
        lost, seconds, self._unheard = self._lost, self._unheard, 0.0
        if lost is None or not seconds or self._excused:
            return
        what = f"{seconds:.1f} s that the caller said before {self.context.at:.1f} s were not heard"
        error = ModelError("hearing", lost.kind, f"{what}: transcription is still out of reach")
        self.tasks.spawn(self.context.trouble(error), "apology")

    async def _understood(self) -> None:
        if not (said := voice.words(self._said)):
            return
        if not self._reported:
            self._reported = True
            now = self.context.clock.now()
            self.context.call.ledger.health.partials.append(
                (now - self._endpointing.started) * 1000
            )
        self.context.emit(CallerPartial(self.context.at, said))
        await self.push_frame(InterimTranscriptionFrame(said, "caller", time_now_iso8601()))
        if (action := self._bargein.words(said)) is not None:
            await self._act(action)

    async def _settled(self, text: str) -> None:
        said = self._said
        if (action := self._bargein.words(said)) is not None:
            await self._act(action)
        await self._decide(self._endpointing.understood(text, self.context.clock.now()))
        if not said or self._endpointing.speaking:
            return
        if (action := self._bargein.settled(said, asked=self._agent.asking)) is not None:
            # A listener's "mm-hm": the agent goes on at once, and there is nothing to answer.
            await self._act(action)
            await self._dismiss()

    @property
    def _spoke(self) -> bool:
        """Whether there was enough of a voice in the turn in progress to be speech."""
        return self._endpointing.stopped - self._endpointing.started >= voice.SHORTEST

    @property
    def _said(self) -> str:
        """All that was understood of the turn in progress."""
        return " ".join(self._partials[key] for key in sorted(self._partials)).strip()

    async def _dismiss(self) -> None:
        """Forget what was said: it asked for no answer."""
        await self._decide(self._endpointing.dismiss())
        self._partials.clear()
        await self.push_frame(UserStoppedSpeakingFrame())


def _spans(over: TurnOver, now: float) -> tuple[Span, ...]:
    return (
        Span("endpointing", over.stopped, now),
        Span("transcription", over.flushed, over.final),
    )
