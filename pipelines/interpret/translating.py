"""Translating: pieces of speech through a chat model, each going on from those before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from vivavoce.agent.interpreter import Interpreter
from vivavoce.agent.languages import base
from vivavoce.agent.languages import check as checked
from vivavoce.pipelines.interpret import prompt
from vivavoce.pipelines.interpret.cutting import Cut
from vivavoce.pipelines.interpret.grammar import closes
from vivavoce.pipelines.interpret.rendering import check, mend
from vivavoce.pipelines.interpret.settling import (
    QUOTES,
    Fault,
    clipped,
    fault,
    joined,
    settle,
    too_long,
)
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import TextDelta, Thinking

PAIRS = 4
"""Pieces with their translations that a model is reminded of."""
PATIENCE = 3.5
"""Seconds for one answer to a short piece; a piece may take two answers."""
PER_WORD = 0.05
"""Seconds more for each word beyond those of a short piece."""
SHORT = 24
"""Words of a piece up to which its translation is judged as a whole before any of it is given."""
OPENING = 80
"""Characters of a longer one that are judged before they are given."""
_HELD = 16
"""Characters at the end of a longer one that are kept back while it is written."""
_MOST = 40_000
"""Characters of an answer, with what is no translation in it, that are read."""


class Translator:
    """Translates one speaker's pieces into one language.

    Pieces may be translated at the same time; each is told of those before it that are done.

    Args:
        thinking: The model.
        interpreter: Whose glossary and style hold.
        source: The code of the language that is spoken; the interpreter's source, or where it
            interprets both ways, its target.
        target: The code of the language to translate into.
        patience: Seconds for one answer.

    Raises:
        vivavoce.agent.languages.LanguageError: If a language cannot be spoken.
    """

    def __init__(
        self,
        thinking: Thinking,
        interpreter: Interpreter,
        source: str,
        target: str,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._thinking = thinking
        self._source, self._target = base(checked(source)), base(checked(target))
        given = interpreter.glossary
        if self._source != base(interpreter.source):
            given = {said or term: term for term, said in given.items()}
        self._glossary = given
        self._style = interpreter.style
        self._patience = patience
        self._done: dict[int, tuple[str, str]] = {}

    async def stream(self, cut: Cut, *, condense: int = 0) -> AsyncGenerator[str]:
        """Translate a piece; joined, what it gives is the translation.

        An answer that cannot be a translation is asked for once more. If the second one is no
        better, it is taken as it is, without what is not a translation in it; a refusal never is.
        Closing the iterator ends the request; cancelling, too.

        Args:
            cut: The piece.
            condense: How much shorter than usual the translation is to be: 0, 1 or 2.

        Raises:
            ModelError: If the server fails or takes too long, or if no translation came of it.
        """
        said, long = cut.text, len(cut.words) > SHORT
        answers: list[tuple[str, Fault]] = []
        while True:
            answer = given = ""
            async with aclosing(self._ask(cut, condense, answers)) as texts:
                async for text in texts:
                    answer += text
                    if long and (ready := self._ready(answer, given, cut)):
                        given += ready
                        yield ready
                    if len(answer) > _MOST or too_long(len(settle(answer, said)), said):
                        break
            translation = self._settled(answer, cut)
            if given:
                # What was given stays given: nothing is asked again.
                rest = translation[len(given) :] if translation.startswith(given) else ""
                self._note(cut, given + rest)
                if rest:
                    yield rest
                return
            found = self._fault(translation, said)
            if found is None:
                break
            answers.append((translation, found))
            if len(answers) == 2:
                translation = _better(answers, said)
                break
        if translation:
            self._note(cut, translation)
            yield translation

    def _settled(self, answer: str, cut: Cut) -> str:
        """Return what of an answer is the translation, as it goes on from the one before."""
        before = self._done.get(cut.number - 1)
        ended = cut.closes or closes(cut.text, self._source)
        text = joined(settle(answer, cut.text), cut.text, before, closes=ended)
        return mend(text, cut.text, self._source, self._target)

    def _ready(self, answer: str, given: str, cut: Cut) -> str:
        """Return what more of an answer can be given while it is still being written."""
        text, said = self._settled(answer, cut), cut.text
        if not given:
            doubt = len(text) < OPENING or (text[0] in QUOTES and said[:1] not in QUOTES)
            if doubt or ((found := self._fault(text, said)) is not None and found.grave):
                return ""
        ready = text[:-_HELD].rpartition(" ")[0]
        # It may be a note of the model's own, which is taken away once it is whole.
        opened = max(ready.rfind("("), ready.rfind("["))
        if opened > max(ready.rfind(")"), ready.rfind("]")):
            ready = ready[:opened].rstrip()
        return ready[len(given) :] if ready.startswith(given) else ""

    def _fault(self, translation: str, said: str) -> Fault | None:
        found = fault(translation, said, self._source, self._target, glossary=self._glossary)
        if found is None and (lost := check(said, self._source, translation, self._target)):
            return Fault("number", f"it had lost {', '.join(lost)}", grave=False)
        return found

    def _note(self, cut: Cut, translation: str) -> None:
        """Remember a piece as context for those behind it."""
        if translation and cut.text:
            self._done[cut.number] = (cut.text, translation)
        for number in sorted(self._done)[: -2 * PAIRS]:
            del self._done[number]

    async def _ask(
        self, cut: Cut, condense: int, answers: Sequence[tuple[str, Fault]]
    ) -> AsyncGenerator[str]:
        """Give the model's answer as it comes; `answers` are those that were no good."""
        told = prompt.system(
            self._source,
            self._target,
            glossary=self._glossary,
            style=self._style,
            condense=condense,
            again=answers[-1][1].why if answers else "",
        )
        before = [number for number in sorted(self._done) if number < cut.number]
        pairs = [self._done[number] for number in before[-PAIRS:]]
        patience = self._patience + PER_WORD * max(0, len(cut.words) - SHORT)
        until = asyncio.get_running_loop().time() + patience
        thoughts = self._thinking.stream(prompt.messages(told, pairs, cut.text), ())
        async with aclosing(thoughts):
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        thought = await anext(thoughts)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    detail = f"no whole translation within {patience:g} s"
                    raise ModelError("thinking", "timeout", detail) from None
                if isinstance(thought, TextDelta):
                    yield thought.text


def _better(answers: Sequence[tuple[str, Fault]], said: str) -> str:
    """Return what is taken of answers that were all found fault with.

    Raises:
        ModelError: If none of them can be taken.
    """
    # A flaw is better than no translation; of two alike, the second was told what is wrong.
    text, found = min(reversed(answers), key=lambda answer: answer[1].grave)
    if found.kind in {"empty", "refusal"}:
        raise ModelError("thinking", "broken", f"the model gave no translation: {found.why}")
    return clipped(text, said)
