"""A user's second type checker, run as they run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PATIENT = 300  # seconds; the machine may be busy


def run_pyright(project: Path, include: str, mode: str = "strict") -> list[dict[str, Any]]:
    """Return the errors that pyright finds in a file or folder of a project.

    What the project imports is looked for in its folder ``links``. Skips where pyright is not
    installed.
    """
    pytest.importorskip("pyright", reason="needs pyright[nodejs]")
    (project / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "include": [include],
                "extraPaths": ["links"],
                "typeCheckingMode": mode,
                "pythonVersion": "3.11",
                # Expressions stand for themselves in wrong code.
                "reportUnusedExpression": "none",
                "reportUnusedCoroutine": "none",
                "reportUnusedVariable": "none",
            }
        )
    )
    environment = {
        **os.environ,
        # The node and the pyright of PyPI, as they are: nothing is downloaded.
        "PYRIGHT_PYTHON_GLOBAL_NODE": "0",
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--project", str(project), "--outputjson"),
            *("--pythonpath", sys.executable),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENT,
        env=environment,
        check=False,
    )
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert said["summary"]["filesAnalyzed"] >= 1
    return [each for each in said["generalDiagnostics"] if each["severity"] == "error"]


def by_line(errors: list[dict[str, Any]]) -> dict[int, set[str]]:
    """Return the rules (or messages) by line, counted from 1."""
    found: dict[int, set[str]] = {}
    for each in errors:
        number = each["range"]["start"]["line"] + 1
        found.setdefault(number, set()).add(each.get("rule", each["message"]))
    return found
