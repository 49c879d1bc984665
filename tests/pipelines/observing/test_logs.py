from __future__ import annotations

import io
import json
import logging

import pytest

from vivavoce.pipelines.observing import logs
from vivavoce.pipelines.observing.logs import JsonFormatter, Scarce, redact
from vivavoce.web.tokens import Signer

SIGNER = Signer("0123456789abcdef0123456789abcdef")


@pytest.fixture
def lines():
    """A logger of its own, and what it has written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("vivavoce.test")  # noqa: LOG001 (it outlives no test)
    logger.addHandler(handler)
    return logger, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_which_call_it_is_about(lines):
    logger, written = lines
    token = logs.call_id.set("20261121T101112-ab12cd34")
    logs.traces["20261121T101112-ab12cd34"] = "0af7651916cd43dd8448eb211c80319c"
    try:
        logger.warning("call %s: %s", "20261121T101112-ab12cd34", "thinking fails")
    finally:
        logs.call_id.reset(token)
        logs.traces.clear()
    logger.info("nobody's")
    first, second = written()
    assert first["call"] == "20261121T101112-ab12cd34"
    assert first["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert first["message"] == "call 20261121T101112-ab12cd34: thinking fails"
    assert (first["level"], first["logger"]) == ("warning", "vivavoce.test")
    assert first["time"].endswith("Z")
    assert "call" not in second


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("+33 1 23 45 67 89 is nobody's number", "[number] is nobody's number"),
        ("to:+33612345678 calls (030) 1234-5678", "to:[number] calls [number]"),
        ("<sip:alice@example.org;tag=1> called", "<sip:[number]@example.org;tag=1> called"),
        ("tel:+33123456789 was not let in", "tel:[number] was not let in"),
        ("write to ada@example.org", "write to [address]"),
        ("203.0.113.7 was not let in", "[address] was not let in"),
        ("2001:db8:1:2::7 was not let in", "[address] was not let in"),
        ("no clip of 'Hello, how are you?': late", "no clip of [text]: late"),
        ("tool failed: ValueError: Mrs Dupont has no booking", "tool failed: ValueError: [text]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: [secret]"),
        ("with sk-1234567890 and resume=xYz_9", "with [secret] and [secret]"),
        (f"a {SIGNER.service_key} b {SIGNER.scrape_key}", "a [secret] b [secret]"),
        (f"token {SIGNER.issue(1e9)}", "token [secret]"),
        (f"token {SIGNER.issue_operator(1e9, name='ada')}", "token [secret]"),
    ],
)
def test_what_tells_of_people_is_taken_out(text, clean):
    assert redact(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "thinking by mistral-small-latest at https://api.mistral.ai answered 503; again in 2.5 s",
        "operator 'ada' listens to call 20261121T101112-ab12cd34",
        "the trunk doesn't answer; the carrier isn't reached",
        "cannot listen on 127.0.0.1:7860",
        "speaking: http://10.0.0.7:8000 gave no answer in 4 s",
    ],
)
def test_what_an_operator_needs_stays(text):
    assert redact(text) == text


def test_the_text_of_an_exception_may_tell_what_was_said(lines):
    logger, written = lines

    def look_up():
        raise LookupError("no table for Mrs Dupont, +33123456789")

    try:
        look_up()
    except LookupError:
        logger.exception("a tool failed")
    (row,) = written()
    assert row["error"] == "LookupError"
    assert "Dupont" not in json.dumps(row)
    assert "+33" not in json.dumps(row)
    assert "test_logs" in row["stack"]


def test_whoever_wants_it_all_gets_it():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "%s called", ("+33123456789",), None)
    assert json.loads(JsonFormatter(personal=True).format(record))["message"] == (
        "+33123456789 called"
    )


def test_that_no_file_descriptor_is_left_is_told_once_a_minute_and_in_a_line():
    at = 0.0
    scarce = Scarce(now=lambda: at)

    def passes(name: str, text: str) -> logging.LogRecord | None:
        error = (OSError, OSError(24, "Too many open files"), None)
        record = logging.LogRecord(name, logging.ERROR, "", 0, text, (), error)
        return record if scarce.filter(record) else None

    flood = "socket.accept() out of system resource\nsocket: <asyncio.TransportSocket fd=12>"
    first = passes("asyncio", flood)
    assert first is not None
    assert (first.exc_info, "LimitNOFILE" in first.getMessage()) == (None, True)
    assert not any(passes("asyncio", flood) for _ in range(1_000))
    assert passes("asyncio", "another error").exc_info is not None
    assert passes("vivavoce", flood) is not None
    at = 61.0
    assert passes("asyncio", flood) is not None
