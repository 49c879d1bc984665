import base64
import hashlib
import json
import os
import re
import zlib
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from vivavoce.agent.agent import Agent
from vivavoce.agent.call import Call
from vivavoce.agent.ledger import Span, account
from vivavoce.agent.record import record as make_record
from vivavoce.agent.transcript import Failure, Reply, ToolUse, Utterance
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.web.report import ReportError, write_report

HOSTILE = """</script></style></title><script>alert(1)</script><img src=x onerror=alert(2)>"""
HOSTILE += """ " onmouseover="alert(3)" ' onfocus='alert(4)' --><!-- ]]> $title ${agent} {{7*7}} \x00 \u2028"""


def sound(path, seconds=1.0):
    times = np.arange(round(24_000 * seconds)) / 24_000
    tone = (np.sin(times * 440 * 2 * np.pi) * 8000).astype(np.int16)
    with WavWriter(path, 24_000, 2) as wav:
        wav.write(np.stack([tone, tone[::-1]], axis=1))
    return path


@pytest.fixture
def write(tmp_path, parse):
    def write(record, recording=None):
        out = tmp_path / "call.html"
        write_report(record, recording, out)
        return parse(out.read_text("utf-8"))

    return write


def script(page):
    (found,) = (node for node in page.all("script") if "type" not in node.attributes)
    return found.text


def unpack(page):
    return json.loads(zlib.decompress(base64.b64decode(page.by_id("record").text)))


def test_the_page_of_a_real_record(tmp_path, write):
    call = Call(Agent(), "c-9")
    stopped = 2.0
    latency = account(stopped, 2.8, [Span("endpointing", 2.0, 2.3), Span("thinking", 2.1, 2.6)])
    call.ledger.add(latency)
    for entry in (
        Utterance("Hello there", 1.0, stopped, "semantic"),
        ToolUse("abcdefghi", "look", "{}", 0, 2.4, 0.1, "found", ok=True),
        Reply("Hello you", "Hello", 2.8, 3.1, True, True, latency, 0.2),
        Failure("hearing", "the line broke — connect again", 3.3),
    ):
        call.transcript.add(entry)
    began = datetime(2026, 11, 21, 8, 38, 6, tzinfo=UTC)
    record = make_record(call, agent="Desk", began=began, seconds=4.0, models={"hearing": "m"})
    page = write(json.loads(json.dumps(record)), sound(tmp_path / "call.wav", 4.0))
    assert page.one("title").text == "Call with Desk"
    assert page.one("h1").text == "Call with Desk"
    assert "21 November 2026, 08:38:06 UTC" in page.one("ul", "facts").text
    assert [dd.text for dd in page.one("section", "delay-figures").all("dd")] == ["800 ms"] * 3
    assert len(page.one("ol", "dialogue").all("li")) == 4
    assert len(page.one("ol", "rows").all("li")) == 1
    assert unpack(page) == record


def test_the_header(record, write):
    page = write(record)
    facts = [item.text for item in page.one("ul", "facts").all("li")]
    assert facts[1:] == [
        "12.0 s",
        "2 caller turns",
        "2 replies",
        "1 interruption",
        "1 tool call",
        "1 problem",
    ]
    assert page.one("p", "ended").text == "Ended: the caller hung up"
    figures = [dd.text for dd in page.one("section", "delay-figures").all("dd")]
    assert figures == ["742 ms", "1,205 ms", "1,205 ms"]
    assert "over 2 replies" in page.one("section", "delay-figures").text
    assert "voxtral-mini" in page.one("dl", "models").text


def test_an_empty_call(write):
    page = write({})
    assert page.one("title").text == "Call with an agent"
    assert "Nobody said anything" in page.text
    assert "No reply was timed" in page.text
    assert unpack(page) == {}


def test_links_within_the_page_lead_somewhere(record, write):
    page = write(record)
    ids = [node.attributes["id"] for node in page if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    links = {node.attributes["href"] for node in page.all("a")}
    assert {link for link in links if link.startswith("#")} <= {f"#{name}" for name in ids}
    labels = {node.attributes.get("aria-labelledby") for node in page} - {None}
    assert labels <= set(ids)


# Nothing in a record may become anything but text.


def hostile(value):
    match value:
        case str():
            return value + HOSTILE
        case dict():
            return {
                key: entry if key in {"kind", "began"} else hostile(entry)
                for key, entry in value.items()
            }
        case list():
            return [hostile(entry) for entry in value]
        case _:
            return value


def shape(page):
    """The page without its words: every element with the names of its attributes."""
    return [(node.tag, sorted(node.attributes)) for node in page]


def test_a_hostile_record_changes_no_markup(record, write):
    # Names of tables are the record's as well.
    record["models"]["x"] = "y"
    record["latency_ms"]["x"] = 3.0
    expected = shape(write(record))
    attack = hostile(record)
    attack["models"][HOSTILE] = attack["models"].pop("x")
    attack["latency_ms"][HOSTILE] = attack["latency_ms"].pop("x")
    for entry in attack["transcript"]:
        if entry["kind"] == "agent":  # what was heard begins what was generated
            tail = f" {entry['unheard']}" if entry["interrupted"] else ""
            entry["generated"] = entry["heard"] + tail
    page = write(attack)
    found = shape(page)
    assert [tag for tag, _ in found] == [tag for tag, _ in expected]
    assert found == expected
    assert page.text.count("<script>alert(1)</script>") >= 12
    assert "$title ${agent} {{7*7}}" in page.one("h1").text
    assert unpack(page) == attack


def test_no_attribute_runs_anything(record, write):
    for node in write(hostile(record)):
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            if name in {"href", "src"}:
                assert re.match(r"#|\./|data:,$", value), value


def test_hostile_names_of_a_recording(tmp_path, record, write):
    name = 'data:"><script>alert(1)<%2f#?.wav'
    page = write(record, sound(tmp_path / name))
    src = page.one("audio").attributes["src"]
    assert re.fullmatch(r"\./[A-Za-z0-9%._~-]+", src)
    assert len(page.all("script")) == 2
    missing = write(record, tmp_path / '"><script>.wav')
    assert 'The recording "><script>.wav does not exist.' in missing.text


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes on POSIX only")
def test_a_recording_whose_name_is_no_text(tmp_path, record, write):
    path = tmp_path / os.fsdecode(b"call-\xff.wav")
    try:
        sound(path)
    except OSError:
        pytest.skip("this file system takes only text")
    assert write(record, path).one("audio").attributes["src"] == "./call-%FF.wav"


def test_lone_surrogates_can_be_written(record, write):
    record["transcript"][0]["text"] = "half \ud83d a pair"
    page = write(record)
    assert "half \ufffd a pair" in page.text
    assert unpack(page)["transcript"][0]["text"] == "half ? a pair"


# The page asks nobody for anything, and may not.


def test_the_policy_allows_this_style_and_script_only(record, write):
    page = write(record)
    (policy,) = (
        node.attributes["content"]
        for node in page.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for rule, source in (("script-src", script(page)), ("style-src", page.one("style").text)):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_nothing_is_fetched(tmp_path, record, write):
    page = write(record, sound(tmp_path / "call.wav"))
    sources = {value for node in page for name, value in node.attributes.items() if name == "src"}
    assert sources == {"./call.wav"}
    style = page.one("style").text
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"https?:|//\w", script(page))
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|innerHTML|\beval\b", script(page))


def test_the_page_is_small(tmp_path, record, write):
    write(record, sound(tmp_path / "call.wav", 5.0))
    assert (tmp_path / "call.html").stat().st_size < 80_000


def test_a_long_call_stays_below_300_kb(tmp_path, record, write):
    entries = record["transcript"]
    record["seconds"] = 1800
    record["transcript"] = [
        entry | {key: entry[key] + 18 * turn for key in ("started", "ended", "at") if key in entry}
        for turn in range(100)
        for entry in (entries[0], entries[5], *([entries[1]] if turn % 5 == 0 else []))
    ]
    write(record, sound(tmp_path / "call.wav", 5.0))
    assert (tmp_path / "call.html").stat().st_size < 300_000


# The recording.


def test_a_recording_beside_the_page_plays(tmp_path, record, write):
    page = write(record, sound(tmp_path / "my call.wav"))
    audio = page.one("audio")
    assert audio.attributes["src"] == "./my%20call.wav"
    assert "controls" in audio.attributes
    assert len(page.all("svg", "wave")) == 2
    assert (
        page.one("ol", "dialogue").all("a", "at")[0].attributes["href"] == "./my%20call.wav#t=1.0"
    )


def test_a_recording_elsewhere_is_drawn_and_not_linked(tmp_path, record, write):
    (tmp_path / "far").mkdir()
    page = write(record, sound(tmp_path / "far" / "call.wav"))
    assert len(page.all("svg", "wave")) == 2
    assert not page.all("audio")
    assert "put call.wav beside this page" in page.text
    assert str(tmp_path) not in (tmp_path / "call.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "does not exist"), (b"", "is empty"), (b"%PDF-1.7 and so on", "a PDF")],
)
def test_a_recording_that_cannot_be_read_is_named(tmp_path, record, write, content, says):
    path = tmp_path / "call.wav"
    if content is not None:
        path.write_bytes(content)
    page = write(record, path)
    assert says in page.one("div", "transport").text
    assert not page.all("audio")
    assert len(page.one("ol", "dialogue").all("li")) == 6


def test_a_call_that_was_not_recorded(record, write):
    assert "This call was not recorded." in write(record).one("div", "transport").text


# Writing it.


def test_a_page_is_replaced_whole(tmp_path, record):
    out = tmp_path / "call.html"
    out.write_text("old")
    with pytest.raises(ReportError):
        write_report({"seconds": "x"}, None, out)
    assert out.read_text() == "old"
    write_report(record, None, out)
    assert out.read_text("utf-8").startswith("<!doctype html>")
    assert [path.name for path in tmp_path.iterdir()] == ["call.html"]


def test_a_page_that_cannot_be_written_says_so(tmp_path, record):
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "none" / "call.html", tmp_path / "folder", Path()):
        with pytest.raises(ReportError, match=r"cannot be written: .*choose another place"):
            write_report(record, None, out)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_json_cannot_hold_is_refused(tmp_path, record):
    record["models"]["hearing"] = object()
    with pytest.raises(ReportError, match="cannot be written as JSON"):
        write_report(record, None, tmp_path / "call.html")


# Everybody can read it.


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def colours(scheme):
    style = files("vivavoce.web").joinpath("page/look.css").read_text("utf-8")
    root = style.partition(":root {")[2].partition("\n}")[0]
    found = {name: [value] for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", root)}
    for name, *both in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", root
    ):
        found[name] = both
    return {name: both[-1 if scheme == "dark" else 0] for name, both in found.items()}


STAGES = ["endpointing", "transcription", "thinking", "tools", "clause", "speech", "output"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_aa(scheme):
    colour = colours(scheme)
    for text in ("ink", "soft", "caller", "agent", "alarm", "good"):
        for back in ("panel", "sunk"):
            assert contrast(colour[text], colour[back]) >= 4.5, (text, back)
    for text in ("ink", "soft", "agent", "alarm"):
        assert contrast(colour[text], colour["page"]) >= 4.5, text
    assert contrast(colour["on-caller"], colour["caller"]) >= 4.5
    assert contrast(colour["panel"], colour["cut"]) >= 4.5
    for stage in STAGES:
        assert contrast(colour["on-stage"], colour[stage]) >= 4.5, stage
        assert contrast(colour[stage], colour["panel"]) >= 3, stage
