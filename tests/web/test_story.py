import copy

import pytest

from vivavoce.agent.transcript import Failure, Reply, ToolUse, Utterance
from vivavoce.web.story import ReportError, read


def test_a_record_becomes_its_entries(record):
    story = read(record)
    kinds = [type(entry) for entry in story.entries]
    assert kinds == [Utterance, ToolUse, Reply, Utterance, Failure, Reply]
    reply = story.entries[2]
    assert reply.unheard == "free, at seven and at nine."
    assert reply.latency.total == 1_000_000
    assert reply.latency.hidden["thinking"] == 120_000
    assert story.span == 12.0


def test_the_span_reaches_to_the_last_thing_known(record):
    record["seconds"] = 1.0
    assert read(record).span == 7.0


def test_nearly_nothing_is_a_record():
    story = read({})
    assert (story.entries, story.agent, story.seconds, story.percentiles) == ((), "", 0.0, {})


def test_kinds_of_a_later_version_are_named(record):
    record["transcript"] += [{"kind": "hologram"}, {"kind": "hologram"}]
    story = read(record)
    assert story.unknown == ("hologram",)
    assert len(story.entries) == 6


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        (("seconds",), "12", "the record's seconds is text"),
        (("seconds",), float("nan"), "seconds is a number out of all range"),
        (("seconds",), 10**400, "seconds is a number out of all range"),
        (("seconds",), True, "seconds is true"),
        (("transcript",), {}, "transcript is an object and not a list"),
        (("transcript", 0), 7, r"transcript\[0\] is 7"),
        (("transcript", 0, "text"), ["x"], r"transcript\[0\].text is a list and not text"),
        (("transcript", 0, "started"), -1, r"transcript\[0\].started is -1"),
        (("transcript", 0, "started"), 1_795_251_236, "a time in seconds"),
        (("transcript", 2, "interrupted"), "yes", "true or false"),
        (("transcript", 2, "latency"), 3, r"transcript\[2\].latency is 3"),
        (("transcript", 2, "latency", "total_us"), 1.5, "whole number of microseconds"),
        (
            ("transcript", 2, "latency", "total_us"),
            7,
            "sum to 1000000 µs and not to the total of 7",
        ),
        (
            ("transcript", 2, "latency", "stages_us"),
            {"naps": 1},
            "no such stage; there are endpoint",
        ),
        (("latency_ms", "p50"), None, "latency_ms.p50 is missing"),
        (("models",), [], "models is a list"),
    ],
)
def test_what_is_no_record_is_named(record, where, value, says):
    broken = copy.deepcopy(record)
    place = broken
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    with pytest.raises(ReportError, match=says) as raised:
        read(broken)
    assert "\n" not in str(raised.value)


def test_a_list_is_no_record():
    with pytest.raises(ReportError, match="a JSON object, not a list"):
        read([])
