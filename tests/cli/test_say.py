"""`vivavoce say`, as a user runs it."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from tests.cli.inside import run_inside
from tests.conftest import Key
from tests.pipelines.models.test_sample import speech, write
from vivavoce.sandbox.voxtral_com import PRESETS


@pytest.fixture
def here(profile, tmp_path: Path):
    """A factory: run it in a folder, with a sandbox that runs already."""

    def command(*words: str, given: str = "", dialect: str = "mistral", **more):
        key: Key = profile(**more)
        return run_inside(
            tmp_path,
            *words,
            given=given,
            VIVAVOCE_MODELS="sandbox",
            VIVAVOCE_SANDBOX_URL=key.url,
            VIVAVOCE_SANDBOX_KEY=key.key,
            VIVAVOCE_SPEAK__DIALECT=dialect,
        )

    command.folder = tmp_path
    return command


def length(path: Path) -> float:
    with wave.open(str(path)) as file:
        return file.getnframes() / file.getframerate()


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        ("mistral-realtime", ["--voice", "voice_478"]),
        ("vllm", ["--speed", "1.5"]),
        ("voxtral", ["--voice", next(iter(PRESETS))]),
    ],
)
def test_every_dialect_says_a_text(here, dialect: str, words: list[str]) -> None:
    text = "Your table is at 7:30 pm, for 4. That is $5.50."
    done = here("say", text, "--out", "a.wav", *words, dialect=dialect)
    assert (done.returncode, done.stderr) == (0, "")
    assert "s of speech" in done.stdout
    assert done.stdout.endswith(": a.wav\n")
    assert length(here.folder / "a.wav") > 3


def test_a_text_from_a_pipe(here) -> None:
    done = here("say", "-", "--out", "a.wav", given="Hello. " * 30, script={"speak": "tone"})
    assert done.returncode == 0
    assert length(here.folder / "a.wav") == pytest.approx(30 * 6 * 0.06, rel=0.1)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["Hi.", "--voice", "nobody"], 1, "Voice 'nobody' not found."),
        (["Hi.", "--voice", "en_paul_hapy"], 2, "did you mean en_paul_happy"),
        (["Hi.", "--language", "ja"], 2, "does not speak 'ja'"),
        (["Hi.", "--sample", "short.wav"], 1, "lasts 1.0 s: a sample of a voice must last 3 to 25"),
        (["Hi.", "--speed", "9"], 2, "must be within 0.25 and 4"),
        ([" "], 2, "there is nothing to say"),
        (["😀"], 2, "nothing in it that can be said"),
    ],
)
def test_what_is_refused_is_told_in_one_line(here, words, code: int, says: str) -> None:
    write(here.folder / "short.wav", speech(1))
    done = here("say", *words, "--out", "a.wav")
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
