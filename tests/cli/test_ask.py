"""`vivavoce ask`: answers on the standard output, and nothing else there."""

from __future__ import annotations

import pytest

from tests.cli import commands
from tests.cli.inside import run_inside
from tests.pipelines.models.transcription.conftest import LINES, save, together


@pytest.fixture
def vivavoce(profile, tmp_path):
    save(tmp_path / "talk.wav", together(LINES[:1]))

    def ask(*given: str, lines: str = "", settings=None, how=run_inside, **more):
        key = ask.key = profile(**more)
        return how(
            tmp_path,
            "ask",
            *given,
            given=lines,
            VIVAVOCE_MODELS="sandbox",
            VIVAVOCE_SANDBOX_URL=key.url,
            VIVAVOCE_SANDBOX_KEY=key.key,
            **(settings or {}),
        )

    return ask


def test_a_question_after_a_summary(vivavoce):
    done = vivavoce(
        *("talk.wav", "Where is the station?", "--summary"),
        how=commands.run,
        script={"think": ["It is about a station.", "Behind the market."]},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "It is about a station.\nBehind the market.\n"
    assert "tokens heard and read" in done.stderr
    messages = vivavoce.key.report["bodies"][-1]["body"]["messages"]
    assert "Summarise the recording" in messages[0]["content"][1]["text"]


def test_questions_from_a_pipe_at_openrouter(vivavoce):
    done = vivavoce(
        "talk.wav",
        lines="Where?\n\nWho?\n",
        script={"think": ["There.", "Nobody."]},
        settings={"VIVAVOCE_ASK__DIALECT": "openrouter"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "There.\nNobody.\n"


def test_a_failure_is_told_and_the_rest_is_answered(vivavoce):
    done = vivavoce(
        *("talk.wav", "One?", "Two?"),
        script={"think": ["", "Yes."]},
        faults={"think": [{"kind": "status", "status": 403, "message": "moderated", "on": 1}]},
    )
    assert done.returncode == 1
    assert "moderated" in done.stderr


def test_a_mistake_is_one_line(vivavoce):
    done = vivavoce("nothing.wav", "What?")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "vivavoce: nothing.wav: there is no such file"
    assert "Traceback" not in done.stderr
