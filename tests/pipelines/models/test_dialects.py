"""Chat in every dialect: what is sent, what is understood, and histories that every server takes."""

from __future__ import annotations

import copy
import json
import string
from contextlib import aclosing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from vivavoce.agent import history
from vivavoce.agent.transcript import Failure, HandOver, News, Reply, ToolUse, Utterance
from vivavoce.pipelines.models import joint, providers
from vivavoce.pipelines.models.chat import (
    MANNERS,
    MOST_IDS,
    Answer,
    AnswerError,
    Ids,
    Manner,
    request,
)
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http, seconds_until
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, ToolCallDelta
from vivavoce.pipelines.models.providers import DialectError

BASES = {"mistral": "", "vllm": "/vllm", "openai": "/openai", "openrouter": "/api"}
TOOL = {
    "type": "function",
    "function": {"name": "free", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"name": "free", "arguments": {"people": 4, "name": "Zoë"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}


@pytest.fixture
async def http(quick):
    made = Http(quick)
    yield made
    await made.close()


@pytest.fixture
def where(endpoint):
    def make(dialect: str, **given) -> Endpoint:
        key = endpoint("think", **given)
        made = Endpoint(key.url + BASES[dialect], key.key, key.model, dialect)
        endpoint.keys[made] = endpoint.keys[key]
        return made

    return make


async def ask(model, messages):
    async with aclosing(model.stream(messages, [TOOL])) as thoughts:
        found = [each async for each in thoughts]
    text = "".join(each.text for each in found if isinstance(each, TextDelta))
    assert isinstance(found[-1], Finished)
    return text, [each for each in found if isinstance(each, ToolCallDelta)], found[-1]


@pytest.mark.parametrize("dialect", BASES)
@pytest.mark.parametrize("kind", [None, "foreign_ids", "same_index", "object_arguments"])
async def test_a_tool_is_called_and_its_result_taken(http, where, endpoint, dialect, kind):
    faults = {"think": [{"kind": kind, "on": [1]}]} if kind else {}
    place = where(dialect, script={"think": [[CALL, CALL], "Two are free."]}, faults=faults)
    model = providers.thinking(http, place)
    asked = [{"role": "user", "content": "Is there a table?"}]
    _, calls, end = await ask(model, asked)
    assert [json.loads(call.arguments) for call in calls] == [CALL["arguments"]] * 2
    assert len({call.id for call in calls}) == 2
    assert all(len(call.id) == 9 and call.id.isalnum() for call in calls)
    assert end.usage.prompt
    entries = [
        Utterance("Is there a table?", 0, 1),
        *(ToolUse(c.id, c.name, c.arguments, 1, 2.0, 0.1, "two") for c in calls),
    ]
    text, _, _ = await ask(model, history.messages("", entries))
    assert text == "Two are free."
    sent = endpoint.keys[place].report["bodies"][-1]["body"]
    assert ("stream_options" in sent) == (dialect != "mistral")
    results = [message for message in sent["messages"] if message["role"] == "tool"]
    assert all(("name" in message) == (dialect in {"mistral", "vllm"}) for message in results)
    # Each server gets back the ids that it gave; Mistral only ever nine alphanumerics.
    ours = {call.id for call in calls}
    assert ({message["tool_call_id"] for message in results} == ours) == (dialect == "mistral")


@pytest.mark.parametrize("dialect", BASES)
async def test_an_error_in_the_middle_is_told(http, where, dialect):
    fault = {"kind": "error", "after": 3, "message": "Out of memory.", "status": 503}
    place = where(dialect, script={"think": ["one two three"]}, faults={"think": [fault]})
    with pytest.raises(ModelError, match="Out of memory") as caught:
        await ask(providers.thinking(http, place), [{"role": "user", "content": "Hello"}])
    assert caught.value.kind == "broken"


def test_an_error_in_the_middle_has_its_kind():
    for chunk, kind in (
        ({"error": {"code": 429, "message": "slow down"}}, "busy"),
        ({"error": {"code": "401", "message": "who are you"}}, "auth"),
        ({"error": {"code": "server_error", "message": "oh"}}, "broken"),
        ({"error": "oh"}, "broken"),
        ({"object": "error", "message": "oh", "code": 3000}, "broken"),
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, "broken"),
    ):
        with pytest.raises(AnswerError) as caught:
            Answer().feed(chunk)
        assert caught.value.kind == kind


def test_ids_go_both_ways_and_are_bounded():
    ids = Ids()
    ours = ids.ours("call_abc")
    assert len(ours) == 9
    assert ids.theirs(ours) == "call_abc"
    assert ids.ours("D681PevKs") == "D681PevKs" == ids.theirs("D681PevKs")
    assert ids.theirs("elsewhere") == "elsewhere"
    for number in range(MOST_IDS):
        ids.ours(f"call_{number}")
    assert ids.theirs(ours) == ours


def test_two_calls_never_share_an_id():
    answer = Answer()
    same = {"function": {"name": "f", "arguments": "{}"}, "id": "abcdefghi"}
    answer.feed(
        {"choices": [{"delta": {"tool_calls": [{**same, "index": 0}, {**same, "index": 1}]}}]}
    )
    one, two, _ = answer.finish()
    assert one.id != two.id


def test_audio_is_plain_for_mistral_and_an_object_for_the_others():
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hear:"}, AUDIO]}]
    before = copy.deepcopy(messages)
    (plain,) = request(messages, MANNERS["mistral"], Ids(), "voxtral-small-latest")
    assert plain["content"][1] == {"type": "input_audio", "input_audio": "QUJD"}
    (other,) = request(messages, Manner(), Ids(), "voxtral-small-latest")
    assert other["content"][1] == AUDIO
    assert messages == before


def test_instructions_stand_beside_the_audio_where_a_model_takes_no_system_message():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [AUDIO]},
    ]
    model = "mistralai/Voxtral-Small-24B-2507"
    (only,) = request(messages, MANNERS["vllm"], Ids(), model)
    assert only["content"] == [{"type": "text", "text": "Be brief."}, AUDIO]
    assert len(request(messages, MANNERS["vllm"], Ids(), "voxtral-small-latest")) == 2
    texts = [messages[0], {"role": "user", "content": "Hello"}]
    assert request(texts, MANNERS["vllm"], Ids(), model) == texts


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://api.mistral.ai", "https://api.mistral.ai/v1/chat/completions"),
        ("https://api.example.com/v1/", "https://api.example.com/v1/chat/completions"),
        ("https://x.test/openai/v1", "https://x.test/openai/v1/chat/completions"),
    ],
)
def test_an_address_may_end_in_its_version(url, found):
    assert Endpoint(url, "", "").at("/v1/chat/completions") == found


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_when_to_come_back(header, seconds):
    assert seconds_until(header, 60.0) == seconds


def test_a_dialect_that_is_not_known_is_told_with_those_that_are():
    with pytest.raises(DialectError, match="choose mistral, vllm, openrouter, openai"):
        providers.thinking(Http(), Endpoint("http://x", "", "m", "telepathy"))
    with pytest.raises(DialectError, match="there is no nowhere:model"):
        providers.speaking(Http(), Endpoint("http://x", "", "m", "nowhere:model"))
    with pytest.raises(DialectError, match="is no function"):
        providers.speaking(Http(), Endpoint("http://x", "", "m", "json.decoder:NaN"))
    own = "vivavoce.pipelines.models.chat:ChatModel"
    assert providers.thinking(Http(), Endpoint("http://x", "", "m", own))


# -- a thousand calls, interrupted anywhere

texts = st.text(string.ascii_letters + " é?.", min_size=1, max_size=30).filter(str.strip)
ids = st.text(string.ascii_letters + string.digits, min_size=9, max_size=9)
foreign = st.one_of(ids, st.from_regex(r"call_[a-z0-9]{6,24}", fullmatch=True))


@st.composite
def calls(draw) -> list:
    """A transcript that was interrupted at random: replies cut, tools unanswered, voice unwritten."""
    entries: list = []
    if draw(st.booleans()):
        entries.append(Reply("Hello, how can I help?", closed=True, heard="Hello,"))
    group = 0
    for number in range(draw(st.integers(1, 5))):
        at = float(number)
        for _ in range(draw(st.integers(1, 2))):
            said = Utterance(draw(texts), at, at + 1)
            if draw(st.booleans()):
                said.audio, said.written = b"RIFF", draw(st.booleans())
            entries.append(said)
        for _ in range(draw(st.integers(0, 2))):
            group += 1
            if draw(st.booleans()):
                entries.append(Reply(draw(texts), "", closed=True, interrupted=True))
            entries += [
                ToolUse(
                    draw(foreign),
                    draw(st.sampled_from(["free", "bad name"])),
                    draw(st.sampled_from(["{}", '{"a": 1}', "oops", "[]"])),
                    group,
                    at,
                    result=draw(st.sampled_from([None, "two", ""])),
                )
                for _ in range(draw(st.integers(1, 3)))
            ]
            entries += draw(
                st.lists(
                    st.sampled_from(
                        [
                            News("(late)", at),
                            Failure("thinking", "x", at),
                            HandOver("b", "a", True, "note", at),
                            Utterance("wait", at, at),
                        ]
                    ),
                    max_size=2,
                )
            )
        text = draw(texts)
        heard = text[: draw(st.integers(0, len(text)))]
        entries.append(Reply(text, heard, closed=draw(st.booleans()), interrupted=heard != text))
    entries.append(Utterance(draw(texts), 99, 100))
    return entries


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls(), st.sampled_from(["", "Be brief."]), st.sampled_from(["", "Two tables"]))
def test_every_history_is_one_that_the_server_takes(entries, instructions, said):
    ours = Ids()
    uses = [entry for entry in entries if isinstance(entry, ToolUse)]
    for number, use in enumerate(uses):
        use.id = ours.ours(use.id if use.id.startswith("call_") else f"{use.id[:6]}{number:03}")
    messages = history.messages(instructions, entries)
    history.make_ready(messages)
    if said:  # what a second model is asked after the first one broke off
        messages = joint.history(messages, said)
    sent = request(messages, MANNERS["mistral"], ours, "mistral-small-latest")
    heard = any(isinstance(message["content"], list) for message in messages)
    # Before v13 there are no instructions beside audio.
    judged = ChatCompletionRequest.model_validate({"model": "m", "messages": messages})
    for version in ("v15" if heard and instructions else "v7", "v13"):
        get_validator(TokenizerVersion[version], ValidationMode.serving).validate_request(judged)
    for message in sent:
        for call in message.get("tool_calls", ()):
            assert len(call["id"]) == 9
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    # The others get back their own ids, and calls and results still match one to one.
    theirs = request(messages, Manner(), ours, "m")
    made = [call["id"] for m in theirs for call in m.get("tool_calls", ())]
    answered = [m["tool_call_id"] for m in theirs if m["role"] == "tool"]
    assert sorted(made) == sorted(answered)
