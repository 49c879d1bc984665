from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from vivavoce.agent.history import OPENING, SILENT, UNFINISHED, bound, make_ready, messages
from vivavoce.agent.transcript import CUT_MARK, Failure, HandOver, News, Reply, ToolUse, Utterance

VERSIONS = [TokenizerVersion[name] for name in ("v7", "v11", "v13", "v15")]


def check(history: list[dict]) -> None:
    """Have Mistral's own validators judge a request with this history."""
    versions = list(VERSIONS)
    if not any(m.get("tool_calls") and m["content"] for m in history):
        # v3 (2024) knows no words beside a tool call.
        versions.append(TokenizerVersion.v3)
    for version in versions:
        request = ChatCompletionRequest.model_validate({"model": "m", "messages": history})
        get_validator(version, ValidationMode.serving).validate_request(request)


# -- whole conversations, as interruptions leave them

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text.strip()
)
ids = st.text(string.ascii_letters + string.digits, min_size=9, max_size=9)
names = st.one_of(st.sampled_from(["free_tables", "book"]), st.text(max_size=80))
arguments = st.one_of(
    st.just("{}"), st.just('{"people": 4}'), st.just("[1]"), st.just("not JSON"), st.text()
)


@st.composite
def replies(draw) -> Reply:
    text = draw(words)
    closed = draw(st.booleans())
    if not closed:
        return Reply(text)
    heard = text[: draw(st.integers(0, len(text)))]
    return Reply(text, heard, closed=True, interrupted=heard != text)


@st.composite
def conversations(draw, *, whole: bool = True) -> list:
    """What a call's transcript may hold when the model is asked: any order that stages write."""
    entries: list = []
    taken: set[str] = set()
    group = 0
    if draw(st.booleans()):
        entries.append(draw(replies()))  # a greeting
    for _ in range(draw(st.integers(1, 5))):
        entries.append(Utterance(draw(words), 0, 0))
        for _ in range(draw(st.integers(0, 3))):
            kinds = ["reply", "failure", "tools", "tools", "said"]
            step = draw(st.sampled_from(kinds if whole else [*kinds, "news", "handoff"]))
            if step in {"reply", "said"}:
                entries.append(draw(replies()))
            elif step == "news":
                entries.append(News(draw(words), 0))
            elif step == "handoff":
                note = draw(st.sampled_from(["", "a refund"]))
                entries.append(HandOver("b", "a", draw(st.booleans()), note, 0))
            elif step == "failure":
                entries.append(Failure("speaking", draw(words), 0))
            else:
                group += 1
                if draw(st.booleans()):
                    entries.append(draw(replies()))  # words or a filler beside the calls
                for _ in range(draw(st.integers(1, 3))):
                    name = draw(ids.filter(lambda one: one not in taken))
                    taken.add(name)
                    result = draw(st.one_of(st.none(), st.text()))
                    use = ToolUse(name, draw(names), draw(arguments), group, 0, result=result)
                    entries.append(use)
                    if draw(st.integers(0, 4)) == 0:
                        # The agent's application speaks, or the caller cuts in, meanwhile.
                        entries.append(draw(st.one_of(replies(), st.just(Utterance("No", 0, 0)))))
    return entries


@given(st.sampled_from(["", "Be brief."]), conversations())
def test_mistrals_validators_accept_every_history(instructions, entries):
    history = messages(instructions, entries)
    if history[-1]["role"] == "assistant":
        history.append({"role": "user", "content": "Go on."})
    check(history)
    results = {m["tool_call_id"]: m for m in history if m["role"] == "tool"}
    for use in (entry for entry in entries if isinstance(entry, ToolUse)):
        expected = UNFINISHED if use.result is None else use.result
        assert results[use.id]["content"] == expected
    for message in history:
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)


@given(conversations())
def test_results_stand_right_behind_their_calls_in_their_order(entries):
    history = messages("Be brief.", entries)
    for place, message in enumerate(history):
        calls = [call["id"] for call in message.get("tool_calls", ())]
        behind = [m.get("tool_call_id") for m in history[place + 1 : place + 1 + len(calls)]]
        assert behind == calls


@given(conversations())
def test_no_word_of_anybody_is_lost_or_moved(entries):
    history = messages("", entries)
    for role, kind in (("user", Utterance), ("assistant", Reply)):
        said = [
            entry.text if isinstance(entry, Utterance) else entry.said
            for entry in entries
            if isinstance(entry, kind)
        ]
        written = [m["content"] for m in history if m["role"] == role and m["content"] != OPENING]
        assert " ".join(text for text in written if text) == " ".join(t for t in said if t)


@given(
    st.sampled_from(["", "Be brief."]),
    conversations(whole=False),
    st.integers(1, 400),
    st.integers(1, 6),
)
def test_mistrals_validators_accept_every_bounded_history(instructions, entries, tokens, turns):
    history = messages(instructions, entries, tokens=tokens, turns=turns)
    make_ready(history)
    check(history)
    assert history[-1]["role"] in {"user", "tool"}
    start = 1 if instructions else 0
    assert history[start]["role"] == "user"
    assert sum(message["role"] == "user" for message in history) <= turns + 1


@given(conversations(), st.integers(1, 10_000))
def test_a_bound_leaves_out_the_beginning_and_nothing_else(entries, tokens):
    whole = messages("", entries)
    left = bound(list(whole), tokens=tokens)
    assert left == whole[len(whole) - len(left) :]
    assert bound(list(whole)) == whole


# -- single cases


def test_the_last_turn_is_kept_however_long_it_is():
    entries = [
        Utterance("a " * 500, 0, 1),
        Reply("b", "b", closed=True),
        Utterance("c " * 900, 2, 3),
    ]
    (left,) = messages("", entries, tokens=10)
    assert left["content"].startswith("c c")


def test_what_a_tool_said_belongs_to_the_message_that_called_it():
    use = ToolUse("a" * 9, "look", "{}", 1, 1, result="free")
    said = Reply("One second.", "One second.", closed=True)
    history = messages("", [Utterance("Free?", 0, 1), use, said])
    make_ready(history)
    assert [m["role"] for m in history] == ["user", "assistant", "tool"]
    assert history[1]["content"] == "One second."


def test_an_agent_that_speaks_again_unasked_answers_silence():
    history = messages("", [Utterance("Hello", 0, 1), Reply("Hi.", "Hi.", closed=True)])
    make_ready(history)
    assert history[-1] == {"role": "user", "content": SILENT}
    check(history)


def test_news_and_replaced_words_are_what_the_model_is_told():
    entries = [
        Utterance("My card is 4711", 0, 1, told="My card is [number]"),
        News("(It came.)", 2),
    ]
    assert messages("", entries) == [{"role": "user", "content": "My card is [number] (It came.)"}]


def test_a_hand_over_without_the_history_begins_anew():
    entries = [
        Utterance("A refund", 0, 1),
        ToolUse("a" * 9, "to_billing", "{}", 1, 1, result="done"),
        HandOver("billing", "host", keep_history=False, note="order 12", at=2),
    ]
    (only,) = messages("", entries)
    assert only["role"] == "user"
    assert "host" in only["content"]
    assert "order 12" in only["content"]


def test_a_turn_and_its_reply():
    entries = [Utterance("Hello", 0, 1), Reply("Hi.", "Hi.", closed=True), Utterance("Bye", 2, 3)]
    assert messages("Be brief.", entries) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Bye"},
    ]


def test_no_instructions_no_system_message():
    assert messages("  \n", [Utterance("Hello", 0, 1)])[0]["role"] == "user"


def test_a_greeting_gets_an_opening_before_it():
    history = messages("Be brief.", [Reply("Welcome."), Utterance("Hello", 0, 1)])
    assert [m["role"] for m in history] == ["system", "user", "assistant", "user"]
    assert history[1]["content"] == OPENING


def test_only_what_was_heard_goes_on_and_the_cut_shows():
    reply = Reply("Two are free. Shall I?", "Two are", closed=True, interrupted=True)
    history = messages("", [Utterance("Tables?", 0, 1), reply, Utterance("Sorry, five", 2, 3)])
    assert history[1] == {"role": "assistant", "content": f"Two are {CUT_MARK}"}


def test_a_reply_of_which_nothing_was_heard_joins_the_callers_turns():
    reply = Reply("Two are free.", "", closed=True, interrupted=True)
    history = messages("", [Utterance("A table", 0, 1), reply, Utterance("for four", 2, 3)])
    assert history == [{"role": "user", "content": "A table for four"}]


def test_a_filler_and_parallel_calls_are_one_message():
    entries = [
        Utterance("Is there a table?", 0, 1),
        Reply("Let me look.", "Let me look.", closed=True),
        ToolUse("aaaaaaaaa", "free", '{"n": 4}', 1, 1, result="[1]"),
        ToolUse("bbbbbbbbb", "menu", "{}", 1, 1, result="soup"),
    ]
    history = messages("", entries)
    assert [m["role"] for m in history] == ["user", "assistant", "tool", "tool"]
    assert history[1]["content"] == "Let me look."
    assert [call["id"] for call in history[1]["tool_calls"]] == ["aaaaaaaaa", "bbbbbbbbb"]
    assert [m["content"] for m in history[2:]] == ["[1]", "soup"]
    check(history)


def test_a_second_round_of_tools_is_a_second_message():
    entries = [
        Utterance("Book it", 0, 1),
        ToolUse("aaaaaaaaa", "free", "{}", 1, 1, result="[1]"),
        ToolUse("bbbbbbbbb", "book", "{}", 2, 1, result="done"),
    ]
    assert [m["role"] for m in messages("", entries)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
    ]


def test_a_caller_who_speaks_while_a_tool_runs_comes_after_its_result():
    use = ToolUse("aaaaaaaaa", "book", "{}", 1, 1)
    history = messages("", [Utterance("Book it", 0, 1), use, Utterance("Wait", 2, 3)])
    assert [m["role"] for m in history] == ["user", "assistant", "tool", "user"]
    assert history[2]["content"] == UNFINISHED
    check(history)


@pytest.mark.parametrize("name", ["free tables!", "füße", "", "x" * 99, "a.b/c"])
def test_a_name_that_the_model_made_up_does_not_spoil_the_rest_of_the_call(name):
    use = ToolUse("aaaaaaaaa", name, "{}", 1, 1, result="There is no such tool.")
    check(messages("", [Utterance("Go", 0, 1), use]))


@pytest.mark.parametrize("broken", ["", '{"n": ', "null", "[]", "4"])
def test_arguments_that_are_no_object_are_sent_back_as_an_empty_one(broken):
    use = ToolUse("aaaaaaaaa", "free", broken, 1, 1, result="The arguments are no JSON.")
    call = messages("", [Utterance("Go", 0, 1), use])[1]["tool_calls"][0]
    assert call["function"]["arguments"] == "{}"


def test_failures_are_not_the_models_business():
    history = messages("", [Utterance("Go", 0, 1), Failure("speaking", "key sk-1 refused", 1)])
    assert "sk-1" not in json.dumps(history)
