"""On what a run was made: without it no figure can be compared."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from vivavoce.pipelines.benching.machine import describe as machine


def describe() -> dict[str, Any]:
    """Return the machine, its load, the checkout and the time, JSON-able."""
    return {**machine(), "commit": _commit()}


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
