"""The table of conformance: what its command and its page make of cells."""

from __future__ import annotations

import pytest

from conformance import __main__ as command
from conformance.__main__ import capabilities, run
from conformance.frame import Cell, Lab, NotProvenError, Outcome, Result, prove, same_words
from conformance.page import page


def test_every_capability_has_cells_that_work_and_none_stands_twice():
    for name, cells in capabilities().items():
        places = [(cell.provider, cell.fault) for cell in cells]
        assert len(places) == len(set(places)), name
        assert places, name
    assert {"thinking", "failover", "hearing in the chat model"} <= set(capabilities())


async def test_a_cell_that_is_not_proven_has_failed(sandbox):
    async def good(lab: Lab) -> Outcome:
        return Outcome("all of it", same_words("Two are free.", "two  are free"))

    async def bad(lab: Lab) -> Outcome:
        prove(False, "a word is missing")
        raise AssertionError

    lab = Lab(sandbox)
    result = await run(Cell("a", "works", good), "x", lab)
    assert result.outcome == Outcome("all of it", "3 of 3 words, in order, none twice")
    result = await run(Cell("a", "works", bad), "x", lab)
    assert result.outcome is None
    assert result.why == "NotProvenError: a word is missing"


@pytest.mark.parametrize("found", ["Two are", "Two are are free", "are Two free", ""])
def test_words_that_are_lost_doubled_or_moved_are_found(found):
    with pytest.raises(NotProvenError):
        same_words("Two are free", found)


async def test_an_endpoint_has_a_key_of_its_own(sandbox):
    lab = Lab(sandbox)
    one, two = lab.endpoint("think", "vllm"), lab.endpoint("think")
    assert one.key != two.key
    assert one.url == f"{two.url}/vllm"
    assert lab.report(one)["connections"] == 0


def test_the_page_shows_each_cell_and_what_a_provider_does_not_have(tmp_path, monkeypatch):
    async def nothing(lab: Lab) -> Outcome:
        raise AssertionError

    def result(provider: str, fault: str, experience: str) -> Result:
        outcome = Outcome(experience, "4 | 4 words")
        return Result("thinking", Cell(provider, fault, nothing), outcome, "", 0.1)

    monkeypatch.setattr(command, "RESULTS", tmp_path)
    rows = [
        result("a", "works", "all of it"),
        result("b", "works", "all"),
        result("a", "429", "a pause\nof 1 s"),
    ]
    command.keep("thinking", rows)
    text = page(tmp_path)
    assert "## Thinking" in text
    assert "| | a | b |" in text
    assert "| works | ✓ | ✓ |" in text
    assert "| 429 | ✓ | – |" in text
    assert "| a | 429 | a pause of 1 s | 4 \\| 4 words |" in text
    # One that failed keeps nothing.
    command.keep("speech", [Result("speech", rows[0].cell, None, "a word is missing", 0.1)])
    assert "Speech" not in page(tmp_path)
