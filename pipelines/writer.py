"""The writer: sends an answer's replies to the mouth, as the agent's checks let them pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pipecat.frames.frames import Frame

from vivavoce.agent.events import Checked
from vivavoce.agent.ledger import Span
from vivavoce.agent.phrases import NOT_ANSWERED, phrase
from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.answer import Answer
from vivavoce.pipelines.frames import ReplyEndFrame, ReplyStartFrame, ReplyTextFrame
from vivavoce.pipelines.stage import Context


class RefusedError(Exception):
    """A check refused a clause: the reply is over."""


class Writer:
    """Writes the replies of one call.

    Args:
        context: The call.
        push: Sends a frame downstream.
    """

    def __init__(self, context: Context, push: Callable[[Frame], Awaitable[None]]) -> None:
        self._context, self._push = context, push

    async def begin(self, answer: Answer) -> Reply:
        """Begin a reply of an answer; it enters the transcript if the turn is decided."""
        draft = answer.begin(self._context.agent.speech.longest)
        if answer.committed.is_set():
            self._context.call.transcript.add(draft)
        turn = answer.turn
        await self._push(
            ReplyStartFrame(
                reply=draft,
                stopped=None if turn is None else turn.stopped,
                spans=() if turn is None else turn.spans,
                guess=answer.guess,
            )
        )
        return draft

    async def write(self, answer: Answer, draft: Reply, text: str, spans: tuple[Span, ...]) -> bool:
        """Have a piece of text said; clause by clause, where there are checks on them.

        Args:
            answer: What it belongs to.
            draft: The reply.
            text: The piece.
            spans: What had to be done before it.

        Returns:
            Whether there is room for more in the reply.

        Raises:
            RefusedError: A check refused a clause; other words were said in its place.
        """
        agent = self._context.agent
        text = answer.take(text, agent.limits.reply)
        if agent.judges_replies:
            for clause in answer.gate.feed(text):
                await self._check(answer, draft, clause, spans)
        else:
            await self.put(draft, text, spans)
        return not answer.cut

    async def finish(self, answer: Answer, draft: Reply) -> None:
        """Have the rest of a reply said that checks have not seen.

        Raises:
            RefusedError: As `write`.
        """
        if self._context.agent.judges_replies:
            for clause in answer.gate.finish():
                await self._check(answer, draft, clause, ())

    async def put(self, draft: Reply, text: str, spans: tuple[Span, ...] | None = None) -> None:
        """Have a text said that no check sees.

        Args:
            draft: The reply.
            text: The text.
            spans: What had to be done before it; None: nothing, it was ready now.
        """
        if spans is None:
            now = self._context.clock.now()
            spans = (Span("thinking", now, now),)
        await self._push(ReplyTextFrame(text, reply=draft, spans=spans))

    async def close(self, draft: Reply) -> None:
        """End a reply: all of its text was given."""
        await self._push(ReplyEndFrame(reply=draft))

    async def say(self, answer: Answer, text: str) -> None:
        """Have a text of our own said, as a whole reply of an answer."""
        draft = await self.begin(answer)
        await self.put(draft, text)
        await self.close(draft)

    def note(
        self,
        answer: Answer,
        what: str,
        text: str,
        instead: str,
        *,
        refused: bool = False,
        why: str = "",
    ) -> None:
        """Note what a check did; it is told once the turn is decided.

        Args:
            answer: For which answer.
            what: What it judged: "heard" or "reply".
            text: What it was given.
            instead: What stands in its place.
            refused: Whether it refused it.
            why: What failed, if it failed.
        """
        answer.checked.append(Checked(self._context.at, what, text, instead, refused, why))
        if answer.committed.is_set():
            self.tell_checked(answer)

    def tell_checked(self, answer: Answer) -> None:
        """Tell what checks did while it was a guess."""
        checked, answer.checked = answer.checked, []
        for event in checked:
            if event.why:
                self._context.fail("checks", event.why)
            self._context.emit(event)

    async def _check(
        self, answer: Answer, draft: Reply, clause: str, spans: tuple[Span, ...]
    ) -> None:
        context = self._context
        started = context.clock.now()
        judged = await context.agent.judge_reply(context.call, clause)
        # Judging is a part of gathering what can be said.
        spans = (*spans, Span("clause", started, context.clock.now())) if spans else spans
        if judged.refused:
            words = judged.words or phrase(NOT_ANSWERED, context.call.language)
            self.note(answer, "reply", clause, words, refused=True, why=judged.why)
            await self.put(draft, words, spans)
            raise RefusedError
        if judged.text != clause:
            self.note(answer, "reply", clause, judged.text)
        if judged.text.strip():
            await self.put(draft, f"{judged.text} ", spans)
