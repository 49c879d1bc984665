from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.models import sse
from vivavoce.pipelines.models.sse import ServerSentEvent, SseParser

lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
events = st.builds(
    lambda event, data: ServerSentEvent(event.strip(), "\n".join(data)),
    st.sampled_from(["", "speech.audio.delta", "message", "événement"]),
    st.lists(lines, min_size=1, max_size=3),
)


def write(event: ServerSentEvent, newline: str, space: str) -> bytes:
    rows = [f"event:{space}{event.event}"] if event.event else []
    # A space behind the colon is the format's; one more would be the data's.
    rows += [f"data:{space or ' '}{line}" for line in event.data.split("\n")]
    return "".join(row + newline for row in [*rows, ""]).encode()


@given(
    st.lists(events, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(st.integers(1, 7), max_size=200),
    st.booleans(),
)
def test_any_chunking_gives_the_same_events(sent, newline, sizes, one_by_one):
    stream = b"".join(write(event, newline, " ") for event in sent)
    parser = SseParser()
    found = []
    for size in [1] * len(stream) if one_by_one else sizes:
        found += parser.feed(stream[:size])
        stream = stream[size:]
    found += parser.feed(stream)
    assert found == sent


def test_a_character_split_over_two_chunks_is_whole():
    stream = 'data: {"text":"é🙂"}\n\n'.encode()
    for place in range(len(stream)):
        parser = SseParser()
        found = parser.feed(stream[:place]) + parser.feed(stream[place:])
        assert found == [("", '{"text":"é🙂"}')]


def test_comments_other_fields_and_events_without_data_are_passed_over():
    stream = b": ping\n\nid: 7\nretry: 10\n\nevent: lonely\n\ndata:bare\ndata\n\n"
    assert SseParser().feed(stream) == [("", "bare\n")]


def test_an_event_that_is_not_finished_is_not_given():
    parser = SseParser()
    assert parser.feed(b"event: a\ndata: 1\n") == []
    assert parser.feed(b"\n") == [("a", "1")]


def test_bytes_that_are_no_utf8_do_no_harm():
    assert SseParser().feed(b"data: \xff\xfe\n\n") == [("", "��")]


@pytest.mark.parametrize("line", [b"x", b"data: xx\n"])
def test_an_event_without_an_end_is_refused(monkeypatch, line):
    monkeypatch.setattr(sse, "MAX_EVENT", 1000)
    parser = SseParser()
    for _ in range(1000 // len(line)):
        assert not parser.feed(line)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        parser.feed(line * 2)
    # In one go as well.
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        SseParser().feed(line * 1001)
