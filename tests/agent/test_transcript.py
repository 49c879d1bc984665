from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent.ledger import account
from vivavoce.agent.transcript import CUT_MARK, Failure, Reply, ToolUse, Transcript, Utterance


def cut(generated: str, heard: str) -> Reply:
    return Reply(generated, heard, started=1.0, ended=2.0, interrupted=True, closed=True)


def test_a_reply_that_plays_counts_as_said_in_full():
    reply = Reply("Two are free.")
    assert reply.said == "Two are free."


def test_a_reply_that_was_played_counts_as_heard():
    reply = Reply("Two are free.", "Two are free.", closed=True)
    assert reply.said == "Two are free."
    assert reply.unheard == ""


def test_a_reply_that_was_cut_keeps_what_was_heard_and_a_mark():
    reply = cut("Two are free. Shall I book one?", "Two are")
    assert reply.said == f"Two are {CUT_MARK}"
    assert reply.unheard == "free. Shall I book one?"


def test_a_reply_that_was_cut_before_a_word_was_heard_was_never_said():
    reply = cut("Two are free.", "")
    assert reply.said == ""
    assert reply.unheard == "Two are free."


def test_nothing_is_made_up_when_the_heard_text_is_not_the_beginning():
    assert cut("Two are free.", "Three").unheard == ""


@given(st.text(), st.integers(0, 50))
def test_heard_and_unheard_are_the_text(generated, end):
    reply = cut(generated, generated[:end])
    joined = reply.heard + reply.unheard
    assert "".join(joined.split()) == "".join(generated.split())


def test_entries_by_kind_in_order():
    transcript = Transcript()
    said = Utterance("A table", 0.1, 0.9, "semantic")
    use = ToolUse("a1b2c3d4e", "free", "{}", 1, 1.0)
    failure = Failure("speaking", "broke off", 2.0)
    one, two = cut("One moment.", "One"), Reply("Yes.", "Yes.", closed=True)
    for entry in (said, one, use, failure, two):
        transcript.add(entry)
    assert transcript.caller == [said]
    assert transcript.replies == [one, two]
    assert transcript.tools == [use]
    assert transcript.failures == [failure]
    assert transcript.heard == "One Yes."
    assert len(transcript) == 5
    assert list(transcript) == [said, one, use, failure, two]


def test_dropping_goes_by_identity_and_ignores_strangers():
    transcript = Transcript()
    one, twin = Reply("Hm."), Reply("Hm.")
    transcript.add(one)
    transcript.add(twin)
    transcript.drop(twin)
    assert len(transcript) == 1
    assert transcript.entries[0] is one
    transcript.drop(twin)
    assert len(transcript) == 1


def test_json_says_everything_and_rounds_times():
    transcript = Transcript()
    transcript.add(Utterance("A table", 0.12345, 0.98765, "timeout: 1200 ms"))
    reply = cut("One moment, please.", "One moment,")
    reply.latency = account(0.0, 0.5, ())
    reply.reaction = 0.123456
    transcript.add(reply)
    transcript.add(ToolUse("a1b2c3d4e", "free", '{"n":4}', 1, 1.00049, 0.25, "[]", ok=True))
    transcript.add(Failure("speaking", "broke off", 2.0))
    transcript.add(Reply("Nothing yet"))
    rows = json.loads(json.dumps(transcript.to_dict()))
    assert [row["kind"] for row in rows] == ["caller", "agent", "tool", "failure", "agent"]
    assert rows[0] == {
        "kind": "caller",
        "text": "A table",
        "started": 0.123,
        "ended": 0.988,
        "why_ended": "timeout: 1200 ms",
        "served": "",
        "written": True,
    }
    assert rows[1]["heard"] == "One moment,"
    assert rows[1]["unheard"] == "please."
    assert rows[1]["reaction"] == 0.1235
    assert rows[1]["latency"]["total_us"] == 500_000
    assert rows[2]["arguments"] == '{"n":4}'
    assert rows[4]["started"] is rows[4]["latency"] is rows[4]["reaction"] is None
