"""A lane: one speaker's words into one language, spoken in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Literal

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.ledger import Span, account
from vivavoce.agent.segment import Segment
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.clauses import Clauses
from vivavoce.pipelines.interpret.counting import Counting, answers_for
from vivavoce.pipelines.interpret.cutting import Cut, Cutter
from vivavoce.pipelines.interpret.outlet import LIMIT, Outlet
from vivavoce.pipelines.interpret.pace import Pace
from vivavoce.pipelines.interpret.piece import Chosen, Piece, Voices, name_of
from vivavoce.pipelines.interpret.reel import Reel
from vivavoce.pipelines.interpret.translating import SHORT, Translator
from vivavoce.pipelines.interpret.trim import Trim
from vivavoce.pipelines.interpret.trying import Alive, tried
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.speakable import prepare, speakable
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.tasks import Tasks
from vivavoce.pipelines.turns.playout import Clause

TRANSLATING = 4
"""Segments that are translated at once."""
FIRST_WORDS = (8, 3)
"""Words that a first clause has at least: of a short translation, and of one that is spoken while
it is still being written."""
SPEAKING = 3
"""Clauses that are synthesised at once: the one that is played, and those behind it."""
CAPTION = 0.1
"""Seconds between two captions of one segment that grows."""
PAUSES = (0.08, 0.25)
"""Seconds of silence that are left behind a segment: within a sentence, and behind one."""
LETTER = 0.065
"""What a letter takes to say, before a synthesiser has shown it (s)."""

Settled = Literal["spoken", "written", "failed"]


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
                self._settle(piece, "written", "the session ended", "over")
            else:
                self._settle(piece, "failed", "the session ended", "over")

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
                await tried("thinking", partial(self._translated, piece), lambda: piece.given)
        except ModelError as error:
            self._fail(error)
            if piece.given:
                # It broke off: what is being spoken stays, and cannot be translated again.
                segment.translated = self._context.at
                segment.why, segment.error = str(error), error.kind
            else:
                self._settle(piece, "failed", str(error), error.kind)
        finally:
            self._working -= 1
            piece.texts.put_nowait(None)

    async def _translated(self, piece: Piece, alive: Alive) -> None:
        """Translate a segment once; what is given is spoken while the rest is still written."""
        context, segment = self._context, piece.segment
        del piece.spans[2:]
        started, shown, text = context.at, 0.0, ""
        # A long translation is spoken while it is written; a short one is one clause.
        long = len(piece.cut.words) > SHORT
        clauses = Clauses(first_words=FIRST_WORDS[long], longest=self._longest)
        stream: AsyncGenerator[str] = self._translator.stream(piece.cut, condense=segment.condensed)
        async with aclosing(stream) as pieces:
            async for each in pieces:
                alive()
                now = context.at
                if not text:
                    piece.began = now
                    piece.spans.append(Span("thinking", started, now))
                text += each
                if long:
                    self._give(piece, clauses.feed(each))
                if now - shown >= CAPTION and text.strip():
                    shown = now
                    segment.caption(text.strip())
                    self._changed(segment)
        if not text.strip():
            raise ModelError("thinking", "broken", "the model gave no translation")
        segment.caption(text.strip())
        segment.translated = context.at
        self._give(piece, [*([] if long else clauses.feed(text)), *clauses.finish()])

    def _give(self, piece: Piece, texts: list[str]) -> None:
        """Have clauses of a translation spoken that are not going to change."""
        if texts and not piece.given:
            piece.given = True
            piece.spans.append(Span("clause", piece.began, self._context.at))
        for text in texts:
            piece.texts.put_nowait(text)

    # Inside: from a translation to speech.

    async def _speak_all(self) -> None:
        """Have segments spoken, in order."""
        while True:
            await self._speak(await self._due.get())

    async def _speak(self, piece: Piece) -> None:
        segment, voice = piece.segment, None
        while (text := await piece.texts.get()) is not None:
            said = speakable(text, self.target).said
            if self._silent or not self.outlets or segment.settled or not said:
                continue
            if not piece.clauses:
                segment.state = "queued"
                self._changed(segment)
                voice = self._voice(segment)
            clause = Clause(segment, text, interruptible=False)
            piece.clauses.append(clause)
            self._reel.append(clause)
            await self._speeches.acquire()
            self._tasks.spawn(self._synthesise(piece, clause, voice), "speech")
        piece.whole = True
        if segment.translated is None:
            self._settle(piece, "failed", "it was not translated")
        elif not piece.clauses:
            self._settle(piece, "written")
        self._see(piece)

    def _voice(self, segment: Segment) -> str | Speaker | None:
        """Return whose voice speaks a segment; it is the same to its end."""
        at = (segment.started + segment.ended) / 2
        voice = self._voices.voice_for(self.speaker, self.target, begins=self._begins, at=at)
        self._begins = segment.closes
        segment.voice = name_of(voice)
        return voice

    async def _synthesise(self, piece: Piece, clause: Clause, voice: str | Speaker | None) -> None:
        self._working += 1
        try:
            if not clause.complete:
                work = partial(self._synthesised, piece, clause, voice)
                await tried("speaking", work, lambda: clause.received > 0)
        except ModelError as error:
            self._fail(error)
            clause.broken = True
            piece.segment.why, piece.segment.error = str(error), error.kind
        finally:
            self._working -= 1
            self._speeches.release()
            clause.complete = True
            self._see(piece)

    def _see(self, piece: Piece) -> None:
        """See whether all of a segment was spoken, or nothing of it can be."""
        if not piece.whole or piece.segment.settled:
            return
        if all(clause.complete and not clause.received for clause in piece.clauses):
            self._reel.remove(piece.clauses)
            self._settle(piece, "written")
        elif all(clause.over for clause in piece.clauses):
            # Where there was not a sound in it, it was not spoken.
            self._settle(piece, "written" if piece.segment.spoken_from is None else "spoken")

    async def _synthesised(
        self, piece: Piece, clause: Clause, voice: str | Speaker | None, alive: Alive
    ) -> None:
        """Synthesise a clause once."""
        context, segment = self._context, piece.segment
        text = speakable(clause.text, self.target).said
        rate = self._speaking.rate
        last = piece.whole and clause is piece.clauses[-1]
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
            if not piece.whole and not self._silent:
                text = piece.segment.translation or piece.segment.text
                begun = sum(len(clause.text) for clause in piece.clauses)
                seconds += max(0.0, self._letter * (len(text) - begun))
            for clause in piece.clauses:
                if not clause.complete:
                    got = clause.received / self.rate
                    seconds += max(0.0, self._letter * len(clause.text) - got)
        return seconds

    def _piece(self, clause: Clause) -> Piece | None:
        """Return what a clause is of, unless that is settled."""
        return next((piece for piece in self._open if piece.segment is clause.owner), None)

    def _audible(self, clause: Clause, moment: float) -> None:
        piece = self._piece(clause)
        if piece is None or piece.segment.spoken_from is not None:
            return
        segment = piece.segment
        segment.spoken_from = moment
        segment.state = "speaking"
        began = self._context.began
        spans = [Span(each.stage, each.start + began, each.end + began) for each in piece.spans]
        segment.latency = account(segment.ended + began, moment + began, spans)
        self._context.call.ledger.add(segment.latency, segment.served)
        self._changed(segment)

    def _finished(self, clause: Clause, moment: float, speed: float) -> None:
        if (piece := self._piece(clause)) is not None:
            piece.segment.speed = speed
            piece.segment.spoken_to = moment
            self._see(piece)

    def _settle(self, piece: Piece, state: Settled, why: str = "", error: str = "") -> None:
        """A segment is over."""
        segment = piece.segment
        with suppress(ValueError):
            self._open.remove(piece)
        if segment.settled:
            return
        if state == "spoken" and segment.spoken_to is None:
            segment.spoken_to = self._context.at
        segment.state = state
        segment.why, segment.error = why or segment.why, error or segment.error
        self._changed(segment)

    def _fail(self, error: ModelError) -> None:
        self._context.fail(error.stage, str(error), error.kind)
