from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.models.chat import MAX_ARGUMENTS, MAX_BLANK, MAX_CALLS, Answer, new_id
from vivavoce.pipelines.models.interfaces import Finished, ToolCallDelta, Usage


def chunk(*calls, content=None, finish=None, **more):
    delta = {"content": content} if content is not None else {}
    if calls:
        delta["tool_calls"] = list(calls)
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def call(name=None, arguments=None, **more):
    return {"function": {"name": name, "arguments": arguments}, **more}


def answer(*chunks):
    """Feed chunks; return the text, the calls and the end."""
    put = Answer()
    text = "".join(delta.text for each in chunks for delta in put.feed(each))
    *calls, end = put.finish()
    assert isinstance(end, Finished)
    assert all(isinstance(each, ToolCallDelta) for each in calls)
    assert len({each.id for each in calls}) == len(calls)
    for each in calls:
        assert len(each.id) == 9
        assert each.id.isalnum()
    return text, [(each.name, each.arguments) for each in calls], end


def test_text():
    text, calls, end = answer(
        chunk(content=""), chunk(content="Hel"), chunk(content="lo."), chunk(finish="stop")
    )
    assert (text, calls, end.reason) == ("Hello.", [], "stop")


def test_text_as_a_list_of_chunks():
    parts = [{"type": "text", "text": "Hi"}, {"type": "thinking", "thinking": []}, {"text": "!"}]
    assert answer(chunk(content=parts))[0] == "Hi!"


def test_usage_is_kept_wherever_it_comes():
    usage = {"prompt_tokens": 7, "completion_tokens": None, "total_tokens": 7}
    _, _, end = answer(chunk(content="Hi", finish="stop"), {"choices": [], "usage": usage})
    assert end == Finished("stop", Usage(7, 0))


def test_a_call_in_one_chunk():
    _, calls, end = answer(
        chunk(call("f", '{"a": 1}', id="D681PevKs", index=0), finish="tool_calls")
    )
    assert calls == [("f", '{"a": 1}')]
    assert end.reason == "tool_calls"


def test_a_good_id_is_kept_and_any_other_replaced():
    for given_id, kept in (
        ("D681PevKs", True),
        ("call_12345", False),
        ("null", False),
        ("ééééééééé", False),
        ("", False),
        (None, False),
    ):
        put = Answer()
        put.feed(chunk(call("f", "{}", id=given_id, index=0)))
        (found, _) = put.finish()
        assert (found.id == given_id) is kept


@given(st.lists(st.integers(0, 6), max_size=12), st.booleans())
def test_split_arguments(sizes, repeat_id):
    arguments = json.dumps({"day": "Friday", "people": 4, "name": "Zoë"})
    rest, pieces = arguments, []
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    more = {"id": "D681PevKs"} if repeat_id else {}
    chunks = [chunk(call("book", "", id="D681PevKs", index=0))]
    chunks += [chunk(call(None, piece, index=0, **more)) for piece in [*pieces, rest]]
    assert answer(*chunks)[1] == [("book", arguments)]


def test_arguments_as_an_object():
    assert answer(chunk(call("f", {"a": [1]}, id="aaaaaaaaa", index=0)))[1] == [("f", '{"a": [1]}')]


def test_no_arguments_at_all():
    assert answer(chunk(call("f", None, id="aaaaaaaaa", index=0)))[1] == [("f", "")]


def test_parallel_calls_in_one_chunk_and_interleaved():
    both = (call("f", '{"a"', id="aaaaaaaaa", index=0), call("g", "{}", id="bbbbbbbbb", index=1))
    _, calls, _ = answer(chunk(*both), chunk(call(None, ": 1}", index=0)))
    assert calls == [("f", '{"a": 1}'), ("g", "{}")]


def test_parallel_calls_without_index_in_one_chunk():
    both = (call("f", "{}", id="aaaaaaaaa"), call("g", "{}", id="bbbbbbbbb"))
    assert answer(chunk(*both))[1] == [("f", "{}"), ("g", "{}")]


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("pieces", [['{"a": 1}'], ['{"a"', ": 1}"]])
def test_parallel_calls_in_chunks_of_their_own_that_never_count_up(index, pieces):
    chunks = []
    for name, given_id in (("f", "aaaaaaaaa"), ("g", "bbbbbbbbb"), ("h", "ccccccccc")):
        chunks.append(chunk(call(name, pieces[0], id=given_id, index=index)))
        chunks += [chunk(call(None, piece, id=given_id, index=index)) for piece in pieces[1:]]
    expected = [(name, '{"a": 1}') for name in "fgh"]
    assert answer(*chunks)[1] == expected


@pytest.mark.parametrize("index", [0, None])
def test_pieces_without_id_belong_to_the_latest_call_of_their_index(index):
    chunks = []
    for name, given_id in (("f", "aaaaaaaaa"), ("g", "bbbbbbbbb")):
        chunks.append(chunk(call(name, '{"a"', id=given_id, index=index)))
        chunks.append(chunk(call(None, ": 1}", index=index)))
    assert answer(*chunks)[1] == [("f", '{"a": 1}'), ("g", '{"a": 1}')]


@pytest.mark.parametrize("index", [0, None])
def test_calls_without_ids_and_a_new_name_are_new_calls(index):
    chunks = [chunk(call(name, "{}", index=index)) for name in ("f", "g")]
    assert answer(*chunks)[1] == [("f", "{}"), ("g", "{}")]


def test_text_before_a_call():
    text, calls, _ = answer(chunk(content="Let me look."), chunk(call("f", "{}", index=0)))
    assert (text, calls) == ("Let me look.", [("f", "{}")])


def test_a_call_without_a_name_is_none():
    assert answer(chunk(call("", "{}", id="aaaaaaaaa", index=0)))[1] == []


def test_other_choices_are_not_taken():
    other = {"choices": [{"index": 1, "delta": {"content": "No."}}]}
    assert answer(chunk(content="Yes."), other)[0] == "Yes."


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"error": {"message": "overloaded", "code": 3505}}, "overloaded"),
        ({"object": "error", "message": "no credit"}, "no credit"),
        ({"error": "plain"}, "plain"),
    ],
)
def test_an_error_in_the_stream_is_raised_with_its_message(broken, message):
    with pytest.raises(ValueError, match=message):
        Answer().feed(broken)


def test_arguments_without_an_end_are_refused():
    put = Answer()
    piece = chunk(call("f", "x" * (MAX_ARGUMENTS // 2 + 1), id="aaaaaaaaa", index=0))
    put.feed(piece)
    with pytest.raises(ValueError, match="arguments of more than"):
        put.feed(piece)


def test_calls_without_an_end_are_refused():
    put = Answer()
    for number in range(MAX_CALLS):
        put.feed(chunk(call("f", "{}", id=f"call{number:05}")))
    with pytest.raises(ValueError, match="more than 128 tool calls"):
        put.feed(chunk(call("f", "{}", id="call99999")))


def test_an_answer_that_never_begins_is_refused_and_a_word_begins_it_anew():
    put = Answer()
    for _ in range(2):
        for _ in range(MAX_BLANK):
            put.feed(chunk(content=""))
        put.feed(chunk(content="Well,"))
    for _ in range(MAX_BLANK):
        put.feed(chunk(content=""))
    with pytest.raises(ValueError, match="say nothing"):
        put.feed(chunk(content=""))


def test_new_ids_are_what_every_tokenizer_takes():
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(each) == 9 and each.isalnum() and each.isascii() for each in made)
