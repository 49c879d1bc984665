"""The command as a process: exit codes, Ctrl-C, and what a SIGKILL leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.cli.inside import run_inside
from tests.speech import speak
from vivavoce.pipelines.audio.wav import WavReader, WavWriter

AGENT = """
from vivavoce.agent import Agent
agent = Agent(name="echo")

@agent.reply
def answer(call, heard):
    return "You said: " + heard
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.py").write_text(AGENT)
    writer = WavWriter(tmp_path / "in.wav", 16_000, 1)
    line = speak("Good morning, how are you today?", 16_000)
    for _ in range(6):
        writer.write(np.concatenate([line, np.zeros(48_000, np.int16)]))
    writer.close()
    return tmp_path


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VIVAVOCE", "MISTRAL"))}
    return subprocess.Popen(
        [sys.executable, "-m", "vivavoce.cli.main", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(
        folder, "run", "host.py", "--in", "in.wav", "--out", "out.wav",
        "--transcript", "out.json", "--json",
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == "caller_started":
            break
    yield process
    process.kill()
    process.communicate()


def test_ctrl_c_leaves_recording_and_transcript_whole(
    running: subprocess.Popen[str], folder: Path
) -> None:
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["ended"] == "ended at the keyboard"
    record = json.loads((folder / "out.json").read_text())
    with WavReader(folder / "out.wav", None) as reader:
        assert not reader.warning
        assert abs(reader.duration - record["seconds"]) < 0.5


def test_sigkill_leaves_no_sandbox_behind(running: subprocess.Popen[str], folder: Path) -> None:
    children = psutil.Process(running.pid).children(recursive=True)
    assert children, "the sandbox is a child process"
    running.kill()
    running.wait()
    _gone, alive = psutil.wait_procs(children, timeout=5)
    left = [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
    assert not left
    with WavReader(folder / "out.wav", None) as reader:
        # What was recorded up to about a second before is readable.
        assert reader.duration > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "host.py", "--in", "nothing.wav"], "does not exist"),
        (["run", "nothing.py", "--in", "in.wav"], "no such file"),
        (["run", "host.py", "--in", "host.py"], "not a WAV file"),
        (["run", "host.py", "--in", "in.wav", "--models", "moon"], "models"),
        (["run", "host.py", "--in", "in.wav", "--models", "mistral"], "MISTRAL_API_KEY"),
        (["run", "host.py", "--in", "in.wav", "--out", "/proc/nothing/out.wav"], "out.wav"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(folder: Path, words: list[str], said: str) -> None:
    done = run_inside(folder, *words)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_a_process_of_its_own(folder: Path) -> None:
    process = start(folder, "run", "host.py")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert "--in" in err
    assert "Traceback" not in err


def test_the_version(folder: Path) -> None:
    out, _ = start(folder, "--version").communicate(timeout=30)
    assert out.strip().count(".") == 2
