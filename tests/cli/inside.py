"""The command in this process: for what need not pay for another interpreter."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import environment
from vivavoce.cli import main, program


def run_inside(
    folder: Path,
    *words: str,
    given: str | bytes = "",
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as `tests.cli.commands.run` does."""
    out, err = io.StringIO(), io.StringIO()
    typed = io.BytesIO(given.encode() if isinstance(given, str) else given)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(environment()):
            patch.delenv(name, raising=False)
        for name, value in environment(**more).items():
            patch.setenv(name, value)
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["vivavoce", *words])
        patch.setattr(sys, "stdin", io.TextIOWrapper(typed, encoding="utf-8"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        # The log of this process belongs to the tests.
        patch.setattr(program, "configure_logging", lambda _level, **_how: None)
        try:
            main.main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
    return subprocess.CompletedProcess(list(words), code, out.getvalue(), err.getvalue())
