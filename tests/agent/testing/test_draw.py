from __future__ import annotations

from vivavoce.agent.testing import draw
from vivavoce.agent.transcript import Failure, HandOver, News, Reply, ToolUse, Transcript, Utterance


def transcript() -> Transcript:
    return Transcript(
        [
            Utterance("A table for four tomorrow evening, please, by the window", 1.0, 3.0),
            ToolUse("a", "free", '{"people":4}', 1, 3.5, 0.25, "two", ok=True),
            ToolUse("b", "broken", "{}", 1, 3.5, 0.5, "error", ok=False),
            ToolUse("c", "slow", "{}", 1, 3.5),
            Reply("Two are free.", "Two are", 4.0, 5.0, interrupted=True, closed=True),
            HandOver("waiter", "host", True, "", 6.0),
            News("slow: done", 6.5),
            Failure("thinking", "no answer", 7.0),
            Reply("One moment", started=8.0),
        ]
    )


def test_it_shows_who_said_what_and_when():
    text = draw(transcript(), width=120)
    lines = text.splitlines()
    assert lines[0].split() == ["s", "caller", "|", "agent"]
    assert lines[2].startswith("   1.00  A table for four tomorrow")
    for part in (
        '* free({"people":4}) = two [0.25 s]',
        "error (failed)",
        "slow({}) = ...",
        "Two are -/- free.",
        "> from host to waiter",
        "(news) slow: done",
        "! thinking: no answer",
        "One moment ...",
    ):
        assert part in text, part


def test_the_columns_stay_in_their_width():
    for width in (40, 60, 120):
        lines = draw(transcript(), width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert {line.index("|") for line in lines[2:]} == {lines[0].index("|")}


def test_an_empty_call_says_so():
    assert "nobody has said anything" in draw(Transcript())
