from __future__ import annotations

import json

import pytest

from vivavoce.agent import events
from vivavoce.agent.segment import Segment
from vivavoce.agent.transcript import Failure, HandOver, Reply, ToolUse, Utterance
from vivavoce.agent.transfer import Transfer

ROWS = [
    (events.CallStarted(0.0, "c1"), {"event": "call_started", "at": 0.0, "call": "c1"}),
    (events.CallerStarted(1.23456), {"event": "caller_started", "at": 1.235}),
    (
        events.Resumed(8, "c1", 4.5),
        {"event": "resumed", "at": 8, "call": "c1", "away": 4.5},
    ),
    (events.CallerStopped(2), {"event": "caller_stopped", "at": 2}),
    (events.CallerPartial(1, "a ta"), {"event": "caller_partial", "at": 1, "text": "a ta"}),
    (events.KeyPressed(3, "#"), {"event": "key_pressed", "at": 3, "key": "#"}),
    (
        events.MessageReceived(3, {"page": 2}),
        {"event": "message_received", "at": 3, "message": {"page": 2}},
    ),
    (events.LanguageChanged(3, "fr"), {"event": "language_changed", "at": 3, "language": "fr"}),
    (events.HoldStarted(4), {"event": "hold_started", "at": 4}),
    (events.HoldEnded(5), {"event": "hold_ended", "at": 5}),
    (
        events.Checked(6, "reply", "no", "sorry", refused=True),
        {
            "event": "checked",
            "at": 6,
            "what": "reply",
            "text": "no",
            "instead": "sorry",
            "refused": True,
            "why": "",
        },
    ),
    (
        events.TransferMoved(7, Transfer("100", "warm", 2.00049, "failed", "nobody", ended=7)),
        {
            "event": "transfer_moved",
            "at": 7,
            "transfer": {
                "to": "100",
                "mode": "warm",
                "state": "failed",
                "began": 2.0,
                "why": "nobody",
                "ended": 7,
            },
        },
    ),
    (events.CallEnded(9, "hung up"), {"event": "call_ended", "at": 9, "reason": "hung up"}),
]


@pytest.mark.parametrize(("event", "row"), ROWS, ids=lambda part: type(part).__name__)
def test_an_event_as_json(event, row):
    assert event.to_dict() == row


@pytest.mark.parametrize(
    ("event", "name", "field", "kind"),
    [
        (events.CallerSaid(1, Utterance("Hi", 0, 1)), "caller_said", "utterance", "caller"),
        (events.AgentStarted(1, Reply("Hi")), "agent_started", "reply", "agent"),
        (events.AgentSaid(1, Reply("Hi")), "agent_said", "reply", "agent"),
        (events.ToolStarted(1, ToolUse("a" * 9, "f", "{}", 1, 0)), "tool_started", "use", "tool"),
        (events.ToolEnded(1, ToolUse("a" * 9, "f", "{}", 1, 0)), "tool_ended", "use", "tool"),
        (
            events.HandedOff(1, HandOver("desk", "host", keep_history=True, note="", at=1)),
            "handed_off",
            "handoff",
            "handoff",
        ),
        (events.Failed(1, Failure("tools", "no", 0)), "failed", "failure", "failure"),
        (
            events.SegmentChanged(1, Segment(1, "A", "fr", "en", "bonjour", 0, 1)),
            "segment_changed",
            "segment",
            "segment",
        ),
    ],
)
def test_what_an_event_is_about_is_json_within_it(event, name, field, kind):
    row = json.loads(json.dumps(event.to_dict()))
    assert row["event"] == name
    assert row[field]["kind"] == kind


def test_every_event_has_been_looked_at():
    kinds = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
    }
    assert len(kinds) == len(ROWS) + 8
