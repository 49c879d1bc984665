"""The machine: on what a run was made, and what on it spoils figures."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vivavoce.pipelines.load import usable_cores

PACKAGES = ("vivavoce", "pipecat-ai", "onnxruntime", "numpy", "aiohttp", "uvloop")
"""Whose versions are told where they are installed."""
BUSY = 0.25
"""Share of the machine that may be in use before a run."""
STOLEN = 0.02
"""Share of its time that other guests of its host may take from it."""
STALL = 10.0
"""How late (ms) one look in a hundred at an idle event loop may be."""


def describe() -> dict[str, Any]:
    """Return the machine, its load, the versions and the time, JSON-able."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_gb": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "load_average": _load(),
    }


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells whether a machine may be measured on.

    Attributes:
        cores: Cores that may be used.
        used: Share of all of them that was in use (0–1), before the run.
        stolen: Share of their time that the host gave to others (0–1).
        lag: How late one look in a hundred at an idle event loop was (ms).
        governor: How the first core's clock is governed; "" where nobody tells.
        debug: Python's development mode or asyncio's debug mode is on.
        pinned: A process can be held on one core.
    """

    cores: int
    used: float = 0.0
    stolen: float = 0.0
    lag: float = 0.0
    governor: str = ""
    debug: bool = False
    pinned: bool = True


def warnings(signs: Signs) -> list[str]:
    """Return what spoils figures, a sentence each; pure."""
    found = []
    if signs.used > BUSY:
        found.append(
            f"The machine was busy before the run ({signs.used:.0%} of its cores): latencies are"
            " too high and the knee is too low. End what runs beside, and measure again."
        )
    if signs.stolen > STOLEN:
        found.append(
            f"The machine is a guest whose host gave {signs.stolen:.0%} of its time to others:"
            " figures change from run to run. Compare several runs."
        )
    if signs.lag > STALL:
        found.append(
            f"An event loop with nothing to do was {signs.lag:.0f} ms late once in a hundred"
            " times: something keeps it from its core. No realtime audio is safe on this machine."
        )
    if signs.governor == "powersave":
        found.append(
            "The clock's governor is 'powersave': `cpupower frequency-set -g performance` before"
            " measuring."
        )
    if signs.cores < 2:
        found.append(
            "There is one core for the agent, its callers and the model servers: it carries more"
            " calls where it has the core to itself."
        )
    elif not signs.pinned:
        found.append(
            "The agent's process cannot be held on one core here: its CPU is what counts, and the"
            " knee may be that of several cores."
        )
    if signs.debug:
        found.append("Python's development mode is on, which costs CPU: unset PYTHONDEVMODE.")
    return found


def clocks(text: str) -> dict[str, float]:
    """Read the first line of `/proc/stat`: seconds of CPU by use since the machine began."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    words = text.split("\n", 1)[0].split()
    if not words or words[0] != "cpu":
        return {}
    return {name: int(word) / 100 for name, word in zip(names, words[1:], strict=False)}


def shares(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[float, float]:
    """Return which share of the machine was in use between two `clocks`, and which was stolen."""
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    whole = sum(spent.values())
    if whole <= 0:
        return 0.0, 0.0
    idle = spent.get("idle", 0.0) + spent.get("iowait", 0.0)
    stolen = spent.get("steal", 0.0)
    return (whole - idle - stolen) / whole, stolen / whole


def read_clocks() -> dict[str, float]:
    """Return the machine's `clocks`; empty where the system does not tell."""
    try:
        return clocks(Path("/proc/stat").read_text(encoding="ascii"))
    except OSError:
        return {}


def governor() -> str:
    """Return how the first core's clock is governed; "" where nobody tells."""
    try:
        path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def resident() -> float:
    """Return the memory that this process holds now (MB); at most, where only that is known."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most / 1e3


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _load() -> list[float]:
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except (AttributeError, OSError):
        return []


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
