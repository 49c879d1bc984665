"""The narrator: a call's events as a page has them."""

from __future__ import annotations

import json
from typing import Any

from tests.web.calls import host
from vivavoce.agent.call import Call
from vivavoce.agent.events import (
    AgentSaid,
    AgentStarted,
    CallEnded,
    CallerSaid,
    SegmentChanged,
    ToolEnded,
)
from vivavoce.agent.ledger import Span, account
from vivavoce.agent.reason import CALLER_HUNG_UP
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Reply, ToolUse, Utterance
from vivavoce.web.narrator import LARGEST, Narrator


def made() -> tuple[Call[Any], Narrator]:
    call: Call[Any] = Call(host(), "c1")
    return call, Narrator(call, lambda: "now", recording=False)


def ours(texts: list[str]) -> list[dict[str, Any]]:
    rows = [json.loads(text) for text in texts]
    return [row["data"] for row in rows if row["type"] == "server-message"]


def kinds(texts: list[str]) -> list[str]:
    return [json.loads(text)["type"] for text in texts]


def test_a_reply_grows_is_heard_and_is_cut_under_one_name():
    call, narrator = made()
    reply = Reply()
    call.transcript.add(reply)
    reply.generated = "Two are"
    first = narrator.watch()
    assert [each["event"] for each in ours(first)] == ["phase", "reply"]
    assert "bot-llm-started" in kinds(first)
    assert narrator.watch() == []
    reply.generated, reply.heard = "Two are free.", "Two"
    (grown,) = ours(narrator.watch())
    assert (grown["reply"]["id"], grown["reply"]["heard"]) == ("r1", "Two")
    reply.started, reply.interrupted, reply.closed = 1.0, True, True
    told = narrator.event(AgentSaid(2.0, reply))
    said = ours(told)[-1]
    assert said["event"] == "agent_said"
    assert said["reply"]["unheard"] == "are free."
    assert said["reply"]["closed"]
    assert "bot-stopped-speaking" in kinds(told)
    assert narrator.name(Reply()) == "r2"
    assert narrator.name(reply) == "r1"


def test_the_ledger_comes_with_the_first_sound():
    call, narrator = made()
    utterance = Utterance("A table", 0.5, 1.0, "silence 300 ms")
    narrator.event(CallerSaid(1.3, utterance))
    latency = account(1.0, 1.6, [Span("endpointing", 1.0, 1.3), Span("speech", 1.3, 1.6)])
    reply = Reply("Yes.", started=1.6, latency=latency)
    call.ledger.speculation.guesses = call.ledger.speculation.hits = 1
    (turn,) = [e for e in ours(narrator.event(AgentStarted(1.6, reply))) if e["event"] == "turn"]
    assert sum(turn["latency"]["stages_us"].values()) == turn["latency"]["total_us"] == 600_000
    assert (turn["why_ended"], turn["speculation"]) == ("silence 300 ms", "hit")
    (turn,) = [e for e in ours(narrator.event(AgentStarted(1.6, reply))) if e["event"] == "turn"]
    assert turn["speculation"] == "none"


def test_a_snapshot_has_what_there_was_and_fits_a_message():
    call, narrator = made()
    for number in range(100):
        call.transcript.add(Utterance(f"{number} " + "x" * 2_000, 0.0, 1.0))
    text = narrator.snapshot(muted=True)
    assert len(text.encode()) < LARGEST + 2_000
    data = json.loads(text)["data"]
    assert data["shortened"]
    assert data["muted"]
    assert data["transcript"][-1]["text"].startswith("99 ")
    assert len({row["id"] for row in data["transcript"]}) == len(data["transcript"])


def test_tools_and_the_end():
    _, narrator = made()
    use = ToolUse("a", "book", '{"n": 1}', 0, 1.0, seconds=0.2, result="x" * 20_000, ok=True)
    told = ours(narrator.event(ToolEnded(1.2, use)))
    assert told[0]["event"] == "tool_ended"
    assert len(told[0]["use"]["result"]) < 9_000
    secret = ToolUse("b", "pay", '{"card": 1}', 0, 1.0, shown='{"card": "…"}')
    assert "1}" not in narrator.entry(secret)["arguments"]
    told = ours(narrator.event(CallEnded(3.0, "bye")))
    assert [each["event"] for each in told[-2:]] == ["phase", "call_ended"]
    assert (told[-1]["reason"], told[-1]["code"]) == ("bye", "")
    told = ours(made()[1].event(CallEnded(3.0, CALLER_HUNG_UP)))
    assert (told[-1]["reason"], told[-1]["code"]) == ("the caller hung up", "caller")


def test_a_segment_is_told_as_it_goes_on_and_its_caption_ten_times_a_second():
    call, narrator = made()
    segment = Segment(1, "Ada", "fr", "en", "Bonjour à tous.", 0.5, 1.5, cut=1.8)
    call.transcript.add(segment)
    first = narrator.event(SegmentChanged(1.8, segment))
    assert kinds(first) == ["user-transcription", "server-message"]
    assert json.loads(first[0])["data"]["user_id"] == "Ada"
    assert ours(first)[0]["event"] == "segment"
    segment.state = "translating"
    assert ours(narrator.event(SegmentChanged(1.9, segment)))
    for text in ("Hello", "Hello every", "Hello everybody"):
        segment.caption(text)
        assert narrator.event(SegmentChanged(2.0, segment)) == []
    (grown,) = [each for each in ours(narrator.watch()) if each["event"] == "segment"]
    assert grown["segment"]["translation"] == "Hello everybody"
    assert [each for each in ours(narrator.watch()) if each["event"] == "segment"] == []
    segment.caption("Good morning, all.")
    narrator.event(SegmentChanged(2.1, segment))
    segment.state, segment.spoken_from = "speaking", 2.2
    (spoken,) = ours(narrator.event(SegmentChanged(2.2, segment)))
    assert spoken["segment"]["revisions"] == ["Hello everybody"]
    assert spoken["segment"]["lag"] == 0.7
    assert [each for each in ours(narrator.watch()) if each["event"] == "segment"] == []
    segment.state = "spoken"
    assert "bot-transcription" in kinds(narrator.event(SegmentChanged(3.0, segment)))
    (row,) = json.loads(narrator.snapshot(muted=False))["data"]["transcript"]
    assert (row["kind"], row["state"]) == ("segment", "spoken")
