"""The unit that runs a server: what systemd itself says of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[1] / "deploy" / "systemd" / "vivavoce.service"


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    return subprocess.run(
        [program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )


def test_it_holds_together(tmp_path):
    here = tmp_path / UNIT.name
    text = UNIT.read_text()
    here.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", text))
    done = analyze("verify", "--man=no", here)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_may_do_little_beside_its_work():
    done = analyze("security", "--offline=yes", "--no-pager", UNIT)
    found = re.search(r"exposure level for vivavoce\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < 2.5  # of 10


def test_several_workers_are_what_is_changed(tmp_path):
    here = tmp_path / UNIT.name
    here.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text()))
    beside = tmp_path / f"{UNIT.name}.d"
    beside.mkdir()
    text = (UNIT.parent / "workers.conf").read_text()
    changed = re.sub(r"ExecStart=/\S+", f"ExecStart={sys.executable}", text)
    (beside / "workers.conf").write_text(changed)
    done = analyze("verify", "--man=no", here)
    assert (done.returncode, done.stderr) == (0, "")
    # What is asked of the command is there, and calls may end in time.
    from typer.main import get_command

    from vivavoce.cli.main import app

    words = re.search(r"^ExecStart=\S+ serve (.+)$", text, re.MULTILINE)
    assert words
    serve = get_command(app).commands["serve"]
    known = {name for option in serve.params for name in option.opts}
    assert set(re.findall(r"--[a-z]+", words[1])) <= known
    stop = re.search(r"TimeoutStopSec=(\d+)", UNIT.read_text())
    drain = re.search(r"--drain (\d+)", words[1])
    assert stop
    assert drain
    assert int(stop[1]) > int(drain[1]) + 15
    assert "KillMode=mixed" in text


def test_calls_may_end_before_it_is_killed():
    stop = re.search(r"TimeoutStopSec=(\d+)", UNIT.read_text())
    assert stop
    from vivavoce.cli.serve import DRAIN

    assert int(stop[1]) > DRAIN + 15
