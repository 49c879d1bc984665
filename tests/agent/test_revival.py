"""What of a call outlives its server, and how it is read back."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from vivavoce.agent import Agent, Call, HandOff
from vivavoce.agent.events import CallerSaid
from vivavoce.agent.history import UNFINISHED, messages
from vivavoce.agent.ledger import Request, Span, Switch, account
from vivavoce.agent.record import record
from vivavoce.agent.revival import Past, entries, from_json, preserve, to_json, unanswered
from vivavoce.agent.transcript import FRESH, Failure, News, Reply, ToolUse, Transcript, Utterance


@dataclasses.dataclass
class Order:
    dishes: list[str] = dataclasses.field(default_factory=list)
    when: datetime | None = None


class Booking(BaseModel):
    people: int = 0
    days: set[str] = set()


class Opaque:
    """A state that is nothing JSON could hold."""


def saved(call: Call[Any]) -> dict[str, Any]:
    """A call's record as it is read from a database."""
    entry = record(
        call,
        agent="host",
        began=datetime(2026, 11, 21, tzinfo=UTC),
        seconds=30.0,
        models={},
        growing=True,
    )
    return dict(json.loads(json.dumps({**entry, "revival": preserve(call)})))


def revived(
    call: Call[Any], agent: Agent[Any], *others: Agent[Any]
) -> tuple[Call[Any], list[str], Past]:
    known = {each.name: each for each in others}
    past, again = Past(saved(call), 5.0, known.get), Call(agent)
    return again, past.restore(again), past


def test_a_call_is_gone_on_with():
    agent = Agent("Take orders.", name="host", languages=["en", "fr"], state=Order)
    call = Call(agent)
    call.state.dishes.append("soup")
    call.state.when = datetime(2026, 11, 21, 19, tzinfo=UTC)
    call.remember("table", 4)
    call.set_language("fr")
    said = Utterance("une soupe", 1.0, 2.0, "silence", told="(withheld)", served="ear")
    call.transcript.add(said)
    call.emit(CallerSaid(2.0, said))
    call.transcript.add(ToolUse("a" * 9, "order", '{"pin": "1"}', 3, 2.1, 0.1, '"ok"', ok=True, shown="{}"))  # fmt: skip
    latency = account(2.0, 2.8, [Span("thinking", 2.1, 2.5)])
    reply = Reply("Bien sûr.", "Bien sûr.", 2.8, 3.4, closed=True, latency=latency)
    reply.served["thinking"] = "brain"
    call.transcript.add(reply)
    call.ledger.add(latency, {"hearing": "ear", "thinking": "brain"})
    call.transcript.add(Reply("Well", "Well", 4.0, 4.2, closed=True, aside=True))
    call.transcript.add(Failure("tools", "it failed", 4.5))
    call.transcript.add(News("(The soup is out.)", 5.0))
    call.usage.requests, call.usage.prompt_tokens, call.usage.heard = 2, 80, 1.5
    for _ in range(2):
        call.ledger.requests.append(Request("thinking", "brain", 0.0, prompt=40, completion=5))
    call.ledger.switches.append(Switch("thinking", "brain", "timeout", 1.0, "timeout"))
    call.ledger.health.underruns = 2
    call.disclosed, call.consent = 0.5, True

    again, lost, past = revived(call, agent)
    assert not lost
    assert again.state == call.state
    assert again.memory == {"table": "4"}
    assert again.language == "fr"
    assert past.seconds == again.now == 35.0
    assert again.resumed is not None
    assert again.resumed.to_dict() == {"at": 35.0, "away": 5.0}
    assert again.transcript.tools[0].arguments == "{}"  # a secret stands in no record
    call.transcript.tools[0].arguments = "{}"
    assert messages("x", again.transcript) == messages("x", call.transcript)
    assert "withheld" in str(messages("x", again.transcript))
    assert again.ledger.percentiles() == call.ledger.percentiles()
    assert again.ledger.providers == call.ledger.providers
    assert again.ledger.switches == call.ledger.switches
    assert again.usage == call.usage
    assert (again.ledger.requests[0].prompt, len(again.ledger.requests)) == (80, 1)
    assert again.ledger.health.underruns == 2
    assert (again.disclosed, again.consent) == (0.5, True)
    # And once more.
    third, _, _ = revived(again, agent)
    assert [each.away for each in third.resumptions] == [5.0, 5.0]
    assert third.usage == call.usage


def test_what_was_not_heard_was_not_said():
    rows = [
        Reply("Two are free, at seven.", "Two are", 1.0).to_dict(),  # it was being said
        Reply("Not a word of it").to_dict(),
        Reply("All of it.", "All of it.", 1.0, 2.0, closed=True).to_dict(),
        Reply("Cut", "Cut", 1.0, 2.0, interrupted=True, closed=True).to_dict(),
        {"kind": "segment", "text": "hello"},
        {"kind": "of a later version"},
    ]
    cut, whole, again = entries(json.loads(json.dumps(rows)))
    assert isinstance(cut, Reply)
    assert (cut.said, cut.closed, cut.interrupted) == ("Two are —", True, True)
    assert isinstance(whole, Reply)
    assert (whole.said, whole.interrupted) == ("All of it.", False)
    assert isinstance(again, Reply)
    assert again.interrupted


def test_a_tool_that_ran_is_told_to_have_been_interrupted():
    rows = [Utterance("go", 0, 1).to_dict(), ToolUse("a" * 9, "f", "{}", 1, 1.0).to_dict()]
    assert UNFINISHED in str(messages("x", entries(rows)))


@pytest.mark.parametrize(
    ("entry", "owed"),
    [
        ([], False),
        ([Reply("Hi", "Hi", closed=True)], False),
        ([Utterance("Hi", 0, 1)], True),
        ([Utterance("Hi", 0, 1), Failure("thinking", "no", 1)], True),
        ([Utterance("Hi", 0, 1), Reply("One moment", "One moment", aside=True)], True),
        ([Utterance("Hi", 0, 1), Reply("Ho", "Ho", closed=True)], False),
        ([ToolUse("a" * 9, "f", "{}", 1, 1.0)], True),
        ([News("(done)", 1.0)], True),
    ],
)
def test_what_is_owed(entry, owed):
    assert (unanswered(Transcript(list(entry))) is not None) is owed


def test_whoever_took_the_call_over_goes_on():
    host = Agent("a", name="host", state=Order)
    desk = Agent("b", name="desk", greeting="Desk!", state=Booking)
    call = Call(host)
    call.take_over(HandOff(desk, note="a table"))
    call.state.people = 3
    again, lost, _ = revived(call, host, desk)
    assert not lost
    assert again.agent is desk
    assert again.state == Booking(people=3)
    assert again.greeting_due
    assert unanswered(again.transcript) is not None
    alone, lost, _ = revived(call, host)
    assert alone.agent is host
    assert "desk, who spoke last, is not known here" in lost[0]
    assert alone.state == Order()


@pytest.mark.parametrize(
    "state",
    [
        Order(["a"], datetime(2026, 1, 1, tzinfo=UTC)),
        Booking(people=2, days={"mo"}),
        {"a": [1, None]},
        [1, "b"],
        7,
    ],
)
def test_a_state_is_read_back(state):
    kept = json.loads(json.dumps(to_json(state)))
    assert from_json(kept, type(state)()) == state


def test_a_state_that_cannot_be_kept_begins_anew():
    assert to_json(Opaque()) is None
    assert to_json(None) is None
    assert to_json({"a": Opaque()}) is None
    assert to_json("x" * 300_000) is None
    agent = Agent("a", name="host", state=Opaque)
    again, lost, _ = revived(Call(agent), agent)
    assert isinstance(again.state, Opaque)
    assert lost == ["the state was nothing that could be kept: it begins anew"]
    changed = Agent("a", name="host", state=Booking)
    past = Past({**saved(Call(changed)), "revival": {"state": {"people": "many"}}}, 1.0, lambda _: None)  # fmt: skip
    again = Call(changed)
    assert "begins anew" in past.restore(again)[0]
    assert again.state == Booking()
    with pytest.raises(ValueError, match="cannot be read"):
        from_json({}, Opaque())


def test_rows_of_a_transcript_that_grows_are_those_of_the_whole():
    transcript = Transcript()
    last: list[dict[str, Any]] = []
    for number in range(3 * FRESH):
        reply = Reply(f"reply {number}", started=float(number))
        use = ToolUse(f"{number:09}", "f", "{}", number, float(number))
        for entry in (Utterance(f"turn {number}", number, number), use, reply):
            transcript.add(entry)
        assert transcript.rows() == transcript.to_dict()
        reply.heard, reply.closed = reply.generated, True
        if number % 7:
            use.result = "1"  # of the others it comes late
        if number % 5 == 0:
            transcript.drop(reply)
        rows = transcript.rows()
        assert rows == transcript.to_dict()
        if number > FRESH:
            assert all(new is old for new, old in zip(rows[:20], last[:20], strict=True))
        last = rows
    for use in transcript.tools:
        use.result = "late"
        break
    assert transcript.rows() == transcript.to_dict()
