"""The same agent in four frameworks: how it is counted, and that the page tells what was found."""

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.compared import run
from benchmarks.compared.count import Count, count, count_file
from benchmarks.compared.script import ANSWERS, BOOK, DAY, TIME
from benchmarks.latency.roster import PEERS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "compared.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "compared.json").read_text())
OURS, *OTHERS = run.FRAMEWORKS


def told(**changed):
    texts = [answer for answer in ANSWERS if isinstance(answer, str)]
    good = {
        "booked": [[DAY, f"{TIME}:00", "4", BOOK["arguments"]["name"]]],
        "agent": "events",
        "said": [run.GREETING, *texts, run.EVENTS_GREETING],
        "version": "1",
    }
    return {**good, **changed}


def test_comments_empty_lines_and_the_module_s_docstring_are_not_counted():
    source = '''"""A module.

Told at length.
"""

# why
import os  # counts once

def look(
    day,
):
    """Look.

    Args:
        day: When.
    """
    return """
# no comment

"""

# -- running it: by hand
look(1); look(2)
'''
    assert count(source) == Count(agent=11, running=1)


@pytest.mark.parametrize("source", ["x = 1\n", "# -- running it\n# -- running it\n"])
def test_what_is_not_marked_once_is_refused(source):
    with pytest.raises(ValueError, match="one line must begin with"):
        count(source)


def test_an_agent_that_does_all_is_right():
    assert run.judge(OURS, told()) == ""


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"booked": []}, "booked"),
        ({"booked": told()["booked"] * 2}, "booked"),  # exactly once
        ({"agent": "host"}, "it ended with host"),
        ({"said": told()["said"][1:]}, "it said"),  # no greeting
    ],
)
def test_an_agent_that_leaves_something_out_is_told(changed, fault):
    assert run.judge(OURS, told(**changed)).startswith(fault)


def test_what_no_model_spoke_is_not_asked_of_scripted_transports():
    (scripted,) = [one for one in OTHERS if not one.speaks]
    assert run.judge(scripted, told(said=[])) == ""


def test_ours_holds_the_conversation_with_the_sandbox(tmp_path):
    found = run.compare([OURS], sys.executable, tmp_path)
    assert found[OURS.key].fault == ""
    assert found[OURS.key].version


def test_a_check_that_breaks_is_told_in_a_line(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho first >&2\necho 'ImportError: no wings' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert run.check(OURS, broken, "http://127.0.0.1:1", "key") == ("", "ImportError: no wings")


def test_an_unknown_framework_is_a_mistake(capsys):
    assert main(["compared", "--only", "vivavoce,nobody"]) == 1
    assert "there is no nobody; there are vivavoce, livekit" in capsys.readouterr().err


@pytest.mark.parametrize("framework", run.FRAMEWORKS, ids=lambda one: one.key)
def test_the_page_has_the_counts_and_they_are_those_of_the_files(framework):
    lines = count_file(run.HERE / f"on_{framework.key}.py")
    row = rf"\| {framework.name} [^|]*\| {lines.agent} \| {lines.running} \| \*?\*?{lines.total}\b"
    assert re.search(row, PAGE)
    assert RESULTS[framework.key]["lines"] == {"agent": lines.agent, "running": lines.running}
    assert RESULTS[framework.key]["fault"] == ""


@pytest.mark.parametrize("framework", OTHERS, ids=lambda one: one.key)
def test_the_page_names_the_versions_that_were_checked(framework):
    version = RESULTS[framework.key]["version"]
    assert f"{framework.name} {version}" in PAGE
    pins = (PEERS / f"{framework.peer}.txt").read_text(encoding="utf-8")
    package = {"pipecat": "pipecat-ai"}.get(framework.name, framework.name)
    assert f"{package}=={version}" in pins
