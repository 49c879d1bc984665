from __future__ import annotations

import asyncio
import contextvars
import weakref
from contextlib import aclosing

import numpy as np
import pytest

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.pipelines.clock import Clock
from vivavoce.pipelines.models import served
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.failover import FailoverSpeaking, FailoverThinking
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Usage
from vivavoce.pipelines.models.succession import Provider
from vivavoce.pipelines.stage import Context, Noting

TEXT, END = TextDelta("Yes."), Finished("stop", Usage(12, 3))


class Scripted:
    rate = 24_000

    def __init__(self, *pieces):
        self._pieces = pieces

    async def stream(self, *_asked, **_how):
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                await asyncio.sleep(60)
            yield piece


def thinking(*models):
    return FailoverThinking(
        [Provider(name, model) for name, model in zip("abc", models, strict=False)], now=lambda: 0.0
    )


@pytest.fixture
async def noted():
    async def trouble(_error):
        pass

    call = Call(Agent())
    context = Context(call, Clock(), 0.0, trouble)
    return Noting(context, lambda _provider: None, characters=4), call.ledger.requests


async def test_a_request_is_entered_with_its_times_and_tokens(noted):
    noting, requests = noted
    with served.listening(noting):
        async with aclosing(thinking(Scripted(TEXT, END)).stream([], [])) as thoughts:
            async for thought in thoughts:
                if isinstance(thought, Finished):
                    noting.used(thought.usage.prompt, thought.usage.completion)
    (request,) = requests
    assert (request.stage, request.provider, request.outcome) == ("thinking", "a", "whole")
    assert (request.prompt, request.completion, request.characters) == (12, 3, 4)
    assert request.began <= request.first <= request.ended


async def test_one_that_fails_and_the_one_after_it_are_two(noted):
    noting, requests = noted
    busy = ModelError("thinking", "busy", "too many")
    model = thinking(Scripted(busy), Scripted(TEXT, END))
    with served.listening(noting):
        async with aclosing(model.stream([], [])) as thoughts:
            assert [each async for each in thoughts][-1] == END
    assert [(each.provider, each.outcome) for each in requests] == [("a", "busy"), ("b", "whole")]
    assert requests[0].first is None
    assert model.states() == {"a": "open", "b": "closed"}


async def test_what_nobody_wants_to_the_end_was_cut(noted):
    noting, requests = noted
    with served.listening(noting):
        async with aclosing(thinking(Scripted(TEXT, END)).stream([], [])) as thoughts:
            async for _ in thoughts:
                break
    assert requests[0].outcome == "cut"


async def test_what_was_cancelled_was_cut(noted):
    noting, requests = noted
    sound = np.zeros(10, np.int16)
    model = FailoverSpeaking([Provider("s", Scripted(sound, None))])

    async def speak():
        with served.listening(noting):
            async with aclosing(model.stream("a", voice=None, language="en")) as chunks:
                async for _ in chunks:
                    pass

    task = asyncio.create_task(speak())
    while not requests or requests[0].first is None:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (requests[0].stage, requests[0].outcome) == ("speaking", "cut")


async def test_models_say_how_their_breakers_stand_and_where_they_are(profile):
    from tests.web.calls import sandboxed

    async with sandboxed(profile()) as models:
        assert {stage: list(states.values()) for stage, states in models.breakers().items()} == {
            "hearing": ["closed"],
            "thinking": ["closed"],
            "speaking": ["closed"],
        }
        assert [where.model for where in models.endpoints["thinking"]] == ["mistral-small-latest"]


def test_what_outlives_a_request_does_not_hold_who_listened():
    # A connection that a request opens stays, for many calls, with the context of that request.
    def note(_stage, _provider, _failed):
        told.append(_provider)

    told: list[str] = []
    with served.listening(note):
        kept = contextvars.copy_context()
        kept.run(served.tell, "thinking", "a")
    kept.run(served.tell, "thinking", "b")
    assert told == ["a"]
    listener = weakref.ref(note)
    del note
    assert listener() is None
    assert kept
