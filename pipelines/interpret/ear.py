"""An ear: one speaker's voice becomes words, once, for all the lanes that translate them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import numpy as np

from vivavoce.agent.events import CallerPartial, CallerStarted, CallerStopped
from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.languages import base
from vivavoce.agent.options import Listening, Turns
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.audio.ring import Ring
from vivavoce.pipelines.audio.vad import (
    SileroVad,
    Vad,
    VoiceActivity,
    VoiceSettings,
    VoiceStarted,
)
from vivavoce.pipelines.interpret import language as language_of
from vivavoce.pipelines.interpret import rendering
from vivavoce.pipelines.interpret.hindsight import Hindsight
from vivavoce.pipelines.interpret.lane import Lane
from vivavoce.pipelines.interpret.piece import Voices
from vivavoce.pipelines.interpret.routing import Router
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.failover_hearing import FailoverHearing
from vivavoce.pipelines.models.interfaces import Hearing, Samples
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.endpointing import (
    AskVoice,
    Decision,
    Endpointing,
    Flush,
    Nothing,
    TurnEvent,
    TurnOver,
)

log = logging.getLogger("vivavoce")

RATE = 16_000
"""Sample rate of what it is fed with (Hz)."""
TICK = 0.04
"""Seconds between two looks at whether words have waited for too long."""
FLUSH = 0.22
"""Silence after which a simultaneous interpreter asks for the final text (s). A turn that is to be
answered is asked for sooner; here, speech goes on behind most pauses, and a transcriber that is
asked in the middle of a sentence knows less of it."""
SURE = 0.95
"""Probability of a voice below which a silence may be one (see `Ears`)."""
CLOSURE = 0.08
"""Silence that ends the speech all the same (s)."""
JUDGED = 8 * RATE
"""Samples of the end of a turn that the end-of-turn model listens to."""
STRIDE = 1000
"""Our numbers for each segment of the transcriber's: for its parts, and what is written between."""
KEPT = 20 * 2 * RATE
"""Bytes of the beginning that are kept, in case a transcriber refuses what is asked of it."""


class Ear:
    """Hears one speaker: voice activity, one transcription, the ends of turns.

    Implements `HearingListener`.

    Args:
        context: The speaker's call.
        interpreter: How it is to be done.
        models: With what.
        speaker: Whose words they are.
        language: What they speak; "" where it is either of the interpreter's two, told apart by
            each utterance.
        changed: Told of every segment of every lane that is new or has changed.
        voices: Whose voice speaks; the interpreter's if None.

    Attributes:
        lanes: Its lanes, by target language.
        echoes: Tells whether a text is nothing but what the speaker has just been told by us,
            heard back; such words are not translated.
    """

    def __init__(
        self,
        context: Context,
        interpreter: Interpreter,
        models: Models,
        *,
        speaker: str,
        language: str,
        changed: Callable[[Segment], None],
        voices: Voices | None = None,
    ) -> None:
        self.speaker, self.language = speaker, language
        self.lanes: dict[str, Lane] = {}
        self.echoes: Callable[[str], bool] = lambda _text: False
        self._context, self._interpreter, self._models = context, interpreter, models
        self._changed, self._voices = changed, voices
        self._wishes = _wishes(interpreter.hears(language), models.listening)
        self._hearing = self._transcriber()
        # What it was sent, until it has shown that it takes what is asked of it.
        self._kept: list[bytes] | None = [] if self._wishes.special else None
        self._patient = interpreter.policy == "consecutive"
        turns = Turns(eager=False) if self._patient else Turns(eager=False, flush_after=FLUSH)
        self._smart_turn = models.smart_turn if self._patient else None
        self._vad: Vad = models.vad() if models.vad else SileroVad(RATE)
        self._voice = VoiceActivity(
            RATE,
            VoiceSettings(min_silence=min(turns.flush_after, 0.1), doubt=SURE, max_doubt=CLOSURE),
        )
        self._endpointing = Endpointing(turns, language or interpreter.source)
        self._hindsight = Hindsight(interpreter.listening.delay)
        self._router = None if language else Router(interpreter.languages)
        self._newest = self._typed = 0
        self._texts: dict[int, str] = {}  # of the segments that are not final, by our numbers
        self._counts: dict[str, int] = {}  # of the segments that lanes had, by target
        self._ring = Ring(JUDGED) if self._smart_turn else None
        self._fed = 0
        self._fed_at = 0.0
        self._probability = 0.0
        self._ticked = 0.0
        self._asked = 0
        self._partial = ""
        self._fresh = False
        self._tasks = Tasks()
        self._opened = self._closed = False

    def lane(self, target: str) -> Lane:
        """Return the lane into a language; made when it is first asked for.

        One that is made while the speaker speaks begins with what is understood from then on;
        one that is made again goes on counting where the one before ended.
        """
        lane = self.lanes.get(target)
        if lane is None:
            source = self.language or self._other(target)
            lane = self.lanes[target] = Lane(
                self._context,
                self._interpreter,
                self._models,
                source=source,
                target=target,
                speaker=self.speaker,
                changed=self._changed,
                voices=self._voices,
                count=self._counts.get(target, 0),
            )
            for number, text in self._texts.items():
                lane.skip(number, text)
            lane.said = self._hindsight.said
            lane.hearer = self._hearer
        return lane

    async def drop(self, target: str) -> None:
        """End the lane into a language; idempotent."""
        lane = self.lanes.pop(target, None)
        if lane is not None:
            self._counts[target] = lane.count
            await lane.close()

    async def open(self) -> None:
        """Begin to transcribe; connects behind the scenes."""
        if not self._opened:
            self._opened = True
            await asyncio.to_thread(self._prepare)
            await self._hearing.open(self)

    def _prepare(self) -> None:
        """Read tables, in a thread: nobody waits for them in the middle of what is said."""
        if self._router is not None:
            language_of.prepare()
        rendering.prepare(self._interpreter.languages)

    async def close(self) -> None:
        """End the transcription and all lanes; idempotent."""
        self._closed = True
        try:
            await self._hearing.close()
            await self._tasks.close()
        finally:
            for target in list(self.lanes):
                await self.drop(target)

    # What comes in.

    def feed(self, pcm: Samples) -> None:
        """Hear a block (int16 mono, 16 kHz), as it comes; silence too."""
        if self._closed:
            return
        now = self._context.at
        self._fed += len(pcm)
        self._fed_at = now
        self._context.call.usage.heard += len(pcm) / RATE
        self._send(pcm.tobytes())
        if self._ring is not None:
            self._ring.push(pcm)
        for window in self._vad.feed(pcm):
            self._probability = window.probability
            for event in self._voice.feed(window):
                at = now - (self._fed - event.at_sample) / RATE
                if isinstance(event, VoiceStarted):
                    self._started(at)
                else:
                    self._stopped(at)
        if self._voices is not None:
            self._voices.feed(self.speaker, pcm, self._probability)
        if self._endpointing.open:
            self._decide(self._endpointing.tick(now))
        if now - self._ticked >= TICK:
            self._ticked = now
            for lane in list(self.lanes.values()):
                lane.tick(speaking=self._endpointing.speaking)

    def typed(self, text: str) -> None:
        """Take words that the speaker wrote, as a turn of theirs."""
        if not self._closed and text.strip():
            self._typed += 1
            self._route(self._newest * STRIDE + STRIDE // 2 + self._typed, text.strip(), final=True)
            if not self._endpointing.open:
                self._turn_over()

    @property
    def speaking(self) -> bool:
        """Whether the speaker's voice is heard just now."""
        return self._endpointing.speaking

    @property
    def quiet(self) -> bool:
        """Whether no turn is in progress and no words are awaited."""
        return not self._endpointing.open and not self._waiting

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for, by it or by a lane."""
        return self._waiting or any(lane.busy for lane in self.lanes.values())

    @property
    def idle(self) -> bool:
        """Whether it is quiet and all lanes are idle."""
        return self.quiet and all(lane.idle for lane in self.lanes.values())

    @property
    def _waiting(self) -> bool:
        return self._endpointing.waiting or self._asked > 0 or self._hearing.backlog > 1.0

    # What the transcriber tells (`HearingListener`).

    def on_partial(self, segment: int, text: str) -> None:
        """All that is understood of a segment so far."""
        if self._closed or not text.strip():
            return
        now = self._context.at
        self._kept = None
        self._hindsight.understood(text, now)
        if text != self._partial:
            if self._fresh:
                self._fresh = False
                late = 1000 * (now - self._endpointing.started)
                self._context.call.ledger.health.partials.append(late)
            self._partial = text
            self._context.emit(CallerPartial(now, text))
        self._route(self._number(segment), text, final=False)

    def on_final(self, segment: int, text: str) -> None:
        """A segment's final text."""
        if self._closed:
            return
        self._partial = ""
        self._kept = None
        self._route(self._number(segment), text, final=True)
        # It may lead to the next flush, for which the transcriber is not ready inside of this.
        asyncio.get_running_loop().call_soon(self._understood, text)

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """The transcriber's own view of the turn; it is not asked for."""
        del seconds_ago
        self._decide(self._endpointing.told(kind, self._context.at))

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        """Transcription fails; it goes on by itself, with the audio kept, unless it is lost."""
        if self._closed:
            return
        if error.kind == "refused" and self._kept is not None:
            self._without_wishes(error)
        elif lost:
            self._context.fail("hearing", str(error), error.kind)

    # Inside.

    def _transcriber(self) -> Hearing:
        hearing = self._models.hearing(self._wishes)
        if isinstance(hearing, FailoverHearing):
            hearing.told = Noting(self._context, lambda _provider: None)
        return hearing

    def _send(self, pcm: bytes) -> None:
        if self._kept is not None:
            self._kept.append(pcm)
            if len(self._kept) * len(pcm) > KEPT:
                self._kept = None
        self._hearing.send(pcm)

    def _without_wishes(self, error: ModelError) -> None:
        """Begin again with a transcriber that is told nothing: it may know no languages or terms.

        An interpreter always asks for its language; a model that finds out by itself does not
        take it, and that is no reason not to be heard.
        """
        log.info("call %s: %s; it is told nothing now", self._context.call.id, error)
        kept, self._kept = self._kept or [], None
        self._wishes = Wishes()
        old, self._hearing = self._hearing, self._transcriber()
        self._tasks.spawn(old.close(), "close a transcription")
        self._tasks.spawn(self._reopen(kept, self._hearing), "open another transcription")

    async def _reopen(self, kept: Sequence[bytes], hearing: Hearing) -> None:
        await hearing.open(self)
        for pcm in kept:
            hearing.send(pcm)
        if self._endpointing.waiting:
            hearing.flush()

    def _number(self, segment: int) -> int:
        """Return our number for a transcriber's segment: in their order, with room between."""
        if segment > self._newest:
            self._newest, self._typed = segment, 0
        return segment * STRIDE

    def _route(self, number: int, text: str, *, final: bool) -> None:
        """Give words to the lanes that translate them."""
        if final and text.strip() and self.echoes(text):
            text = ""
        if self._router is None:
            for lane in list(self.lanes.values()):
                lane.heard(number, text, final=final)
            self._remember(number, text, final=final)
            return
        for routed in self._router.heard(number, text, final=final):
            self._endpointing.language = routed.language
            for lane in list(self.lanes.values()):
                if base(lane.source) == base(routed.language):
                    lane.heard(routed.number, routed.text, final=routed.final)
            self._remember(routed.number, routed.text, final=routed.final)

    def _remember(self, number: int, text: str, *, final: bool) -> None:
        """Keep what is understood of a segment, for a lane that is made in the middle of it."""
        if final:
            self._texts.pop(number, None)
        else:
            self._texts[number] = text

    def _started(self, at: float) -> None:
        fresh = not self._endpointing.open
        self._endpointing.speech_started(at)
        self._hindsight.started(at)
        if fresh:
            self._fresh = True
            self._context.emit(CallerStarted(at))

    def _stopped(self, at: float) -> None:
        self._endpointing.speech_stopped(at)
        self._hindsight.stopped(at)
        self._context.emit(CallerStopped(at))

    def _understood(self, text: str) -> None:
        if not self._closed:
            self._decide(self._endpointing.understood(text, self._context.at))

    def _decide(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Flush():
                    self._hearing.flush()
                case AskVoice():
                    self._ask()
                case TurnOver() | Nothing():
                    self._turn_over()
                case _:
                    pass

    def _turn_over(self) -> None:
        for lane in list(self.lanes.values()):
            lane.turn_over()

    def _ask(self) -> None:
        """Ask the end-of-turn model about the present pause; only who waits for turns needs it."""
        stopped = self._endpointing.stopped
        if self._ring is None:
            self._endpointing.unanswered(stopped)
            return
        self._asked += 1
        self._tasks.spawn(self._judge(self._ring.last(JUDGED), stopped), "end of turn")

    async def _judge(self, audio: Samples, stopped: float) -> None:
        assert self._smart_turn is not None
        try:
            probability = await self._smart_turn.ask(audio.astype(np.int16, copy=False))
        except TimeoutError:
            # Overload: the silence and the words decide without it.
            self._endpointing.unanswered(stopped)
            return
        finally:
            self._asked -= 1
        self._endpointing.judged(probability, stopped)
        self._decide(self._endpointing.tick(self._context.at))

    def _other(self, target: str) -> str:
        """Return the language that is translated into one, of the two that are spoken."""
        others = [each for each in self._interpreter.languages if base(each) != base(target)]
        return others[0]

    def _hearer(self) -> str:
        return self._hearing.provider if isinstance(self._hearing, FailoverHearing) else ""


def _wishes(own: Listening, usual: Listening) -> Wishes:
    """Return what is asked of a transcription."""
    delay = usual.delay if own.delay is None else own.delay
    return Wishes(
        language=own.language,
        context_bias=own.expect or usual.expect,
        delay_ms=None if delay is None else round(1000 * delay),
    )
