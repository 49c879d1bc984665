"""Guesses in whole calls: heard when they come true, and never have been when they do not."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from tests.speech import speak
from vivavoce.agent import Agent, Call, Limits, Turns
from vivavoce.agent.phrases import APOLOGY, FAREWELL
from vivavoce.pipelines.turns.playout import AUDIBLE

# Decides late, so that a guess is always made before; asks the transcriber once per sentence.
LATE = Turns(flush_after=0.25, min_silence=0.9, unsure_silence=1.0, max_silence=1.5)
HELLO = "I would like to book a table please."
REPLY = "Of course, for how many people?"
CALL = {"name": "free_tables", "arguments": {"day": "friday"}}
SORRY, BYE = APOLOGY["en"], FAREWELL["en"]
TABLE, ROOM = "I would like to book a table.", "And then a room as well please."
FOUR, THERE = "We are four people.", "Are you still there?"
STATUS = {"kind": "status", "status": 500}


def paused(*sentences: str, seconds: float = 0.5) -> np.ndarray:
    """One caller's sentences, with a pause that is long enough for a guess and no decision."""
    gap = np.zeros(round(seconds * 16_000), np.int16)
    parts = []
    for sentence in sentences:
        audio = speak(sentence)
        loud = np.flatnonzero(np.abs(audio.astype(int)) >= 300)
        parts += [audio[loud[0] : loud[-1]], gap]
    return np.concatenate(parts[:-1])


def check_histories(held) -> None:
    """Have Mistral's validators judge every request that was sent."""
    for body in held.asked:
        request = ChatCompletionRequest.model_validate({"model": "m", "messages": body["messages"]})
        get_validator(TokenizerVersion.v13, ValidationMode.serving).validate_request(request)


def said(held) -> str:
    """All that the caller said, as it was understood."""
    return " ".join(each.text for each in held.call.transcript.caller).lower()


def table_agent(turns: Turns = LATE) -> tuple[Agent, list[tuple[str, str]]]:
    """An agent with a tool, which notes the day and what the transcript held when it ran."""
    agent, ran = Agent(turns=turns), []

    @agent.tool
    async def free_tables(call: Call, day: str) -> str:
        """Find the free tables.

        Args:
            day: Which day.
        """
        ran.append((day, " ".join(each.text for each in call.transcript.caller).lower()))
        return "eight o'clock"

    return agent, ran


# -- a guess that comes true


async def test_a_guess_that_comes_true_costs_one_request(hold):
    held = await hold(Agent(turns=LATE), [HELLO], script={"hear": [HELLO], "think": [REPLY]})
    (reply,) = held.call.transcript.replies
    assert reply.heard == REPLY
    assert len(held.asked) == 1
    assert held.key.report["requests"]["chat/completions"] == 1
    speculation = held.call.ledger.speculation
    assert (speculation.guesses, speculation.hits, speculation.requests) == (1, 1, 1)
    assert speculation.wasted_tokens == 0
    (caller,) = held.call.transcript.caller
    assert caller.why_ended.endswith(", guessed")
    check_histories(held)


async def test_what_was_guessed_is_heard_only_once_it_is_decided_and_then_at_once(hold):
    held = await hold(
        Agent(turns=LATE),
        [HELLO],
        script={"hear": [HELLO], "think": [REPLY]},
        latency={"think_first_token_ms": 80},
    )
    (caller,) = held.call.transcript.caller
    (reply,) = held.call.transcript.replies
    decided = next(e.at for e in held.events if type(e).__name__ == "CallerSaid")
    assert reply.started >= decided - 0.001
    # The chain takes longer than that from its start: it had been made before.
    assert reply.started - decided < 0.06
    assert held.loud(0, decided - 0.02) < AUDIBLE
    assert sum(reply.latency.stages.values()) == reply.latency.total
    assert reply.latency.total / 1e6 == pytest.approx(reply.started - caller.ended, abs=0.025)


async def test_without_eagerness_nothing_is_asked_before_the_turn_is_over(hold):
    calm = dataclasses.replace(LATE, eager=False)
    held = await hold(Agent(turns=calm), [HELLO], script={"hear": [HELLO], "think": [REPLY]})
    speculation = held.call.ledger.speculation
    assert (speculation.guesses, speculation.hits, speculation.requests) == (0, 0, 1)
    assert held.call.transcript.replies[0].heard == REPLY


async def test_each_turn_may_be_guessed(hold):
    held = await hold(
        Agent(turns=LATE),
        [HELLO, FOUR, "Thank you, goodbye."],
        script={"hear": [HELLO, FOUR, "Thank you, goodbye."], "think": ["One.", "Two.", "Three."]},
    )
    assert [reply.heard for reply in held.call.transcript.replies] == ["One.", "Two.", "Three."]
    assert held.call.ledger.speculation.hits == len(held.asked) == 3
    check_histories(held)


# -- a guess that was wrong


@pytest.mark.parametrize("latency", [{}, {"think_first_token_ms": 300}], ids=["made", "half made"])
async def test_nothing_is_left_of_a_guess_that_was_wrong(hold, latency):
    answers = [f"Answer number {word}." for word in ("one", "two", "three", "four")]
    held = await hold(
        Agent(turns=LATE),
        [paused(TABLE, ROOM)],
        script={"hear": [TABLE, ROOM], "think": answers},
        latency=latency,
    )
    speculation = held.call.ledger.speculation
    assert speculation.guesses == 2
    assert speculation.hits == 1
    assert "table" in said(held)
    assert "room" in said(held)
    # In the transcript: the caller's one turn and the answer to all of it.
    (caller,) = held.call.transcript.caller
    (reply,) = held.call.transcript.replies
    assert [entry.kind for entry in held.call.transcript.entries] == ["caller", "agent"]
    assert reply.heard == reply.generated == answers[len(held.asked) - 1]
    # In the history: neither the answers that were dropped nor what they were made on.
    last = held.asked[-1]["messages"]
    assert [m["content"] for m in last if m["role"] == "user"] == [caller.text]
    assert not [m for m in last if m["role"] == "assistant"]
    # In the audio: nothing before the answer.
    assert held.loud(0, reply.started - 0.02) < AUDIBLE
    assert len(held.call.ledger.latencies) == 1
    if not latency:
        assert speculation.wasted_tokens > 0
    check_histories(held)


async def test_guesses_per_turn_are_bounded(hold):
    sentences = ["I would like a table.", "I would like a room.", "I would like a car."]
    turns = dataclasses.replace(LATE, guesses=1)
    held = await hold(
        Agent(turns=turns),
        [paused(*sentences)],
        script={"hear": sentences, "think": ["One.", "Two.", "Three."]},
    )
    assert held.call.ledger.speculation.guesses == 1
    assert held.call.ledger.speculation.hits == 0
    assert len(held.asked) == 2
    assert held.call.transcript.replies[-1].heard == "Two."


# -- tools


async def test_a_tool_called_on_a_guess_runs_once_and_after_the_decision(hold):
    agent, ran = table_agent()
    held = await hold(agent, [HELLO], script={"hear": [HELLO], "think": [CALL, "Eight is free."]})
    assert held.call.ledger.speculation.hits == 1
    ((day, heard),) = ran
    assert day == "friday"
    assert "table" in heard
    assert held.kinds.index("CallerSaid") < held.kinds.index("ToolStarted")
    (use,) = held.call.transcript.tools
    assert use.ok
    assert held.call.transcript.replies[-1].heard == "Eight is free."
    assert len(held.asked) == 2
    check_histories(held)


async def test_a_tool_called_on_a_guess_that_was_wrong_never_runs(hold):
    agent, ran = table_agent()
    calls = [{"name": "free_tables", "arguments": {"day": f"day {n}"}} for n in range(4)]
    # The answers say which request they are for; whichever is the last one counts.
    held = await hold(
        agent,
        [paused(TABLE, ROOM)],
        script={"hear": [TABLE, ROOM], "think": [calls[0], calls[1], "Eight is free."]},
    )
    assert held.call.ledger.speculation.guesses == 2
    ((day, heard),) = ran
    assert day == "day 1"
    assert "room" in heard
    (use,) = held.call.transcript.tools
    assert json.loads(use.arguments) == {"day": "day 1"}
    assert held.call.transcript.replies[-1].heard == "Eight is free."
    check_histories(held)


# -- trouble


async def test_thinking_that_fails_once_on_a_guess_is_tried_again_unnoticed(hold):
    held = await hold(
        Agent(turns=LATE),
        [HELLO, FOUR],
        script={"hear": [HELLO, FOUR], "think": [REPLY, "Thank you."]},
        faults={"think": [{**STATUS, "on": [1]}]},
    )
    assert [reply.heard for reply in held.call.transcript.replies] == [REPLY, "Thank you."]
    assert SORRY not in held.call.transcript.heard
    assert len(held.asked) == 3
    assert held.call.reason == "the caller hung up"
    check_histories(held)


@pytest.mark.parametrize("fault", [STATUS, {"kind": "error", "after": 2}, {"kind": "empty"}])
async def test_thinking_that_fails_for_good_is_apologised_for_once_a_turn(hold, fault):
    held = await hold(
        Agent(turns=LATE),
        [HELLO, THERE],
        script={"hear": [HELLO, THERE], "think": [REPLY] * 8},
        faults={"think": [fault]},
        patience=12.0,
    )
    assert held.call.transcript.heard.count(SORRY) == 2
    assert {failure.stage for failure in held.call.transcript.failures} == {"thinking"}
    # One attempt on the guess, and one when it had come true.
    assert len(held.asked) <= 4
    assert held.call.reason == "the caller hung up"
    assert held.call.phase != "thinking"
    check_histories(held)


async def test_speech_that_fails_once_on_a_guess_is_apologised_for_and_the_call_goes_on(hold):
    held = await hold(
        Agent(turns=LATE),
        [HELLO, FOUR],
        script={
            "hear": [HELLO, FOUR],
            "think": ["Of course I can do that.", "Thank you very much."],
        },
        # The first request is for the apology itself, made ready as the call begins.
        faults={"speak": [{**STATUS, "on": [2]}]},
    )
    heard = [reply.heard for reply in held.call.transcript.replies if reply.heard]
    assert heard[-1] == "Thank you very much."
    assert heard[0] in {SORRY, "Of course I can do that."}
    assert held.call.reason == "the caller hung up"
    check_histories(held)


async def test_speech_that_fails_for_good_leaves_no_reply_behind(hold):
    held = await hold(
        Agent(turns=LATE),
        [HELLO, THERE],
        script={"hear": [HELLO, THERE], "think": ["Of course I can do that."] * 4},
        faults={"speak": [{**STATUS, "on": list(range(2, 99))}]},
        patience=12.0,
    )
    heard = [reply.heard for reply in held.call.transcript.replies if reply.heard]
    assert heard == [SORRY, SORRY]
    assert {failure.stage for failure in held.call.transcript.failures} == {"speaking"}
    assert all(reply.closed for reply in held.call.transcript.replies)
    assert held.call.reason == "the caller hung up"
    check_histories(held)


@pytest.mark.parametrize(
    "faults",
    [{"think": [STATUS]}, {"speak": [{**STATUS, "on": list(range(2, 99))}]}],
    ids=["think", "speak"],
)
async def test_where_a_failure_ends_the_call_it_ends_promptly(hold, faults):
    held = await hold(
        Agent(turns=LATE, limits=Limits(on_failure="end")),
        [HELLO, THERE],
        script={"hear": [HELLO, THERE], "think": ["Of course I can do that."] * 4},
        faults=faults,
        patience=12.0,
    )
    assert held.call.reason == "a model server failed"
    assert [reply.heard for reply in held.call.transcript.replies if reply.heard] == [BYE]
    farewell = next(r for r in held.call.transcript.replies if r.heard == BYE)
    (caller,) = held.call.transcript.caller
    assert farewell.started - caller.ended < 2.5
    assert held.events[-1].at - farewell.ended < 0.5


async def test_where_guessing_has_cost_too_much_nothing_is_begun_on_a_guess(hold):
    async def spend(call):
        call.ledger.speculation.tokens, call.ledger.speculation.wasted_tokens = 1000, 600

    script = {"hear": [HELLO], "think": [REPLY]}
    held = await hold(Agent(turns=LATE), [HELLO], script=script, during=spend)
    speculation = held.call.ledger.speculation
    assert (speculation.guesses, speculation.requests) == (0, 1)
    assert held.call.transcript.replies[0].heard == REPLY
