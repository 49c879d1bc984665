"""`vivavoce transcribe`: what it prints and leaves, and that nothing is paid for twice."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli import commands
from tests.cli.inside import run_inside
from tests.pipelines.models.transcription.conftest import LINES, save, together
from vivavoce.cli import main, program
from vivavoce.cli.mistakes import is_mistake
from vivavoce.cli.recordings import RecordingError, Source, parse_sources
from vivavoce.cli.transcribe import clock, parse_forms, parse_speakers
from vivavoce.pipelines.audio import media
from vivavoce.pipelines.audio.media import read
from vivavoce.pipelines.models.transcription.options import RefusedError

SAID = re.findall(r"[a-z]+", " ".join(text for _, text in LINES).lower())


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.mp3"
    path.write_bytes(media.encode(together(), "mp3"))
    return path


@pytest.fixture
def vivavoce(profile, tmp_path):
    """Run the command with a key of its own in the shared sandbox."""

    def run(*given: str, start: bool = False, how=run_inside, **more):
        settings = more.pop("settings", {})
        key = run.key = profile(**more) if more or not hasattr(run, "key") else run.key
        environment = {
            "VIVAVOCE_MODELS": "sandbox",
            "VIVAVOCE_SANDBOX_URL": key.url,
            "VIVAVOCE_SANDBOX_KEY": key.key,
            **settings,
        }
        if start:
            return commands.start(tmp_path, *given, **environment)
        return how(tmp_path, *given, **environment)

    def requests() -> int:
        return run.key.report["requests"].get("audio/transcriptions", 0)

    run.requests = requests
    return run


def test_subtitles_and_who_said_what_of_one_payment(vivavoce, talk, tmp_path):
    done = vivavoce(
        "transcribe",
        "talk.mp3",
        "--diarize",
        "--format",
        "srt",
        "--format",
        "md",
        "--format",
        "json",
    )
    assert done.returncode == 0, done.stderr
    assert "2 speakers" in done.stdout
    assert vivavoce.requests() == 1
    srt = (tmp_path / "talk.srt").read_text()
    assert srt.count("-->") == len(LINES)
    assert "[Speaker 2]" in srt
    markdown = (tmp_path / "talk.md").read_text()
    assert markdown.startswith("# talk\n\n**Speaker 1** `00:00:00`\n\n")
    assert words(json.loads((tmp_path / "talk.json").read_text())["text"]) == SAID
    assert not list(tmp_path.glob("*.resume"))
    again = vivavoce("transcribe", "talk.mp3", "--format", "srt")
    assert "there already (--again makes it anew)" in again.stdout
    assert vivavoce.requests() == 1


def test_many_files_at_once_one_of_them_broken_midway(vivavoce, talk, tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / f"{name}.wav", together(LINES[:1]))
    done = vivavoce(
        *("transcribe", "a.wav", "b.wav", "c.wav", "--out", "texts", "--jobs", "1"),
        script={"hear": ["one", "two", "three"]},
        faults={"hear": [{"kind": "status", "status": 403, "message": "moderated", "on": 2}]},
    )
    assert done.returncode == 1
    assert "moderated" in done.stdout
    texts = {path.name: path.read_text() for path in (tmp_path / "texts").glob("*.txt")}
    assert len(texts) == 2


def test_printed_text_is_the_text_alone_and_the_price_is_told_beside_it(vivavoce, talk):
    done = vivavoce(
        *("transcribe", "talk.mp3", "--bias", "New York", "--out", "-"),
        how=commands.run,
        settings={"VIVAVOCE_TRANSCRIBE__DIALECT": "openrouter"},
    )
    assert done.returncode == 0, done.stderr
    assert words(done.stdout) == SAID
    assert re.search(r"talk\.mp3: 0:\d\d in \d+:\d\d, \$0\.\d+, gen-stt-\w+", done.stderr)


def kept(state: Path) -> int:
    try:
        return max(state.read_bytes().count(b"\n") - 1, 0)
    except FileNotFoundError:
        return 0


def wait_until(so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 90
    while not so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def test_interrupted_and_killed_it_goes_on_where_it_was(vivavoce, tmp_path):
    """The third request stands still, and the fifth: what was done before them stays done."""
    lines = LINES * 4
    save(tmp_path / "long.wav", together(lines))
    command = ("transcribe", "long.wav", "--format", "srt", "--part", "0.25", "--jobs", "1")
    state = tmp_path / "long.resume"
    process = vivavoce(
        *command,
        start=True,
        faults={"hear": [{"kind": "stall", "on": [3, 5]}]},
    )
    try:
        wait_until(lambda: vivavoce.requests() == 3, process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "2 parts are kept; the same command goes on from there" in out
    finally:
        process.kill()
        process.communicate()
    process = vivavoce(*command, start=True)
    try:
        wait_until(lambda: vivavoce.requests() == 5, process)
    finally:
        process.kill()
        process.communicate()
    assert kept(state) == 3
    done = vivavoce(*command)
    assert done.returncode == 0, done.stderr
    assert "of it done before" in done.stdout
    assert not state.exists()
    text = (tmp_path / "long.srt").read_text()
    said = [line for line in text.splitlines() if line and "-->" not in line and not line.isdigit()]
    assert words(" ".join(said)) == [word for _, line in lines for word in words(line)]
    parts = vivavoce.requests() - 2  # the third and the fifth request were made again
    assert vivavoce.key.report["heard_s"] == pytest.approx(len(together(lines)) / 16_000, abs=1)
    assert parts >= 4


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("nothing.mp3",), "nothing.mp3: there is no such file"),
        (("words.txt",), "words.txt: there is no audio in it"),
        (("talk.mp3", "--format", "doc"), "--format doc: choose text, json, srt, vtt, md"),
        (("talk.mp3", "--bias", "New York"), "has a space in it"),
        (("talk.mp3", *("--bias", "x") * 101), "101 terms to listen for: 100 is the most"),
        (
            ("talk.mp3", "--words", "--model", "voxtral-mini-transcribe-3-0"),
            "gives the times of segments, not of words",
        ),
        (("talk.mp3", "--format", "srt", "--language", "en"), "leave out --language"),
        (("talk.mp3", "--language", "fi"), "does not take the language fi"),
        (("talk.mp3", "--speaker", "Ann"), "write it as NAME=FILE"),
        (("talk.mp3", "--model", "voxtral-mini-transcribe-realtime-2602"), "is for live audio"),
        (("talk.mp3", "--out", "words.txt"), "--out words.txt"),
        (("talk.mp3", "talk.wav"), "would both become talk"),
        (("talk.mp3", "--part", "200"), "takes 180 min at once"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_sent(
    profile, talk, tmp_path, monkeypatch, given, why
):
    """In this process: what a mistake's exit code is, `tests/cli/test_main.py` knows."""
    (tmp_path / "words.txt").write_text("words " * 100)
    save(tmp_path / "talk.wav", together(LINES[:1]))
    key = profile()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "configure_logging", lambda _level, **_how: None)
    for name, value in (("MODELS", "sandbox"), ("SANDBOX_URL", key.url), ("SANDBOX_KEY", key.key)):
        monkeypatch.setenv(f"VIVAVOCE_{name}", value)
    done = CliRunner().invoke(main.app, ["transcribe", *given])
    assert is_mistake(done.exception)
    assert why in str(done.exception)
    assert "\n" not in str(done.exception)
    assert "audio/transcriptions" not in key.report["requests"]


def test_a_mistake_is_told_and_has_its_exit_code(vivavoce, talk):
    done = vivavoce("transcribe", "talk.mp3", "--bias", "New York")
    assert done.returncode == 2
    assert done.stderr.startswith("vivavoce: the term 'New York' has a space in it")
    assert done.stderr.count("\n") == 1


def test_a_model_without_a_key_is_told(tmp_path, talk):
    done = run_inside(tmp_path, "transcribe", "talk.mp3", VIVAVOCE_MODELS="mistral")
    assert done.returncode == 2
    assert "MISTRAL_API_KEY" in done.stderr


def test_sources_are_files_urls_and_ids(tmp_path):
    found = [
        Source.parse(one) for one in ("a.mp3", "https://x.test/calls/b%20c.m4a?k=1#t", "id:f-1")
    ]
    assert [one.stem for one in found] == ["a", "b_20c", "f-1"]
    assert [one.name for one in found] == [
        "a.mp3",
        "https://x.test/calls/b%20c.m4a?k=1#t",
        "id:f-1",
    ]
    with pytest.raises(RecordingError, match="is a folder"):
        parse_sources([str(tmp_path)])
    assert Source.parse("https://x.test/").stem == "x"


def test_a_sample_of_a_voice(tmp_path):
    path = save(tmp_path / "ann.wav", together(LINES[:2]))
    assert parse_speakers([f"Ann={path}"]) == {"Ann": path.read_bytes()}
    short = save(tmp_path / "bob.wav", read(path)[:16_000])
    with pytest.raises(RefusedError, match=r"Bob's voice lasts 1\.0 s"):
        parse_speakers([f"Bob={short}"])


def test_names_of_forms_and_times():
    assert parse_forms(["txt", "markdown", "txt"]) == ("text", "md")
    assert parse_forms([]) == ("text",)
    assert [clock(seconds) for seconds in (0, 7.4, 723, 10_800)] == [
        "0:00",
        "0:07",
        "12:03",
        "3:00:00",
    ]
