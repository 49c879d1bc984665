"""How long an agent is: its lines that are neither empty, comments nor docstrings of modules."""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

RUNNING = "# -- running it"
"""Begins the part of a file that connects the agent to a caller."""
IGNORED = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True, slots=True)
class Count:
    """Lines of code.

    Attributes:
        agent: That say what the agent is, imports and tools' docstrings among them.
        running: That connect it to a caller.
    """

    agent: int
    running: int

    @property
    def total(self) -> int:
        """All lines."""
        return self.agent + self.running


def count(source: str) -> Count:
    """Count a file's lines.

    A docstring counts, with its empty lines left out, because in all four it is what the model is
    told of a tool; the module's does not.

    Raises:
        ValueError: If nothing marks where running it begins.
    """
    lines = source.splitlines()
    marks = [number for number, line in enumerate(lines, 1) if line.startswith(RUNNING)]
    if len(marks) != 1:
        raise ValueError(f"one line must begin with {RUNNING!r}, not {len(marks)}")
    used: set[int] = set()
    first = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in IGNORED:
            continue
        if first and token.type == tokenize.STRING:
            first = False
            continue
        first = False
        rows = range(token.start[0], token.end[0] + 1)
        used.update(row for row in rows if lines[row - 1].strip())
    before = sum(row < marks[0] for row in used)
    return Count(before, len(used) - before)


def count_file(path: Path) -> Count:
    """Count a file's lines; see `count`."""
    return count(path.read_text(encoding="utf-8"))
