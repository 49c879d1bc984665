"""The threat model: every threat has a control, and every control a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text()


def rows():
    table = TEXT.partition("## Threats")[2].partition("\n## ")[0]
    for line in table.splitlines():
        if line.startswith("| **"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_there_are_threats():
    assert len(list(rows())) >= 20


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: re.sub(r"\W+", "-", row[0])[1:40])
def test_a_threat_has_a_control_and_tests_that_exist(row):
    assert len(row) == 3
    _, control, shown = row
    assert len(control) > 40
    tests = re.findall(r"`([^`]+)`", shown)
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text()
        if name:
            assert re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), test
