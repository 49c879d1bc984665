"""`vivavoce voices`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.inside import run_inside
from tests.pipelines.models.test_sample import speech, write

CONSENT = ("--consent", "Marie Dupont, in writing, 2026-11-20")


@pytest.fixture
def here(profile, tmp_path: Path):
    def command(*words: str, given: str = "", dialect: str = "mistral"):
        key = profile()
        return run_inside(
            tmp_path,
            "voices",
            *words,
            given=given,
            VIVAVOCE_MODELS="sandbox",
            VIVAVOCE_SANDBOX_URL=key.url,
            VIVAVOCE_SANDBOX_KEY=key.key,
            VIVAVOCE_SPEAK__DIALECT=dialect,
        )

    command.folder = tmp_path
    return command


def test_a_table_and_json(here) -> None:
    done = here("list", "--query", "oliver", "--type", "preset")
    assert done.returncode == 0
    assert "gb_oliver_sad" in done.stdout
    assert "7 voices at http" in done.stdout
    shown = json.loads(here("show", "fr_marie_sad", "--json").stdout)
    assert (shown["slug"], shown["gender"]) == ("fr_marie_sad", "female")
    assert "no such voice" in here("list", "--query", "nobody at all").stdout


def test_a_voice_from_its_making_to_its_end(here) -> None:
    write(here.folder / "marie.mp3", speech(6), "libmp3lame", 44_100)
    made = here("create", "Marie", "marie.mp3", *CONSENT, "--language", "fr", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    voice = json.loads(made.stdout)
    (entry,) = json.loads((here.folder / "marie.mp3.consent.json").read_text())
    assert (entry["speaker"], entry["how"], entry["given"]) == (
        "Marie Dupont",
        "in writing",
        "2026-11-20",
    )
    assert entry["voice"]["id"] == voice["id"]
    assert "Ours" in here("update", voice["id"], "--name", "Ours").stdout
    assert here("sample", voice["id"], "--out", "s.wav").returncode == 0
    assert (here.folder / "s.wav").read_bytes()[:4] == b"RIFF"
    assert here("delete", voice["id"], given="n\n").returncode == 1
    assert "Ours is deleted" in here("delete", voice["id"], "--yes").stdout
    assert here("show", voice["id"]).returncode == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["create", "M", "marie.wav"], 2, "a clone needs the speaker's consent"),
        (["create", "M", "marie.wav", "--consent", "Marie"], 2, "say who agreed and how"),
        (["create", "M", "short.wav", *CONSENT], 2, "lasts 1.0 s: a sample of a voice must last 3"),
        (["create", "M", "none.wav", *CONSENT], 2, "cannot read the sample"),
        (["show", "nobody"], 1, "Voice 'nobody' not found."),
    ],
)
def test_what_is_refused_is_told_in_one_line(here, words, code: int, says: str) -> None:
    write(here.folder / "marie.wav", speech(6))
    write(here.folder / "short.wav", speech(1))
    done = here(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(here.folder.glob("*.json"))


def test_what_a_provider_does_not_have_is_told_by_name(here) -> None:
    done = here("delete", "fr_female", "--yes", dialect="vllm")
    assert (done.returncode, "vLLM-Omni has no way to delete a voice" in done.stderr) == (1, True)
