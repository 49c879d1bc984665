"""The responder: makes one answer, by the chat model and its tools, or by the agent's function.

Whether an answer is wanted at all, and whether it is still a guess, others decide; here nothing
acts before `Answer.committed` is set.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

from vivavoce.agent import history
from vivavoce.agent.ledger import Span
from vivavoce.agent.phrases import NOT_ANSWERED, phrase
from vivavoce.agent.transcript import News, Reply
from vivavoce.pipelines.answer import Answer
from vivavoce.pipelines.hands import Hands
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thinking, ToolCallDelta
from vivavoce.pipelines.stage import Context, Noting
from vivavoce.pipelines.writer import RefusedError, Writer

WITHHELD = "(What the caller said here is withheld.)"
"""What the model is told in place of words that a check refused."""


class Responder:
    """Makes the answers of one call.

    Args:
        context: The call.
        thinking: The chat model.
        hands: Runs the tools that it calls.
        writer: Writes its replies.
    """

    def __init__(self, context: Context, thinking: Thinking, hands: Hands, writer: Writer) -> None:
        self._context, self._thinking = context, thinking
        self._hands, self._writer = hands, writer

    async def respond(self, answer: Answer) -> None:
        """Make an answer. What fails is reported; of a guess, once it comes true.

        Cancelling it ends the model's writing, and no tool.
        """
        context = self._context
        try:
            if await self._refused(answer):
                return
            if context.agent.answerer is not None and answer.turn is not None:
                await self._answer_by_function(answer)
            else:
                await self._answer_by_model(answer)
            if answer.cut:
                await answer.committed.wait()
                bound = context.agent.limits.reply
                context.fail("thinking", f"a reply was ended: it passed Limits(reply={bound})")
            if context.call.greeting_due:
                await self.greet(answer)
        except ModelError as error:
            if not answer.committed.is_set():
                answer.failed = error
                return
            if answer.drafts:
                await self._writer.close(answer.drafts[-1])
            await context.trouble(error)
        except Exception as error:  # noqa: BLE001 (the user's own instructions)
            await answer.committed.wait()
            if answer.drafts:
                await self._writer.close(answer.drafts[-1])
            context.fail("thinking", f"the agent failed: {type(error).__name__}: {error}")
            await context.trouble(None)

    async def greet(self, answer: Answer) -> None:
        """Say the greeting of the agent that took the call over, where it has one."""
        call = self._context.call
        call.greeting_due = False
        text = await self._context.agent.greeting_for(call)
        if text:
            await self._writer.say(answer, text)

    async def _refused(self, answer: Answer) -> bool:
        """Have the agent's checks judge what was heard; say the words of one that refuses."""
        if answer.turn is None:
            return False
        agent, call, utterance = self._context.agent, self._context.call, answer.turn.utterance
        judged = await agent.judge_heard(call, utterance.text)
        if judged.refused:
            utterance.told = WITHHELD
            words = judged.words or phrase(NOT_ANSWERED, call.language)
            self._writer.note(answer, "heard", utterance.text, words, refused=True, why=judged.why)
            await self._writer.say(answer, words)
        elif judged.text != utterance.text:
            utterance.told = judged.text
            self._writer.note(answer, "heard", utterance.text, judged.text)
        return judged.refused

    async def _answer_by_function(self, answer: Answer) -> None:
        # The function is the user's and may act: it never runs on a guess.
        await answer.committed.wait()
        agent, call = self._context.agent, self._context.call
        assert answer.turn is not None
        utterance = answer.turn.utterance
        text = utterance.text if utterance.told is None else utterance.told
        # Begun with its first words: what the function says and asks of itself comes before.
        draft: Reply | None = None
        started = self._context.clock.now()
        try:
            async with aclosing(agent.answer(call, text)) as pieces:
                async for piece in pieces:
                    if not piece:
                        continue
                    draft = draft or await self._writer.begin(answer)
                    span = Span("thinking", started, self._context.clock.now())
                    if not await self._writer.write(answer, draft, piece, (span,)):
                        break
            if draft is not None:
                await self._writer.finish(answer, draft)
        except RefusedError:
            pass
        except Exception as error:  # noqa: BLE001 (the user's own function)
            message = f"the agent's reply function failed: {type(error).__name__}: {error}"
            if draft is not None:
                await self._writer.close(draft)
            self._context.fail("thinking", message)
            await self._context.trouble(None)
            return
        if draft is not None:
            await self._writer.close(draft)
        elif call.phase == "thinking":
            call.phase = "listening"

    async def _answer_by_model(self, answer: Answer) -> None:
        context = self._context
        started = context.clock.now()
        await self._hands.settle()
        spans: tuple[Span, ...] = (Span("tools", started, context.clock.now()),)
        for remaining in range(context.agent.limits.tool_rounds, -1, -1):
            if answer.committed.is_set():
                self._tell_late_results(answer)
            draft = await self._writer.begin(answer)
            spans, calls = await self._think(answer, draft, spans, with_tools=remaining > 0)
            if not calls:
                await self._writer.close(draft)
                if not draft.generated:
                    raise ModelError("thinking", "broken", "the model answered with nothing")
                return
            # Tools act on the world: never on a guess.
            await answer.committed.wait()
            started = context.clock.now()
            grip = self._hands.take(calls)
            if draft.generated or not grip.filler:
                # Nothing is to be said any more: what a tool says itself must not wait for it.
                await self._writer.close(draft)
                grip.filler = ""

            async def say(filler: str, draft: Reply = draft) -> None:
                await self._writer.put(draft, filler)
                await self._writer.close(draft)

            await self._hands.wait(grip, say)
            spans = (*spans, Span("tools", started, context.clock.now()))
            if grip.filler:
                await self._writer.close(draft)
            if context.call.greeting_due or context.call.joined:
                return

    def _tell_late_results(self, answer: Answer) -> None:
        """Let the model know what came of tools in the background, before what it answers."""
        for text in self._hands.take_news():
            answer.place(News(f"({text})", self._context.at), self._context.call.transcript)

    async def _think(
        self, answer: Answer, draft: Reply, spans: tuple[Span, ...], *, with_tools: bool
    ) -> tuple[tuple[Span, ...], list[ToolCallDelta]]:
        """Have the model write; return what it took and the tools that it calls."""
        context = self._context
        agent, call = context.agent, context.call
        await context.prepare(agent)
        entries, limits = answer.told(call.transcript, draft), agent.limits
        messages = history.messages(
            await agent.instructions_for(call),
            entries,
            tokens=limits.history_tokens,
            turns=limits.history_turns,
        )
        history.make_ready(messages)
        tools = agent.tools.definitions if with_tools else []
        call.ledger.speculation.requests += 1
        call.usage.requests += 1
        started = context.clock.now()
        first: Span | None = None
        calls: list[ToolCallDelta] = []
        noted = Noting(context, partial(draft.served.__setitem__, "thinking"))
        try:
            with served.listening(noted):
                async with aclosing(self._thinking.stream(messages, tools)) as thoughts:
                    async for thought in thoughts:
                        if isinstance(thought, TextDelta | ToolCallDelta) and first is None:
                            first = Span("thinking", started, context.clock.now())
                        if isinstance(thought, TextDelta):
                            answer.tokens += 1
                            call.ledger.speculation.tokens += 1
                            told = (*spans, *_some(first))
                            if not await self._writer.write(answer, draft, thought.text, told):
                                calls.clear()
                                break
                        elif isinstance(thought, ToolCallDelta):
                            calls.append(thought)
                        elif isinstance(thought, Finished):
                            call.usage.prompt_tokens += thought.usage.prompt
                            call.usage.completion_tokens += thought.usage.completion
                            noted.used(thought.usage.prompt, thought.usage.completion)
            await self._writer.finish(answer, draft)
        except RefusedError:
            calls = []
        return (*spans, Span("thinking", started, context.clock.now())), calls


def _some(span: Span | None) -> tuple[Span, ...]:
    return () if span is None else (span,)
