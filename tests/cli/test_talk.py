"""`vivavoce talk`: as a process at a sound card, spoken to and interrupted by nobody but us."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.cli.commands import run, start
from tests.soundcard import NEEDS, SoundCard, missing, soundcard
from tests.speech import speak
from vivavoce.agent.events import CallerPartial, CallerSaid
from vivavoce.agent.transcript import Utterance
from vivavoce.cli.talk import CELLS, TalkView, meter
from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.sandbox.launch import Sandbox

AGENT = """
from vivavoce.agent import Agent

agent = Agent(
    name="host",
    greeting="Good evening, this is the restaurant by the harbour.",
)


@agent.reply
async def answer(call, heard):
    return "We open at six o'clock in the evening."
"""

needs_card = pytest.mark.skipif(missing(), reason=NEEDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.py").write_text(AGENT)
    return tmp_path


@pytest.fixture
def card(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[SoundCard]:
    echo = getattr(request, "param", False)
    with soundcard(tmp_path_factory.mktemp("card"), echo=echo) as running:
        yield running


@pytest.fixture
def settings(card: SoundCard, sandbox: Sandbox) -> dict[str, str]:
    return {
        **card.environment,
        "VIVAVOCE_SANDBOX_URL": sandbox.url,
        "VIVAVOCE_SANDBOX_KEY": sandbox.key,
        "PYTHONUNBUFFERED": "1",
    }


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read what is printed up to a line with `text`; the test's own time-out is the process's."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return seen
    raise AssertionError(f"no {text!r} in {seen}")


def converse(folder: Path, card: SoundCard, settings: dict[str, str]) -> tuple[dict[str, Any], str]:
    """Hold a call of one question; return its record, and what was printed at its end."""
    process = start(
        folder, "talk", "host.py", "--out", "call.wav", "--transcript", "call.json", **settings
    )
    asking = None
    try:
        lines_until(process, "agent")  # the greeting, to its end
        asking = card.say(speak("What time do you open this evening?", 16_000), 16_000)
        lines_until(process, "agent")
        out, err = process.communicate("q", timeout=60)
    finally:
        process.kill()
        process.communicate()
        if asking is not None:
            asking.wait(20)
    assert process.returncode == 0, out + err
    return json.loads((folder / "call.json").read_text()), out


@needs_card
@pytest.mark.needs_flite
@pytest.mark.parametrize("card", [True], indirect=True, ids=["echo"])
def test_a_call_with_the_speaker_in_the_microphone(
    folder: Path, card: SoundCard, settings: dict[str, str]
) -> None:
    for _ in range(3):
        record, out = converse(folder, card, settings)
        # What a card loses in a machine that is too busy for it, no canceller can know.
        if "was busy" not in out:
            break
    else:
        pytest.skip("this machine is too busy for its sound server")
    assert record["ended"] == "the caller hung up"
    kinds = [entry["kind"] for entry in record["transcript"]]
    assert kinds == ["agent", "caller", "agent"], "the agent did not answer itself"
    greeting, asked, answer = record["transcript"]
    assert not greeting["interrupted"]
    assert "open" in asked["text"].lower()
    assert answer["latency"]["total_us"] > 0
    with WavReader(folder / "call.wav", None) as reader:
        assert not reader.warning
        assert reader.duration == pytest.approx(record["seconds"], abs=3)


@needs_card
def test_push_to_talk(folder: Path, card: SoundCard, settings: dict[str, str]) -> None:
    process = start(folder, "talk", "host.py", "--push", "--transcript", "call.json", **settings)
    line = speak("Good morning to all of you.", 16_000)
    spoken = []
    try:
        lines_until(process, "agent")
        spoken.append(card.say(line, 16_000))
        spoken[0].wait(30)
        time.sleep(1.5)
        assert process.stdin is not None
        process.stdin.write(" ")
        process.stdin.flush()
        # Behind a silence: a busy process opens the microphone a moment later.
        spoken.append(card.say(np.concatenate([np.zeros(32_000, np.int16), line]), 16_000))
        lines_until(process, "six o'clock")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
        for each in spoken:
            each.wait(30)
    assert process.returncode == 130, out + err
    record = json.loads((folder / "call.json").read_text())
    assert [entry["kind"] for entry in record["transcript"]].count("caller") == 1
    assert "Traceback" not in err


@needs_card
def test_the_devices_are_listed(folder: Path, card: SoundCard, settings: dict[str, str]) -> None:
    done = run(folder, "talk", "--devices", **settings)
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if " pulse " in line]
    assert row.split().count("yes") == 2


def hardware() -> bool:
    cards = Path("/proc/asound/cards")
    return cards.is_file() and "no soundcards" not in cards.read_text()


@needs_card
@pytest.mark.skipif(hardware(), reason="this machine has a sound card")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["host.py"], "has no microphone: plug one in"),
        (["--devices"], "no sound devices"),
        (["nothing.py"], "no such file"),
    ],
)
def test_a_machine_without_sound(folder: Path, words: list[str], said: str) -> None:
    silent = {"PULSE_SERVER": "none", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    done = run(folder, "talk", *words, **silent)
    assert done.returncode == 2
    ours = [line for line in done.stderr.splitlines() if not line.startswith("ALSA lib")]
    assert len(ours) == 1, done.stderr
    assert said in ours[0]


@needs_card
def test_a_device_that_is_not_there(
    folder: Path, card: SoundCard, settings: dict[str, str]
) -> None:
    done = run(folder, "talk", "host.py", "--microphone", "moon", **settings)
    assert done.returncode == 2
    assert "'moon' is no microphone here: choose one of" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("level", "full"), [(-90, 0), (-60, 0), (-30, CELLS // 2), (0, CELLS)])
def test_the_meter(level: float, full: int) -> None:
    bar = meter(level)
    assert (bar.count("█"), bar.count("·")) == (full, CELLS - full)
    assert ("red" in bar) == (level == 0)
    assert "green" not in meter(-30, open_=False)


def test_the_view_shows_level_and_words() -> None:
    class Microphone:
        level = -20.0
        listening = True

    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    transport: Any = Microphone()
    with TalkView(console, transport) as view:
        assert view._status is not None
        view.event(CallerPartial(1.0, "a table [for] four"))
        view.refresh()
        assert "for" in str(view._status.status)
        view.event(CallerSaid(2.0, Utterance("A table.", 1, 2)))
        assert "listening" in str(view._status.status)
        transport.listening = False
        view.refresh()
        assert "press space" in str(view._status.status)


def test_nothing_is_shown_in_place_where_there_is_no_terminal() -> None:
    transport: Any = None
    with TalkView(Console(file=io.StringIO()), transport) as view:
        view.refresh()
