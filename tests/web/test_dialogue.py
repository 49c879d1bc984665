import json

import pytest

from vivavoce.agent.segment import Segment
from vivavoce.web.dialogue import dialogue, pretty
from vivavoce.web.story import read


@pytest.fixture
def lines(record, parse):
    return parse(dialogue(read(record), "./call.wav")).one("ol").all("li")


def test_every_entry_is_a_line_in_order(lines):
    assert [line.attributes["class"] for line in lines] == [
        "caller",
        "tool",
        "agent",
        "caller",
        "failure",
        "agent",
    ]
    assert [line.attributes["id"] for line in lines] == [f"e{number}" for number in range(6)]
    assert lines[0].attributes["data-start"] == "1.000"
    assert lines[0].attributes["data-end"] == "2.500"


def test_times_lead_into_the_recording(lines, record, parse):
    assert lines[0].one("a", "at").attributes["href"] == "./call.wav#t=1.0"
    silent = parse(dialogue(read(record), None)).all("li")
    assert silent[0].one("time").attributes["datetime"] == "PT1.000S"
    assert not silent[0].all("a", "at")


def test_what_was_not_heard_is_struck_through(lines):
    assert lines[2].one("p", "text").text == "Two are — not heard: free, at seven and at nine."
    assert lines[2].one("del").text == "not heard: free, at seven and at nine."
    assert lines[2].one("span", "badge").text == "cut · silent after 184 ms"
    assert not lines[5].all("del")


def test_a_reply_that_was_never_heard(parse):
    reply = {"kind": "agent", "generated": "Hello?", "heard": ""}
    line = parse(dialogue(read({"transcript": [reply]}), "./call.wav")).one("li")
    assert line.one("span", "badge").text == "never heard"
    assert line.one("del").text == "not heard: Hello?"
    assert "data-start" not in line.attributes


def test_the_delay_leads_to_its_row(lines):
    assert lines[2].one("a", "delay").attributes["href"] == "#w2"
    assert lines[2].one("a", "delay").text == "1,000 ms"


def test_words_choose_their_own_direction(lines):
    assert lines[3].one("p", "text").text == "اسمي ليلى"
    assert all(node.attributes["dir"] == "auto" for line in lines for node in line.all("p", "text"))


def test_why_a_turn_ended(lines):
    assert lines[0].one("p", "why").text == "Turn ended · semantic: silence 220 ms"


def test_a_failure_says_what_to_do(lines):
    assert [p.text for p in lines[4].all("p")] == [
        "Problem in tools",
        "book did not answer",
        "What to do: raise its timeout",
    ]


def test_a_tools_card(lines):
    card = lines[1].one("details")
    assert "open" in card.attributes
    assert card.one("code").text == "free_tables"
    assert card.one("span", "badge").text == "250 ms"
    assert [pre.text for pre in card.all("pre")] == ['{"people": 4}', '["19:00"]']


@pytest.mark.parametrize(
    ("changes", "badge"),
    [
        ({"ok": False}, "failed after 250 ms"),
        ({"seconds": None, "result": None, "ok": False}, "was still running"),
    ],
)
def test_a_tool_without_a_result(record, parse, changes, badge):
    record["transcript"][1] |= changes
    line = parse(dialogue(read(record), None)).all("li")[1]
    assert line.one("span", "badge").text == badge


def test_a_long_result_is_cut_and_closed(record, parse):
    record["transcript"][1]["result"] = "x" * 1_000_000
    card = parse(dialogue(read(record), None)).one("details")
    assert "open" not in card.attributes
    assert len(card.all("pre")[1].text) == 4000
    assert "996,000 more characters" in card.text


def test_json_is_written_to_be_read():
    assert pretty('{"a":1}') == '{"a": 1}'
    assert pretty(json.dumps({"a": "b" * 80})) == '{\n  "a": "' + "b" * 80 + '"\n}'
    assert pretty('"line\\nline"') == "line\nline"
    assert pretty("{broken") == "{broken"
    assert pretty("[" * 100_000) == "[" * 100_000
    assert pretty("1" * 5000) == "1" * 5000
    assert pretty("") == ""


def test_nobody_spoke(parse):
    assert "Nobody said anything" in parse(dialogue(read({}), None)).text


def test_a_piece_that_was_interpreted_stands_there_in_both_languages(parse):
    said = Segment(1, "Ada", "fr", "en", "Bonjour <b>.", 1.0, 2.0, translation="Good morning.")
    said.spoken_from, said.spoken_to, said.state = 3.5, 4.5, "spoken"
    failed = Segment(2, "Ada", "fr", "en", "Oui.", 2.5, 3.0, state="failed", why="no answer")
    story = read({"transcript": [said.to_dict(), failed.to_dict()]})
    assert (story.entries[0].lag, story.span) == (1.5, 4.5)
    first, second = parse(dialogue(story, None)).all("li")
    assert first.one("p", "who").text == "Ada · fr → en · 1.5 s behind"
    texts = [(each.attributes["lang"], each.text) for each in first.all("p", "text")]
    assert texts == [("fr", "Bonjour <b>."), ("en", "Good morning.")]
    assert second.one("p", "why").text == "Not translated: no answer"
