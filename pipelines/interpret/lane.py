"""A lane: one speaker's words into one language, spoken in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.ledger import Span, account
from vivavoce.agent.segment import Segment
from vivavoce.agent.voices import Speaker
from vivavoce.agent.voices import voice_for as chosen
from vivavoce.pipelines.clauses import Clauses
from vivavoce.pipelines.interpret.counting import Counting, answers_for
from vivavoce.pipelines.interpret.cutting import Cut, Cutter
from vivavoce.pipelines.interpret.outlet import LIMIT, Outlet
from vivavoce.pipelines.interpret.pace import Pace
from vivavoce.pipelines.interpret.reel import Reel
from vivavoce.pipelines.interpret.translating import Translator
from vivavoce.pipelines.interpret.trim import Trim
from vivavoce.pipelines.interpret.trying import Alive, tried
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.speakable import prepare, speakable
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.playout import Clause

TRANSLATING = 4
"""Segments that are translated at once."""
SPEAKING = 3
"""Clauses that are synthesised at once: the one that is played, and those behind it."""
CAPTION = 0.1
"""Seconds between two captions of one segment that grows."""
PAUSES = (0.08, 0.25)
"""Seconds of silence that are left behind a segment: within a sentence, and behind one."""
LETTER = 0.065
"""What a letter takes to say, before a synthesiser has shown it (s)."""

Settled = Literal["spoken", "written", "failed"]


class Voices(Protocol):
    """Whose voice speaks for whom."""

    def feed(self, speaker: str, pcm: Samples, speech: float) -> None:
        """Hear a speaker (int16 mono, 16 kHz), and how probable it is that somebody speaks."""

    def voice_for(
        self, speaker: str, language: str, *, begins: bool = True, at: float | None = None
    ) -> str | Speaker | None:
        """Return the voice for what a speaker said; asked before each segment is spoken.

        Args:
            speaker: Who said it.
            language: In which it is spoken.
            begins: Whether it begins a sentence.
            at: When it was said (s).
        """


class Chosen:
    """The interpreter's own voice, for everybody. Implements `Voices`."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def feed(self, speaker: str, pcm: Samples, speech: float) -> None:
        """Hear nobody."""

    def voice_for(
        self, speaker: str, language: str, *, begins: bool = True, at: float | None = None
    ) -> str | Speaker | None:
        """Return the voice for a language."""
        del speaker, begins, at
        return chosen(self._interpreter.voice, language)


@dataclass(slots=True, eq=False)
class Piece:
    """A segment on its way.

    Attributes:
        segment: The segment.
        cut: What was said.
        first: When its first word ended (s).
        spans: What was done for it, in causal order (s since the session began).
        ready: Set once it is translated, or will not be.
        clauses: What is spoken of it, in order.
    """

    segment: Segment
    cut: Cut
    first: float
    spans: list[Span]
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    clauses: list[Clause] = field(default_factory=list)


class Lane:
    """Translates what one speaker says into one language, and speaks it.

    Segments are translated at the same time and spoken strictly in order; each ends as "spoken",
    as "written" where it could not be spoken or nobody listens, or as "failed" with a reason.

    Args:
        context: The speaker's call: its clock, its books (usage, ledger, failures).
        interpreter: How it is to be done.
        models: With what.
        source: The language that is spoken.
        target: The language that is heard.
        speaker: Whose words they are.
        changed: Told of every segment that is new or has changed, on the event loop; in order.
        voices: Whose voice speaks; the interpreter's if None.
        count: Segments that a lane before this one has numbered.

    Attributes:
        segments: All segments so far, in order.
        count: The number of the last one.
        pace: How fast and how briefly it speaks.
        said: Gives when a word had been said that was understood at a moment (s), before so many
            letters that were understood then, too.
        hearer: Gives who transcribes.
    """

    def __init__(
        self,
        context: Context,
        interpreter: Interpreter,
        models: Models,
        *,
        source: str,
        target: str,
        speaker: str,
        changed: Callable[[Segment], None],
        voices: Voices | None = None,
        count: int = 0,
    ) -> None:
        self.source, self.target, self.speaker = source, target, speaker
        self.segments: list[Segment] = []
        self.count = count
        self.pace = Pace(interpreter.latency / 1000)
        self.said: Callable[[float, int], float] = lambda seen, _behind: seen
        self.hearer: Callable[[], str] = str
        self._context = context
        self._silent = interpreter.policy == "captions"
        self._speaking = models.speaking
        self._changed = changed
        self._voices: Voices = voices or Chosen(interpreter)
        self._cutter = Cutter(
            source, target, policy=interpreter.policy, target_lag=interpreter.latency / 1000
        )
        counted = Counting(models.thinking, context)
        self._translator = Translator(counted, interpreter, source, target)
        self._longest = context.agent.speech.longest
        self._reel = Reel(
            context,
            models.speaking.rate,
            self.pace,
            queue=self._queue,
            audible=self._audible,
            finished=self._finished,
        )
        self._open: deque[Piece] = deque()
        self._due: asyncio.Queue[Piece] = asyncio.Queue()
        self._letter = LETTER
        self._begins = True
        self._translations = asyncio.Semaphore(TRANSLATING)
        self._speeches = asyncio.Semaphore(SPEAKING)
        self._tasks = Tasks()
        self._working = 0
        self._closed = False
        self._worker: asyncio.Task[None] | None = None
        prepare(target)

    @property
    def rate(self) -> int:
        """Sample rate of what outlets give (Hz)."""
        return self._reel.rate

    @property
    def outlets(self) -> list[Outlet]:
        """Who listens. Without anybody nothing is spoken: segments end as captions."""
        return self._reel.outlets

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting to be cut, translated or spoken."""
        return not self._open and not self._cutter.waiting and self._reel.empty

    @property
    def busy(self) -> bool:
        """Whether a model is being waited for: time must pass as it does."""
        return self._working > 0

    @property
    def lag(self) -> float:
        """How far behind its first word a segment that is cut now will be (s), as estimated."""
        return self.pace.lag(self._queue())

    def outlet(self, *, limit: float = LIMIT) -> Outlet:
        """Let somebody listen from now on; `limit` seconds may wait for them."""
        return self._reel.outlet(limit)

    def leave(self, outlet: Outlet) -> None:
        """Somebody listens no more; idempotent. What nobody hears is not spoken."""
        self._reel.leave(outlet)
        if not self.outlets:
            self._reel.clear()
            for piece in [each for each in self._open if each.clauses]:
                for clause in piece.clauses:
                    clause.complete = True
                self._settle(piece, "written" if piece.segment.spoken_from is None else "spoken")

    # What the ear tells.

    def skip(self, segment: int, text: str) -> None:
        """Leave out what is understood of a segment by now: it begins with what comes then."""
        self._cutter.heard(segment, text, self._context.at)
        self._cutter.close(self._context.at)

    def heard(self, segment: int, text: str, *, final: bool = False) -> None:
        """Take all that is understood of the transcriber's `segment` so far."""
        if not self._closed:
            self._take(self._cutter.heard(segment, text, self._context.at, final=final))

    def tick(self, *, speaking: bool) -> None:
        """Time has passed; `speaking` says whether the speaker's voice is heard just now."""
        if not self._closed:
            self._take(self._cutter.tick(self._context.at, speaking=speaking))

    def turn_over(self) -> None:
        """The speaker has finished: what is left is translated."""
        if not self._closed:
            self._take(self._cutter.close(self._context.at))

    async def close(self) -> None:
        """End it, and everything that it waits for; idempotent.

        What was not spoken yet stays as a caption where it was translated.
        """
        self._closed = True
        await self._tasks.close()
        for outlet in list(self.outlets):
            self._reel.leave(outlet)
        self._reel.clear()
        for piece in list(self._open):
            segment = piece.segment
            if segment.spoken_from is not None:
                self._settle(piece, "spoken")
            elif segment.translated is not None:
                self._settle(piece, "written", "the session ended")
            else:
                self._settle(piece, "failed", "the session ended")

    # Inside: from words to a translation.

    def _take(self, cuts: list[Cut]) -> None:
        for place, cut in enumerate(cuts):
            now = self._context.at
            before = self.segments[-1].ended if self.segments else 0.0
            rest = (word for later in cuts[place + 1 :] for word in later.words)
            behind = sum(len(word.text) + 1 for word in rest if word.at == cut.ended)
            behind += self._cutter.letters(cut.ended)
            ended = max(before, min(now, self.said(cut.ended, behind)))
            alone = [word.text for word in cut.words if word.at == cut.started]
            first = self.said(cut.started, 0) - LETTER * len(" ".join(alone))
            started = min(ended, max(before, min(first, ended - LETTER * len(cut.text))))
            self.count += 1
            segment = Segment(
                number=self.count,
                speaker=self.speaker,
                source=self.source,
                target=self.target,
                text=cut.text,
                started=started,
                ended=ended,
                closes=cut.closes,
                cut=now,
            )
            if hearer := self.hearer():
                segment.served["hearing"] = hearer
            spans = [Span("transcription", ended, cut.ended), Span("endpointing", cut.ended, now)]
            first = min(ended, started + LETTER * len(cut.words[0].text))
            piece = Piece(segment, cut, first, spans)
            self.segments.append(segment)
            self._open.append(piece)
            self._due.put_nowait(piece)
            self._changed(segment)
            self._tasks.spawn(self._translate(piece), "translation")
        if cuts and self._worker is None:
            self._worker = self._tasks.spawn(self._speak_all(), "speech in order")

    async def _translate(self, piece: Piece) -> None:
        segment = piece.segment
        self._working += 1
        answers_for.set(segment.served)
        try:
            async with self._translations:
                segment.state = "translating"
                segment.condensed = self.pace.wording(self._queue(before=piece))
                self._changed(segment)
                await tried("thinking", partial(self._translated, piece))
        except ModelError as error:
            self._fail(error)
            self._settle(piece, "failed", str(error))
        finally:
            self._working -= 1
            piece.ready.set()

    async def _translated(self, piece: Piece, alive: Alive) -> None:
        """Translate a segment once."""
        context, segment = self._context, piece.segment
        del piece.spans[2:]
        started, first, shown, text = context.at, 0.0, 0.0, ""
        stream: AsyncGenerator[str] = self._translator.stream(piece.cut, condense=segment.condensed)
        async with aclosing(stream) as pieces:
            async for each in pieces:
                alive()
                now = context.at
                first = first or now
                text += each
                if now - shown >= CAPTION and text.strip():
                    shown = now
                    segment.caption(text.strip())
                    self._changed(segment)
        if not text.strip():
            raise ModelError("thinking", "broken", "the model gave no translation")
        segment.caption(text.strip())
        segment.translated = context.at
        piece.spans += [Span("thinking", started, first), Span("clause", first, context.at)]

    # Inside: from a translation to speech.

    async def _speak_all(self) -> None:
        """Have segments spoken, in order."""
        while True:
            piece = await self._due.get()
            await piece.ready.wait()
            if piece.segment.settled:
                continue
            if self._silent or not self.outlets:
                self._settle(piece, "written")
                continue
            await self._speak(piece)

    async def _speak(self, piece: Piece) -> None:
        segment = piece.segment
        clauses = Clauses(first_words=8, longest=self._longest)
        texts = [*clauses.feed(segment.translation), *clauses.finish()]
        if not any(speakable(text, self.target).said for text in texts):
            self._settle(piece, "written", "there is nothing in it to be said")
            return
        segment.state = "queued"
        self._changed(segment)
        voice = self._voices.voice_for(
            self.speaker,
            self.target,
            begins=self._begins,
            at=(segment.started + segment.ended) / 2,
        )
        self._begins = segment.closes
        segment.voice = _name(voice)
        piece.clauses = [Clause(piece, text, interruptible=False) for text in texts]
        for clause in piece.clauses:
            self._reel.append(clause)
        for clause in piece.clauses:
            await self._speeches.acquire()
            self._tasks.spawn(self._synthesise(piece, clause, voice), "speech")

    async def _synthesise(self, piece: Piece, clause: Clause, voice: str | Speaker | None) -> None:
        self._working += 1
        try:
            if not clause.complete:
                await tried("speaking", partial(self._synthesised, piece, clause, voice))
        except ModelError as error:
            self._fail(error)
            clause.broken = True
            piece.segment.why = str(error)
        finally:
            self._working -= 1
            self._speeches.release()
            clause.complete = True
            if all(each.complete and not each.received for each in piece.clauses):
                self._reel.remove(piece.clauses)
                self._settle(piece, "written", piece.segment.why)

    async def _synthesised(
        self, piece: Piece, clause: Clause, voice: str | Speaker | None, alive: Alive
    ) -> None:
        """Synthesise a clause once; never again once something of it was given."""
        context, segment = self._context, piece.segment
        text = speakable(clause.text, self.target).said
        if clause.received:
            # It broke off: what is heard of it cannot be said again.
            clause.broken = True
            segment.why = "the speech broke off"
            context.fail("speaking", f"the speech of segment {segment.number} broke off", "broken")
        if clause.received or not text:
            return
        rate = self._speaking.rate
        last = clause is piece.clauses[-1]
        trim = Trim(rate, PAUSES[1] if last and segment.closes else PAUSES[0])
        noted = Noting(
            context, partial(segment.served.__setitem__, "speaking"), characters=len(text)
        )
        context.call.usage.characters += len(text)
        started = context.at
        stream = self._speaking.stream(text, voice=voice, language=self.target)
        with served.listening(noted):
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    alive()
                    samples = trim.feed(chunk)
                    if len(samples) and not any(each.received for each in piece.clauses):
                        piece.spans.append(Span("speech", started, context.at))
                        self.pace.ready(segment.cut - piece.first, context.at - segment.cut)
                    clause.add(samples)
        clause.add(trim.finish())
        self._learn(len(text), clause.received / rate)

    def _learn(self, letters: int, seconds: float) -> None:
        """Note how long some letters took to say."""
        if seconds:
            self._letter += 0.2 * (seconds / max(8, letters) - self._letter)

    # Inside: what the reel tells.

    def _queue(self, before: Piece | None = None) -> float:
        """Return the seconds of speech that come before a segment, or before the next one."""
        seconds = self._reel.waiting
        for piece in self._open:
            if piece is before:
                break
            if not piece.clauses:
                text = piece.segment.translation or piece.segment.text
                seconds += 0.0 if self._silent else self._letter * len(text)
            for clause in piece.clauses:
                if not clause.complete:
                    got = clause.received / self.rate
                    seconds += max(0.0, self._letter * len(clause.text) - got)
        return seconds

    def _audible(self, clause: Clause, moment: float) -> None:
        piece = clause.owner
        assert isinstance(piece, Piece)
        segment = piece.segment
        if segment.spoken_from is not None:
            return
        segment.spoken_from = moment
        segment.state = "speaking"
        began = self._context.began
        spans = [Span(each.stage, each.start + began, each.end + began) for each in piece.spans]
        segment.latency = account(segment.ended + began, moment + began, spans)
        self._context.call.ledger.add(segment.latency, segment.served)
        self._changed(segment)

    def _finished(self, clause: Clause, moment: float, speed: float) -> None:
        piece = clause.owner
        assert isinstance(piece, Piece)
        if piece.segment.settled or clause is not piece.clauses[-1]:
            return
        piece.segment.speed = speed
        piece.segment.spoken_to = moment
        # Where there was not a sound in it, it was not spoken.
        self._settle(piece, "written" if piece.segment.spoken_from is None else "spoken")

    def _settle(self, piece: Piece, state: Settled, why: str = "") -> None:
        """A segment is over."""
        segment = piece.segment
        with suppress(ValueError):
            self._open.remove(piece)
        if segment.settled:
            return
        if state == "spoken" and segment.spoken_to is None:
            segment.spoken_to = self._context.at
        segment.state = state
        segment.why = why or segment.why
        self._changed(segment)

    def _fail(self, error: ModelError) -> None:
        self._context.fail(error.stage, str(error), error.kind)


def _name(voice: str | Speaker | None) -> str:
    """Return a voice's name; "speaker" where it is copied from a sample."""
    if isinstance(voice, Speaker):
        return "speaker" if voice.sample is not None else voice.voice or ""
    return voice or ""
