"""Whole calls, through the real pipeline and the real clients, with a sandbox behind them."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging

import numpy as np
import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from tests.speech import speak
from vivavoce.agent import Agent, Call, Limits, Turns
from vivavoce.agent.phrases import APOLOGY, FAREWELL
from vivavoce.agent.transcript import CUT_MARK
from vivavoce.pipelines.turns.playout import AUDIBLE

# A script answers each flush and each request with its next line: a turn is to cost one of each.
CALM = Turns(eager=False, flush_after=0.3, min_silence=0.4, unsure_silence=0.6)
HELLO = "Hello, I would like to book a table please."
# One clause, without a place where it might be cut for speaking.
LONG = (
    "Tonight we serve onion soup with roasted garlic bread followed by grilled salmon from the"
    " northern coast under a light lemon sauce that you will certainly like very much"
)
QUIET = 0.1  # seconds around an edge that a measurement leaves alone


def check_histories(held) -> None:
    """Have Mistral's validators judge every request that was sent."""
    for body in held.asked:
        request = ChatCompletionRequest.model_validate({"model": "m", "messages": body["messages"]})
        get_validator(TokenizerVersion.v13, ValidationMode.serving).validate_request(request)


def stretches(side: np.ndarray, rate: int, gap: float = 0.6) -> list[tuple[float, float]]:
    """Where somebody speaks: (start, end) in seconds, pauses shorter than `gap` left out."""
    loud = np.flatnonzero(np.abs(side) >= AUDIBLE)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > gap * rate)
    starts = loud[np.concatenate([[0], breaks + 1])]
    ends = loud[np.concatenate([breaks, [len(loud) - 1]])]
    return [(start / rate, (end + 1) / rate) for start, end in zip(starts, ends, strict=True)]


# -- a turn


async def test_a_turn(hold):
    held = await hold(
        Agent("Be brief.", turns=CALM),
        [HELLO],
        script={"hear": [HELLO], "think": ["Of course, for how many people?"]},
    )
    (said,) = held.call.transcript.caller
    (reply,) = held.call.transcript.replies
    assert said.text == HELLO
    assert reply.heard == reply.generated == "Of course, for how many people?"
    assert reply.closed
    assert not reply.interrupted
    assert held.call.reason == "the caller hung up"
    assert held.loud(reply.started, reply.ended) > 3_000
    assert held.loud(0, reply.started - QUIET - held.late) < AUDIBLE
    check_histories(held)


async def test_the_ledger_agrees_with_the_recording(hold):
    held = await hold(
        Agent(turns=CALM),
        [HELLO],
        script={"hear": [HELLO], "think": ["Of course."]},
        latency={"think_first_token_ms": 150, "speak_first_audio_ms": 120, "hear_final_ms": 60},
    )
    (reply,) = held.call.transcript.replies
    (latency,) = held.call.ledger.latencies
    assert latency is reply.latency
    assert sum(latency.stages.values()) == latency.total
    (said,) = held.call.transcript.caller
    (start, _), *_ = stretches(held.side(1), held.rate)
    assert reply.started == pytest.approx(start, abs=0.025 + held.late)
    assert latency.total / 1e6 == pytest.approx(start - said.ended, abs=0.025 + held.late)
    (_, fell_silent), *_ = stretches(held.side(0), held.rate)
    # The voice detector looks at 32 ms at a time, and the last sound of a word is faint.
    assert said.ended == pytest.approx(fell_silent, abs=0.15 + held.late)


async def test_the_events_come_in_order(hold):
    held = await hold(Agent(turns=CALM), [HELLO], script={"hear": [HELLO], "think": ["Of course."]})
    times = [event.at for event in held.events]
    order = [
        "CallStarted",
        "CallerStarted",
        "CallerStopped",
        "CallerSaid",
        "AgentStarted",
        "AgentSaid",
        "CallEnded",
    ]
    places = [held.kinds.index(kind) for kind in order]
    assert places == sorted(places)
    assert held.kinds[0] == "CallStarted"
    assert held.kinds[-1] == "CallEnded"
    assert "CallerPartial" in held.kinds
    # What is told of the past (an onset is known a little late) may be; nothing is of the future.
    assert all(later >= earlier - 0.5 - held.late for earlier, later in itertools.pairwise(times))


async def test_the_greeting_is_said_first(hold):
    held = await hold(
        Agent(turns=CALM, greeting="Chez Marie, good evening!"),
        [HELLO],
        script={"hear": [HELLO], "think": ["Of course."]},
    )
    greeting, reply = held.call.transcript.replies
    assert greeting.heard == "Chez Marie, good evening!"
    assert greeting.latency is None
    # The caller waits for it, and goes on at once.
    assert greeting.ended <= held.call.transcript.caller[0].started + held.late
    assert reply.heard == "Of course."
    assert [m["role"] for m in held.asked[0]["messages"]] == ["user", "assistant", "user"]
    check_histories(held)


async def test_several_turns(hold):
    texts = [HELLO, "We are four people.", "Thank you, goodbye."]
    answers = ["For how many people?", "And what day would you like?", "Goodbye."]
    held = await hold(Agent(turns=CALM), texts, script={"hear": texts, "think": answers})
    assert [said.text for said in held.call.transcript.caller] == texts
    assert [reply.heard for reply in held.call.transcript.replies] == answers
    assert len(held.call.ledger.latencies) == 3
    check_histories(held)


async def test_an_agent_that_answers_by_function(hold):
    agent = Agent(turns=CALM)

    @agent.reply
    async def echo(call, heard):
        yield "You said: "
        yield heard

    held = await hold(agent, [HELLO], script={"hear": [HELLO]})
    assert held.call.transcript.replies[0].heard == f"You said: {HELLO}"
    assert not held.asked


# -- tools


def table_agent(**options) -> tuple[Agent, list]:
    agent, ran = Agent(turns=CALM), []

    @agent.tool(**options)
    async def free_tables(call: Call, day: str, people: int) -> list[str]:
        """Find the free tables.

        Args:
            day: Which day.
            people: How many people.
        """
        ran.append((day, people))
        await asyncio.sleep(0)
        return ["eight o'clock"]

    return agent, ran


CALL = {"name": "free_tables", "arguments": {"day": "friday", "people": 4}}


async def test_a_tool_with_slots(hold):
    agent, ran = table_agent()
    held = await hold(agent, [HELLO], script={"hear": [HELLO], "think": [CALL, "Eight is free."]})
    assert ran == [("friday", 4)]
    (use,) = held.call.transcript.tools
    assert use.ok
    assert json.loads(use.result) == ["eight o'clock"]
    assert held.call.transcript.replies[-1].heard == "Eight is free."
    assert held.call.ledger.latencies[0].stages["tools"] >= 0
    assert held.asked[-1]["messages"][-1]["role"] == "tool"
    check_histories(held)


@pytest.mark.parametrize(
    "arguments", [{"day": "friday"}, {"day": "friday", "people": "many"}, {"nonsense": 1}]
)
async def test_wrong_arguments_go_back_to_the_model(hold, arguments):
    agent, ran = table_agent()
    wrong = {"name": "free_tables", "arguments": arguments}
    held = await hold(
        agent, [HELLO], script={"hear": [HELLO], "think": [wrong, CALL, "Eight is free."]}
    )
    assert ran == [("friday", 4)]
    assert [use.ok for use in held.call.transcript.tools] == [False, True]
    assert held.call.transcript.replies[-1].heard == "Eight is free."
    check_histories(held)


async def test_a_tool_that_does_not_exist_is_told_to_the_model(hold):
    held = await hold(
        Agent(turns=CALM),
        [HELLO],
        script={"hear": [HELLO], "think": [{"name": "no such"}, "Sorry, I cannot."]},
    )
    assert not held.call.transcript.tools[0].ok
    assert held.call.transcript.replies[-1].heard == "Sorry, I cannot."
    check_histories(held)


async def test_a_tool_that_fails_is_noted_and_the_model_told(hold, caplog):
    agent = Agent(turns=CALM)

    @agent.tool
    def free_tables(day: str, people: int) -> str:
        """Find the free tables.

        Args:
            day: Which day.
            people: How many people.
        """
        raise RuntimeError("the book is locked")

    with caplog.at_level(logging.ERROR, "vivavoce"):
        held = await hold(
            agent, [HELLO], script={"hear": [HELLO], "think": [CALL, "I cannot look it up."]}
        )
    assert [failure.stage for failure in held.call.transcript.failures] == ["tools"]
    assert caplog.text.count("the book is locked") == 1
    assert held.call.transcript.replies[-1].heard == "I cannot look it up."
    check_histories(held)


async def test_a_tool_may_hang_up_after_the_last_words(hold):
    agent = Agent(turns=CALM)

    @agent.tool
    async def goodbye(call: Call) -> str:
        """End the call."""
        await call.hang_up("all was said")
        return "done"

    held = await hold(
        agent,
        ["Goodbye."],
        script={"hear": ["Goodbye."], "think": [{"name": "goodbye"}, "Goodbye and thank you."]},
    )
    assert held.call.reason == "all was said"
    (reply,) = [each for each in held.call.transcript.replies if each.generated]
    assert reply.heard == "Goodbye and thank you."


# -- interruptions


async def barge_in(hold, words: str | np.ndarray, heard: list[str], **more):
    return await hold(
        Agent(turns=CALM),
        [HELLO, (words, 1.6)],
        script={"hear": [HELLO, *heard], "think": [LONG + ".", "All right."]},
        **more,
    )


async def test_a_caller_who_cuts_in_is_listened_to(hold):
    held = await barge_in(hold, "Sorry, is there anything else?", ["Sorry, anything else?"])
    reply, answer = held.call.transcript.replies
    assert reply.interrupted
    assert reply.closed
    # Silent well before it is known to be more than a cough: it was held.
    began = stretches(held.side(0), held.rate)[1][0]
    assert stretches(held.side(1), held.rate)[0][1] - began < 0.35 + held.late
    assert 1.2 - held.late < reply.ended - reply.started < 3.5 + held.late
    assert LONG.startswith(reply.heard)
    # It is cut where it was heard: to a word, by the rate of the whole.
    assert answer.heard == "All right."
    assert held.asked[-1]["messages"][1]["content"] == f"{reply.heard} {CUT_MARK}"
    check_histories(held)
    # And it is silent from then on.
    assert held.loud(reply.ended + QUIET, answer.started - QUIET - held.late) < AUDIBLE


@pytest.mark.needs_flite
async def test_what_was_heard_of_a_reply_is_known_to_a_word(hold):
    from tests.wordtimes import flite

    held = await barge_in(hold, "Sorry, is there anything else?", ["Sorry, anything else?"])
    reply = held.call.transcript.replies[0]
    spans = stretches(held.side(1), held.rate)
    played = spans[0][1] - spans[0][0]
    audio, rate, ends = flite(LONG + ".", "rms")
    onset = np.flatnonzero(np.abs(audio.astype(int)) >= AUDIBLE)[0] / rate
    truth = int(np.searchsorted(ends / rate - onset, played))
    assert abs(len(reply.heard.split()) - truth) <= 1


def cough() -> np.ndarray:
    dice = np.random.default_rng(3)
    envelope = np.exp(-np.arange(4_800) / 900)
    return (dice.normal(0, 9_000, 4_800) * envelope).clip(-32_000, 32_000).astype(np.int16)


@pytest.mark.parametrize(
    ("sound", "heard"),
    [("Mm-hm.", ["Mm-hm."]), ("Yeah, okay.", ["Yeah, okay."]), (cough(), [""])],
    ids=["mm-hm", "yeah", "cough"],
)
async def test_a_listeners_noise_does_not_end_a_reply(hold, sound, heard):
    held = await barge_in(hold, sound, heard)
    # That it loses and doubles no sample: tests/pipelines/test_interruptions.py.
    (reply, *more) = held.call.transcript.replies
    assert not reply.interrupted
    assert reply.heard == LONG + "."
    assert not more
    assert len(held.asked) == 1


# -- callers who say little


@pytest.mark.parametrize("turns", [CALM, Turns()], ids=["calm", "eager"])
async def test_a_caller_who_goes_on_is_heard_out(hold, turns):
    pause = np.zeros(9_000, np.int16)
    audio = np.concatenate([speak("I would like a table for"), pause, speak("four people.")])
    held = await hold(Agent(turns=turns), [audio], script={"think": ["Of course."] * 4})
    said = " ".join(each.text for each in held.call.transcript.caller).lower()
    assert "table" in said
    # The embedded recogniser may write "for people".
    assert "people" in said
    assert held.call.transcript.replies[-1].heard == "Of course."
    check_histories(held)


@pytest.mark.parametrize("level", [0, 300, 3_000], ids=["silence", "hiss", "noise"])
async def test_no_words_no_turn(hold, level):
    noise = np.random.default_rng(1).normal(0, level, 48_000) if level else np.zeros(48_000)
    held = await hold(
        Agent(turns=CALM), [noise.astype(np.int16)], script={"hear": []}, patience=3.0
    )
    assert not held.call.transcript.entries
    assert held.call.reason == "the caller hung up"
    assert not held.side(1).any()


# -- guesses, which nobody hears unless they come true


async def test_a_guess_that_comes_true_is_a_turn_like_any_other(hold):
    held = await hold(
        Agent(),
        ["I would like to book a table please."],
        script={"think": ["Of course, for how many people?"] * 6},
        latency={"think_first_token_ms": 100},
    )
    (said,) = held.call.transcript.caller
    (reply,) = held.call.transcript.replies
    assert "table" in said.text
    assert reply.heard == "Of course, for how many people?"
    assert len(held.call.ledger.latencies) == 1
    (start, _), *_ = stretches(held.side(1), held.rate)
    assert reply.latency.total / 1e6 == pytest.approx(start - said.ended, abs=0.025 + held.late)
    assert sum(reply.latency.stages.values()) == reply.latency.total
    speculation = held.call.ledger.speculation
    assert 0 <= speculation.hits <= speculation.guesses
    assert speculation.requests == len(held.asked)
    check_histories(held)


async def test_tools_never_run_on_a_guess(hold):
    agent = Agent()
    ran = []

    @agent.tool
    async def free_tables(call: Call, day: str, people: int) -> str:
        """Find the free tables.

        Args:
            day: Which day.
            people: How many people.
        """
        ran.append(len(call.transcript.caller))
        return "eight o'clock"

    pause = np.zeros(9_000, np.int16)
    audio = np.concatenate([speak("I would like a table for four."), pause, speak("On Friday.")])
    held = await hold(agent, [audio], script={"think": [CALL, CALL, "Eight is free."]})
    # Whenever it ran, what it was for had been said in full.
    assert ran
    assert min(ran) >= 1
    ids = [use.id for use in held.call.transcript.tools]
    assert len(ids) == len(set(ids)) == len(ran)
    check_histories(held)


# -- trouble: an apology is heard, the call goes on or ends, the log names the cause once

TROUBLES = {
    "hear": [
        {"wrong": {"hear": {"key": "wrong"}}},
        {"wrong": {"hear": {"url": "http://127.0.0.1:9"}}},
    ],
    "think": [
        {"wrong": {"think": {"key": "wrong"}}},
        {"wrong": {"think": {"url": "http://127.0.0.1:9"}}},
        {"faults": {"think": [{"kind": "stall", "after": 2, "on": [1]}]}},
        {"faults": {"think": [{"kind": "error", "after": 1, "on": [1]}]}},
    ],
    "speak": [
        {"wrong": {"speak": {"key": "wrong"}}},
        {"wrong": {"speak": {"url": "http://127.0.0.1:9"}}},
        {"faults": {"speak": [{"kind": "stall", "after": 1}]}},
    ],
}
CASES = [(stage, trouble) for stage, troubles in TROUBLES.items() for trouble in troubles]
NAMES = {"hear": "hearing", "think": "thinking", "speak": "speaking"}


def case_name(part) -> str:
    return part if isinstance(part, str) else json.dumps(part)[2:40]


# Each way to fail where the call goes on; where it ends, one of each stage.
@pytest.mark.parametrize(
    ("stage", "trouble", "on_failure"),
    [
        *((*case, "continue") for case in CASES),
        *((stage, troubles[-1], "end") for stage, troubles in TROUBLES.items()),
    ],
    ids=case_name,
)
async def test_a_model_that_fails_is_apologised_for(hold, caplog, stage, trouble, on_failure):
    texts = [HELLO, "Are you still there?"]
    if on_failure == "end":
        texts += ["Hello?", "Is anybody there?"]  # a caller who does not leave before the agent
    with caplog.at_level(logging.ERROR, "vivavoce"):
        held = await hold(
            Agent(turns=CALM, limits=Limits(on_failure=on_failure)),
            texts,
            script={"hear": texts, "think": ["Of course, for how many people?"] * 3},
            # Longer than a failure is waited for, again and again.
            patience=24.0,
            **trouble,
        )
    failures = held.call.transcript.failures
    assert failures
    assert {failure.stage for failure in failures} == {NAMES[stage]}
    # Something is heard: the apology, or two notes where nothing can speak.
    # On a busy machine the recording is behind the clock for a while.
    at = max(0.0, failures[0].at - 2)
    assert held.loud(at, at + 60) > 1_000
    if stage != "speak":
        sorry = FAREWELL if on_failure == "end" else APOLOGY
        assert sorry["en"] in held.call.transcript.heard
    causes = [record.getMessage() for record in caplog.records if record.name == "vivavoce"]
    assert causes
    assert len(causes) == len(set(causes))
    assert all("\n" not in cause for cause in causes)
    if on_failure == "end":
        assert held.call.reason == "a model server failed"
    else:
        assert held.call.reason == "the caller hung up"
    check_histories(held)


async def test_every_turn_that_nobody_transcribes_is_apologised_for_and_in_the_record(hold):
    """Whoever speaks while the transcriber is away for long is told so each time."""
    held = await hold(
        Agent(turns=CALM),
        [HELLO, "Are you still there?"],
        wrong={"hear": {"key": "wrong"}},
        patience=14.0,
    )
    failures = held.call.transcript.failures
    assert len(failures) == 3, failures  # as it is lost, and for each turn
    assert all("were not heard" in failure.message for failure in failures[1:])
    assert {failure.error for failure in failures} == {"auth"}
    assert held.call.transcript.heard.count(APOLOGY["en"]) >= 2


async def test_after_a_failure_the_next_turn_is_answered(hold):
    texts = [HELLO, "Are you still there?"]
    held = await hold(
        Agent(turns=CALM),
        texts,
        script={"hear": texts, "think": ["Lost.", "Yes, I am here."]},
        faults={"think": [{"kind": "status", "status": 500, "on": [1]}]},
    )
    assert held.call.transcript.replies[-1].heard.endswith("I am here.") or (
        held.call.transcript.replies[-1].heard == "Lost."
    )
    assert held.call.transcript.replies[0].heard == APOLOGY["en"]


# -- from outside


async def test_an_application_may_speak_and_hang_up(hold):
    replies = []

    async def act(call):
        async for event in call:
            if type(event).__name__ == "CallStarted":
                replies.append(await call.say("One moment please.", interruptible=False))
                await call.hang_up("the office closes")

    held = await hold(Agent(turns=CALM), [], script={"hear": []}, during=act, patience=20)
    assert replies[0].heard == "One moment please."
    assert held.call.reason == "the office closes"
    assert held.call.transcript.replies == replies


async def test_what_is_protected_is_said_to_its_end(hold):
    async def act(call):
        async for event in call:
            if type(event).__name__ == "CallStarted":
                await call.say(LONG + ".", interruptible=False)

    held = await hold(
        Agent(turns=CALM),
        [("Sorry, is there anything else?", 1.5)],
        script={"hear": ["Sorry, anything else?"], "think": ["All right."]},
        during=act,
    )
    protected, *_ = held.call.transcript.replies
    assert protected.heard == LONG + "."
    assert not protected.interrupted


async def test_an_application_may_interrupt(hold):
    async def act(call):
        async for event in call:
            if type(event).__name__ == "AgentStarted":
                await asyncio.sleep(0.02)
                await call.interrupt()

    held = await hold(Agent(turns=CALM, greeting=LONG + "."), [], script={"hear": []}, during=act)
    (reply,) = held.call.transcript.replies
    assert reply.interrupted
    assert LONG.startswith(reply.heard)
    assert held.loud(reply.ended + QUIET, reply.ended + 3) < AUDIBLE


async def test_a_call_that_is_cancelled_leaves_its_recording_whole(hold):
    calls = []

    async def act(call):
        calls.append(call)
        async for event in call:
            if type(event).__name__ == "AgentStarted":
                await asyncio.sleep(0.05)
                main.cancel()
                return

    async def run():
        await hold(
            Agent(turns=CALM), [HELLO], script={"hear": [HELLO], "think": [LONG + "."]}, during=act
        )

    main = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await main
    (call,) = calls
    assert call.ended
    (reply,) = call.transcript.replies
    assert reply.closed
    assert LONG.startswith(reply.heard)
    left = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    assert not left


async def test_a_recording_of_a_cancelled_call_can_be_read(hold, tmp_path):
    import wave

    async def act(call):
        async for event in call:
            if type(event).__name__ == "CallerSaid":
                main.cancel()
                return

    main = asyncio.create_task(
        hold(Agent(turns=CALM), [HELLO], script={"hear": [HELLO], "think": [LONG]}, during=act)
    )
    with pytest.raises(asyncio.CancelledError):
        await main
    with wave.open(str(tmp_path / "call.wav")) as file:
        left = np.frombuffer(file.readframes(file.getnframes()), np.int16)[::2]
        assert len(left) / file.getframerate() > len(speak(HELLO)) / 16_000
    assert np.abs(left.astype(int)).max() > 3_000


async def test_a_call_ends_at_its_longest_duration(hold):
    held = await hold(
        Agent(turns=CALM, limits=Limits(call=2.0)), [], script={"hear": []}, patience=60.0
    )
    assert held.call.reason == "the call reached its longest duration"
    assert held.events[-1].at >= 2.0
