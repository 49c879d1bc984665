"""Who takes part: each engine's worker, variant and environment."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.latency.engine import Engine

PEERS = Path(__file__).with_name("peers")


class RosterError(ValueError):
    """There is no such engine, or its environment cannot be made; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One engine.

    Attributes:
        name: What it is called on the command line and in tables.
        worker: Its module in `benchmarks.latency.workers`.
        variant: What the worker is to be.
        peer: The requirements file of its environment, without `.txt`; empty for ours.
        what: What it is, for the table.
    """

    name: str
    worker: str
    variant: str
    peer: str
    what: str


ROSTER = (
    Entry("ours", "ours", "", "", "Viva Voce, defaults"),
    Entry("ours-v3", "ours", "v3", "", "Viva Voce on Voxtral 3's turn events"),
    Entry("pipecat-mistral", "pipecat_peer", "mistral", "pipecat", "pipecat, its Mistral services"),
    Entry("pipecat", "pipecat_peer", "ideal", "pipecat", "pipecat defaults, ideal transcriber"),
    Entry("pipecat-tuned", "pipecat_peer", "tuned", "pipecat", "the same, tuned"),
    Entry("livekit-mistral", "livekit_peer", "mistral", "livekit", "LiveKit, its Mistral plugin"),
    Entry("livekit", "livekit_peer", "ideal", "livekit", "LiveKit defaults, ideal transcriber"),
    Entry("livekit-tuned", "livekit_peer", "tuned", "livekit", "the same, tuned"),
)
NAMES = tuple(entry.name for entry in ROSTER)


def choose(only: str | None) -> list[Entry]:
    """Return the engines that a list of names, parted by commas, means; all for None.

    Raises:
        RosterError: If there is no engine of a name.
    """
    if only is None:
        return list(ROSTER)
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in NAMES]
    if unknown or not wanted:
        raise RosterError(
            f"--only {only}: no engine is called {', '.join(unknown) or 'nothing'}; there are"
            f" {', '.join(NAMES)}"
        )
    return [entry for entry in ROSTER if entry.name in wanted]


def python_of(peer: str, cache: Path) -> Path:
    """Return the interpreter of a peer's environment, made first where it is not there.

    Raises:
        RosterError: If its packages cannot be installed.
    """
    requirements = PEERS / f"{peer}.txt"
    pins = requirements.read_bytes()
    tag = hashlib.sha256(pins + sys.version.encode()).hexdigest()[:10]
    home = cache / "envs" / f"{peer}-{tag}"
    python = home / "bin" / "python"
    if (home / "whole").exists():
        return python
    print(f"installing {peer} into {home} ...", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, timeout=300)
    installed = subprocess.run(
        [
            str(python),
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("-r", str(requirements)),
        ],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if installed.returncode:
        raise RosterError(
            f"pip cannot install {requirements.name}: {installed.stderr.strip()[-400:]}\nleave it"
            " out with --only ours"
        )
    (home / "whole").touch()
    return python


def prepare(entries: Sequence[Entry], cache: Path) -> dict[str, Path]:
    """Return each entry's interpreter by its peer's name, made where it is not there.

    Raises:
        RosterError: If an environment cannot be made.
    """
    peers = {entry.peer for entry in entries}
    return {
        peer: python_of(peer, cache) if peer else Path(sys.executable) for peer in sorted(peers)
    }


def make(entry: Entry, pythons: dict[str, Path], url: str, keys: Sequence[str]) -> Engine:
    """Return an entry's engine with a call for each key; nothing runs yet."""
    options: dict[str, Any] = {"url": url, "keys": list(keys), "variant": entry.variant}
    worker = f"benchmarks.latency.workers.{entry.worker}"
    return Engine(entry.name, pythons[entry.peer], worker, options)
