"""What an agent does in a call: simulated callers, scripted models, the real pipeline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
import pytest
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from vivavoce.agent import (
    Agent,
    Call,
    HandOff,
    Limits,
    LineError,
    NoAnswer,
    Refuse,
    digits,
    yes_no,
)
from vivavoce.agent.control import end_call, remember, set_language
from vivavoce.agent.events import Checked, HandedOff, HoldEnded, HoldStarted, LanguageChanged
from vivavoce.agent.phrases import FAREWELL, NOT_ANSWERED
from vivavoce.agent.testing import call_tool, say, simulate, wait
from vivavoce.tools import Toolbox, tool


class Recorder:
    """A function model that keeps what it was sent, and answers from a list."""

    def __init__(self, *steps) -> None:
        self.steps = list(steps)
        self.asked: list[list[dict]] = []

    def __call__(self, messages, tools):
        self.asked.append([dict(message) for message in messages])
        check(messages)
        return self.steps.pop(0)

    @property
    def told(self) -> str:
        """The last system message."""
        return str(self.asked[-1][0]["content"])


def check(messages) -> None:
    """Have Mistral's validators judge a request."""
    request = ChatCompletionRequest.model_validate({"model": "m", "messages": messages})
    get_validator(TokenizerVersion.v13, ValidationMode.serving).validate_request(request)


def events(caller, kind) -> list:
    return [event for event in caller.events if isinstance(event, kind)]


# -- the shortest agent


async def test_a_hello_agent_is_three_lines():
    agent = Agent("You are kind.", greeting="Hello!")
    async with simulate(agent, replies=["Nice to meet you."]) as caller:
        assert caller.heard == "Hello!"
        await caller.says("I am Ann")
        assert caller.heard == "Nice to meet you."


# -- greetings and lifespans


async def test_a_greeting_may_be_made_for_the_call():
    async def greet(call):
        await asyncio.sleep(0)
        return f"Hello {call.deps}!"

    async with simulate(Agent(greeting=greet, deps=lambda: "Ann"), replies=[]) as caller:
        assert caller.heard == "Hello Ann!"


async def test_a_greeting_that_fails_is_reported_and_the_call_goes_on():
    agent = Agent(greeting=lambda _call: 1 / 0)
    async with simulate(agent, replies=["Good day."]) as caller:
        await caller.says("Is anybody there")
        assert caller.heard == "Good day."
    (failure,) = caller.transcript.failures
    assert "greeting failed: ZeroDivisionError" in failure.message


async def test_a_lifespan_begins_before_the_greeting_and_ends_with_the_whole_transcript():
    agent = Agent(greeting=lambda call: f"Hello {call.state['name']}!", state=dict)
    seen = []

    @agent.lifespan
    async def live(call):
        async with asyncio.timeout(60):  # both parts run in one task
            call.state["name"] = "Ann"
            seen.append(call.phase)
            yield
            seen.append((call.phase, call.transcript.heard))

    async with simulate(agent, replies=["Yes."]) as caller:
        assert caller.heard == "Hello Ann!"
        await caller.says("Are you open")
    assert seen == ["connecting", ("ended", "Hello Ann! Yes.")]


async def test_a_lifespan_that_fails_to_begin_ends_the_call_with_words():
    agent = Agent(greeting="Hello!")

    @agent.lifespan
    async def live(call):
        raise ConnectionError("no database")
        yield

    async with simulate(agent, replies=[]) as caller:
        await caller.listens()
    assert caller.call.transcript.heard == FAREWELL["en"]
    assert caller.call.reason == "the agent could not begin"
    assert "no database" in caller.transcript.failures[0].message


async def test_a_lifespan_that_fails_to_end_is_reported():
    agent = Agent(greeting="Hello!")

    @agent.lifespan
    async def live(call):
        yield
        raise ConnectionError("no database")

    async with simulate(agent, replies=[]) as caller:
        pass
    assert "no database" in caller.transcript.failures[0].message


# -- hand-off


def desk(**options) -> tuple[Agent, Agent]:
    billing = Agent("You are billing.", name="billing", voice="fr_marie_neutral", **options)
    host = Agent("You are the host.", name="host")

    @host.tool
    async def to_billing(call: Call, keep: bool = True) -> HandOff:
        """Hand over to billing.

        Args:
            keep: Whether it knows what was said.
        """
        return HandOff(billing, keep_history=keep, note="a refund")

    @billing.tool
    async def refund() -> str:
        """Refund it."""
        return "done"

    return host, billing


async def test_another_agent_takes_over_with_its_greeting():
    host, billing = desk(greeting="Billing, good evening.")
    model = Recorder(call_tool("to_billing"), call_tool("refund"), say("It is refunded."))
    async with simulate(host, replies=model) as caller:
        await caller.says("I want a refund")
        await caller.listens()
        assert caller.heard == "Billing, good evening."
        await caller.says("For order twelve")
        await caller.listens()
        assert caller.heard == "It is refunded."
        assert caller.call.agent is billing
    assert model.told == "You are billing."
    assert [each.name for each in caller.tool_calls] == ["to_billing", "refund"]
    (over,) = caller.transcript.handoffs
    assert (over.previous, over.agent, over.note) == ("host", "billing", "a refund")
    assert len(events(caller, HandedOff)) == 1


async def test_without_a_greeting_the_new_model_speaks_at_once():
    host, _ = desk()
    model = Recorder(call_tool("to_billing"), say("Which order?"))
    async with simulate(host, replies=model) as caller:
        await caller.says("I want a refund")
        await caller.listens()
        assert caller.heard == "Which order?"
    assert model.told == "You are billing."
    assert [message["role"] for message in model.asked[1]] == [
        "system", "user", "assistant", "tool",
    ]  # fmt: skip


async def test_without_the_history_it_knows_only_the_note():
    host, _ = desk()
    model = Recorder(call_tool("to_billing", keep=False), say("Which order?"), "Fine.")
    async with simulate(host, replies=model) as caller:
        await caller.says("I want a refund")
        await caller.says("Twelve")
        await caller.listens()
    (_, note) = model.asked[1]
    assert note["role"] == "user"
    assert "a refund" in note["content"]
    assert "I want" not in str(model.asked[2])
    assert [message["content"] for message in model.asked[2][2:]] == ["Which order?", "Twelve"]


async def test_a_hand_off_from_outside_greets_and_keeps_the_memory():
    host, billing = desk(greeting="Billing here.")
    model = Recorder(say("Yes?"), say("Right."))
    async with simulate(host, replies=model) as caller:
        await caller.says("Hello there")
        await caller.listens()
        caller.call.remember("name", "Ann")
        await caller.call.hand_off(billing)
        await caller.listens()
        assert caller.heard == "Billing here."
        await caller.says("Good")
        await caller.listens()
    assert "- name: Ann" in model.told


async def test_the_voice_changes_with_the_next_reply_and_not_before():
    host, _ = desk(greeting="Billing here.")
    voices = []
    async with simulate(host, replies=[[say("I pass you on."), call_tool("to_billing")]]) as caller:
        mouth = caller._engine._talk._mouth
        speaking = mouth._synthesis._speaking
        speak = speaking.stream

        def stream(text, *, voice, language):
            voices.append((text, voice))
            return speak(text, voice=voice, language=language)

        speaking.stream = stream
        await caller.says("I want a refund")
        await caller.listens()
    assert voices == [("I pass you on.", None), ("Billing here.", "fr_marie_neutral")]


async def test_the_state_goes_with_the_call_where_it_fits():
    @dataclass
    class Order:
        items: list[str] = field(default_factory=list)

    first, same, other = Agent(state=Order), Agent(state=Order), Agent(state=dict)
    call = Call(first)
    call.state.items.append("soup")
    await call.hand_off(same)
    assert call.state.items == ["soup"]
    await call.hand_off(other)
    assert call.state == {}


# -- sub-agents


async def test_an_agent_as_a_tool_of_another():
    expert = Agent("You know wines.", name="expert")

    @expert.tool
    async def cellar(colour: str) -> str:
        """Look into the cellar.

        Args:
            colour: Red or white.
        """
        return f"a {colour} Beaune"

    waiter = Agent("You serve.", tools=[expert.as_tool("ask_expert", "Ask about wines.")])
    model = Recorder(
        call_tool("ask_expert", request="Which red?"),
        call_tool("cellar", colour="red"),
        say("The Beaune."),
        say("I suggest the Beaune."),
    )
    async with simulate(waiter, replies=model) as caller:
        await caller.says("Which wine do you suggest")
        await caller.listens()
        assert caller.heard == "I suggest the Beaune."
    assert model.asked[1][0]["content"] == "You know wines."
    assert model.asked[1][1] == {"role": "user", "content": "Which red?"}
    assert [each.name for each in caller.tool_calls] == ["ask_expert"]
    assert caller.tool_calls[0].result == "The Beaune."
    assert caller.call.usage.requests >= 4


async def test_a_sub_agent_is_bounded():
    expert = Agent(name="expert", limits=Limits(tool_rounds=1))

    @expert.tool
    async def look() -> str:
        """Look."""
        return "nothing"

    waiter = Agent(tools=[expert.as_tool("ask_expert", "Ask.")])
    model = Recorder(
        call_tool("ask_expert", request="x"), call_tool("look"), call_tool("look"), "Sorry."
    )
    async with simulate(waiter, replies=model) as caller:
        await caller.says("Which wine do you suggest")
        await caller.listens()
    assert caller.tool_calls[0].result == "expert found no answer."


# -- a reply without end


LINE = "We have red wine and white wine, and beer too. "


async def test_a_model_that_does_not_come_to_an_end_is_cut_behind_a_sentence():
    agent = Agent(limits=Limits(reply=100))
    async with simulate(agent, replies=[LINE * 40, "Yes."]) as caller:
        await caller.says("What is there to drink")
        await caller.listens()
        assert caller.heard == (LINE * 3).strip()
        await caller.says("Are you open")
        await caller.listens()
        assert caller.heard == "Yes."
    (failure,) = caller.transcript.failures
    assert failure.message == "a reply was ended: it passed Limits(reply=100)"
    cut = caller.transcript.replies[0]
    assert (cut.closed, cut.interrupted) == (True, False)


async def test_a_reply_that_fits_is_no_failure():
    agent = Agent(limits=Limits(reply=100))
    async with simulate(agent, replies=[LINE * 2]) as caller:
        await caller.says("What is there to drink")
        await caller.listens()
        assert caller.heard == (LINE * 2).strip()
    assert not caller.transcript.failures


async def test_a_function_that_never_ends_is_cut_and_closed_too():
    agent = Agent(limits=Limits(reply=100))
    closed = asyncio.Event()

    @agent.reply
    async def answer(call, heard):
        try:
            while True:
                yield LINE
        finally:
            closed.set()

    async with simulate(agent, replies=[]) as caller:
        await caller.says("What is there to drink")
        await caller.listens()
        assert caller.heard == (LINE * 3).strip()
        assert closed.is_set()
    assert [each.stage for each in caller.transcript.failures] == ["thinking"]


async def test_a_sub_agent_that_does_not_come_to_an_end_is_cut():
    expert = Agent(name="expert", limits=Limits(reply=100))
    waiter = Agent(tools=[expert.as_tool("ask_expert", "Ask.")])
    model = Recorder(call_tool("ask_expert", request="x"), LINE * 40, "Wine.")
    async with simulate(waiter, replies=model) as caller:
        await caller.says("Which wine do you suggest")
        await caller.listens()
    assert caller.tool_calls[0].result == (LINE * 3).strip()


# -- checks


async def test_what_was_heard_may_be_refused_before_it_is_thought_about():
    agent = Agent()

    @agent.check_heard
    def polite(call, text):
        return Refuse("Please be kind.") if "stupid" in text else None

    model = Recorder(say("Of course."))
    async with simulate(agent, replies=model) as caller:
        await caller.says("You stupid machine")
        await caller.listens()
        assert caller.heard == "Please be kind."
        assert not model.asked
        await caller.says("Sorry about that")
        await caller.listens()
        assert caller.heard == "Of course."
    assert "stupid" not in str(model.asked)
    (event,) = events(caller, Checked)
    assert (event.what, event.refused, event.instead) == ("heard", True, "Please be kind.")


async def test_what_was_heard_may_be_replaced_for_the_model():
    agent = Agent()
    agent.check_heard(lambda _call, text: text.replace("twelve", "[number]"))
    model = Recorder(say("Noted."))
    async with simulate(agent, replies=model) as caller:
        await caller.says("My card is twelve")
        await caller.listens()
    assert model.asked[-1][-1]["content"] == "My card is [number]"
    assert caller.transcript.caller[0].text == "My card is twelve"


async def test_each_clause_is_judged_before_it_is_said():
    agent = Agent()
    seen = []

    @agent.check_reply
    async def no_prices(call, clause):
        seen.append(clause)
        await asyncio.sleep(0.05)
        return Refuse("I may not name prices.") if "euros" in clause else None

    reply = "We have rooms. One costs ninety euros. Shall I book it?"
    async with simulate(agent, replies=[reply]) as caller:
        await caller.says("Do you have rooms")
        await caller.listens()
        assert caller.heard == "We have rooms. I may not name prices."
    assert seen[-2:] == ["We have rooms.", "One costs ninety euros."]
    assert caller.turns[0].latency.total == sum(caller.turns[0].latency.stages.values())


async def test_a_clause_may_be_replaced_and_the_rest_goes_on():
    agent = Agent()
    agent.check_reply(lambda _call, clause: clause.replace("cheap", "affordable"))
    async with simulate(agent, replies=["A cheap room. It is free."]) as caller:
        await caller.says("Do you have rooms")
        await caller.listens()
        assert caller.heard == "A affordable room. It is free."


async def test_a_check_that_fails_says_the_safe_words_and_never_ends_the_call():
    agent = Agent()

    @agent.check_reply
    def broken(call, clause):
        raise RuntimeError("no model")

    async with simulate(agent, replies=["One.", "Two."]) as caller:
        await caller.says("Do you have rooms")
        await caller.listens()
        assert caller.heard == NOT_ANSWERED["en"]
    assert "RuntimeError: no model" in caller.transcript.failures[0].message


# -- questions


async def test_a_tool_may_ask_the_caller():
    agent = Agent()
    given = []

    @agent.tool(timeout=60)
    async def check_pin(call: Call) -> str:
        """Check the caller's PIN."""
        given.append(await call.ask("Your PIN, please?", digits(4)))
        return "right"

    model = Recorder(call_tool("check_pin"), say("Thank you."))
    async with simulate(agent, replies=model) as caller:
        await caller.says("I want my balance")
        await caller.listens()
        assert caller.heard == "Your PIN, please?"
        await caller.says("one two three four")
        await caller.listens()
        assert caller.heard == "Thank you."
    assert given == ["1234"]
    assert len(model.asked) == 2
    assert caller.turns[1].latency.total < 4_000_000


async def test_a_question_is_answered_by_keys_before_it_was_said():
    agent = Agent(greeting="Hello!")
    async with simulate(agent, replies=[]) as caller:
        asked = asyncio.create_task(
            caller.call.ask("Please type the four digits of your PIN now.", digits(4))
        )
        await caller.silent(1.5)
        for key in "4711":
            caller.call.pressed(key)
        await caller.silent(0.5)
        assert await asked == "4711"
    assert caller.transcript.replies[-1].interrupted


async def test_a_question_is_asked_again_and_given_up():
    agent = Agent()
    async with simulate(agent, replies=[]) as caller:
        asked = asyncio.create_task(caller.call.ask("Shall I?", yes_no(), retries=1, patience=3))
        await caller.silent(0.1)
        await caller.says("Purple")
        await caller.listens()
        assert caller.heard == "Sorry, is that a yes or a no?"
        await caller.silent(8)
        with pytest.raises(NoAnswer) as caught:
            await asked
    assert caught.value.heard == ["Purple"]


async def test_a_caller_may_answer_over_the_question():
    agent = Agent()
    async with simulate(agent, replies=[]) as caller:
        question = "Shall I book the table at the window for you, or would you rather not?"
        asked = asyncio.create_task(caller.call.ask(question, yes_no()))
        await caller.silent(0.2)
        await caller.interrupts("Yes please do", after=1.0)
        await caller.silent(2)
        assert await asked is True


async def test_a_question_when_the_call_has_ended_has_no_answer():
    agent = Agent()
    async with simulate(agent, replies=[]) as caller:
        asked = asyncio.create_task(caller.call.ask("Are you there?"))
        await caller.silent(0.5)
    with pytest.raises(NoAnswer, match="the call has ended"):
        await asked
    with pytest.raises(NoAnswer, match="the call has ended"):
        await caller.call.ask("And now?")


# -- call control


async def test_call_control_is_opted_into():
    agent = Agent(tools=[Toolbox([end_call]), remember, set_language], languages=["en", "fr"])
    steps = [
        [call_tool("remember", key="name", value="Ann"), call_tool("set_language", language="fr")],
        say("Au revoir."),
        call_tool("end_call", reason="bye"),
        say("Au revoir, Ann."),
    ]
    model = Recorder(*steps)
    async with simulate(agent, replies=model) as caller:
        await caller.says("I am Ann, I speak French")
        await caller.listens()
        assert caller.call.memory == {"name": "Ann"}
        assert caller.call.language == "fr"
        await caller.says("Au revoir")
        await caller.listens()
    assert caller.call.reason == "bye"
    assert caller.transcript.replies[-1].heard == "Au revoir, Ann."
    assert "name: Ann" in model.told
    assert len(events(caller, LanguageChanged)) == 1


async def test_the_language_follows_the_caller():
    agent = Agent(languages=["en", "fr"])
    model = Recorder(say("Bien sûr."))
    async with simulate(agent, replies=model) as caller:
        await caller.says("Bonjour je voudrais une table pour quatre")
        await caller.listens()
    assert caller.call.language == "fr"
    assert "Speak French" in model.told


async def test_on_hold_the_caller_is_not_answered():
    agent = Agent(greeting="One moment.")
    music = np.full(24_000, 3_000, np.int16)
    model = Recorder(say("I am back."))
    async with simulate(agent, replies=model) as caller:
        await caller.listens()
        await caller.call.hold(music)
        await caller.silent(1)
        assert caller.call.phase == "holding"
        await caller.call.unhold()
        assert caller.call.phase == "listening"
        await caller.says("Are you there")
        await caller.listens()
        assert caller.heard == "I am back."
    assert [type(e) for e in caller.events if isinstance(e, HoldStarted | HoldEnded)] == [
        HoldStarted,
        HoldEnded,
    ]


async def test_a_sound_is_played_and_stands_in_the_transcript(tmp_path):
    async with simulate(Agent(), replies=[]) as caller:
        playing = asyncio.create_task(
            caller.call.play(np.full(8_000, 3_000, np.int16), rate=8_000, text="Ding.")
        )
        await caller.silent(3)
        reply = await playing
        assert reply.heard == "Ding."
        assert reply.ended - reply.started == pytest.approx(1.0, abs=0.1)
        with pytest.raises(ValueError, match="int16 mono"):
            await caller.call.play(np.zeros(10, np.float32))
        with pytest.raises(ValueError, match="does not exist"):
            await caller.call.play(tmp_path / "nothing.wav")


async def test_what_a_line_cannot_do_is_said_clearly():
    async with simulate(Agent(greeting="Hello!"), replies=[]) as caller:
        call = caller.call
        with pytest.raises(LineError, match="cannot transfer"):
            await call.transfer("+331")
        with pytest.raises(LineError, match="key tones"):
            await call.send_dtmf("1")
        with pytest.raises(LineError, match="no messages"):
            await call.send({"page": 1})
        with pytest.raises(ValueError, match="give keys"):
            await call.send_dtmf("x")
    for done in (call.transfer("+331"), call.send_dtmf("1"), call.send({}), call.hold()):
        await done
    await call.unhold()
    await call.hand_off(Agent(name="late"))
    assert call.agent.name == "agent"
    assert await call.consult(Agent(), "x") == ""


# -- tools that take their time


async def test_a_tool_in_the_background_is_told_at_the_next_pause():
    agent = Agent()

    @agent.tool(background=True, timeout=60)
    async def search(what: str) -> str:
        """Search.

        Args:
            what: For what.
        """
        await asyncio.sleep(4)
        return "the red one is in stock"

    model = Recorder(
        call_tool("search", what="red"), say("I am looking."), say("The red one is in stock.")
    )
    async with simulate(agent, replies=model) as caller:
        await caller.says("Is the red one there")
        await caller.silent(2)
        assert caller.heard == "I am looking."
        await caller.silent(5)
        await caller.listens()
        assert caller.heard == "The red one is in stock."
    assert "in stock" in model.asked[2][-1]["content"]
    assert model.asked[2][-1]["role"] == "user"


async def test_what_a_tool_says_itself_stands_before_its_result():
    agent = Agent()

    @agent.tool
    async def look(call: Call) -> str:
        """Look."""
        await call.say("Just a second.")
        return "free"

    model = Recorder(call_tool("look"), say("It is free."))
    async with simulate(agent, replies=model) as caller:
        await caller.says("Is the table free")
        await caller.listens()
    assert [m["role"] for m in model.asked[1]] == ["user", "assistant", "tool"]
    assert model.asked[1][1]["content"] == "Just a second."


async def test_progress_is_told_to_the_caller_and_not_to_the_model():
    agent = Agent()

    @agent.tool
    async def search():
        """Search."""
        yield "Two so far."
        await asyncio.sleep(3)

    model = Recorder(call_tool("search"), say("That is all."))
    async with simulate(agent, replies=model) as caller:
        await caller.says("Which hotels are there")
        await caller.listens()
    assert [reply.heard for reply in caller.transcript.replies] == ["Two so far.", "That is all."]
    assert "Two so far" not in str(model.asked)


async def test_a_long_call_sends_a_bounded_history():
    agent = Agent("Be brief.", limits=Limits(history_turns=3))
    model = Recorder(*["Yes."] * 6)
    async with simulate(agent, replies=model) as caller:
        caller.call.remember("name", "Ann")
        for word in ("one", "two", "three", "four", "five", "six"):
            await caller.says(f"This is number {word}")
            await caller.listens()
    roles = [message["role"] for message in model.asked[-1]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert "number four" in model.asked[-1][1]["content"]
    assert "name: Ann" in model.told


async def test_a_shared_toolbox_and_a_wait():
    @tool
    def clock() -> str:
        """Tell the time."""
        return "noon"

    agent = Agent(tools=[Toolbox([clock])])
    async with simulate(agent, replies=[[wait(0.2), call_tool("clock")], "Noon."]) as caller:
        await caller.says("What time is it")
        await caller.listens()
        assert caller.heard == "Noon."


async def test_a_reply_function_may_ask_and_say_before_it_answers():
    agent = Agent()

    @agent.reply
    async def reply(call: Call, heard: str) -> str:
        if "book" not in heard.lower():
            return ""
        await call.say("Gladly.")
        sure = await call.ask("Are you sure?", yes_no())
        return "Booked." if sure else "Well then."

    async with simulate(agent) as caller:
        await caller.says("Please book it.")
        assert caller.heard == "Are you sure?"
        await caller.says("Yes.")
        await caller.listens()
        assert caller.heard == "Booked."
        assert [reply.heard for reply in caller.call.transcript.replies] == [
            "Gladly.",
            "Are you sure?",
            "Booked.",
        ]


async def test_a_reply_function_may_have_nothing_to_say():
    agent = Agent()

    @agent.reply
    async def reply(call: Call, heard: str) -> str:
        return ""

    async with simulate(agent) as caller:
        await caller.says("Hm hm, well.")
        assert caller.call.transcript.replies == []
        assert caller.call.phase == "listening"


async def test_a_reply_that_is_cut_while_it_is_written_is_known_to_be_cut():
    replies = [say("We open at six. And") + wait(8) + say(" we close at ten."), "Of course."]
    async with simulate(Agent("Be brief."), replies) as caller:
        speaking = asyncio.create_task(caller.says("When do you open?"))
        await caller.silent(4)
        await caller.interrupts("Thanks, and your address please?", after=0.0)
        await speaking
        await caller.listens()
        first = caller.call.transcript.replies[0]
        assert first.heard == "We open at six."
        assert first.interrupted
