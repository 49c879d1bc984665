"""The file that a campaign is resumed from, also after a crash."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from vivavoce.phone import PhoneError
from vivavoce.phone.results import Results, Row, Status


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_results_are_kept_and_a_torn_line_is_taken_away(tmp_path):
    path = tmp_path / "results.csv"
    rows = [
        Row("1", 'A "b", c', Status.CALLING, 1, began="2026-11-23T10:00:00+00:00"),
        Row("1", 'A "b", c', Status.ANSWERED, 1, reason="they hung\nup", seconds=3.5, call="x"),
    ]
    with Results(path) as results:
        for row in rows:
            results.write(row)
        # On the disk at once, for whoever looks and for a crash.
        assert len(written(path)) == 2
    with path.open("a") as file:
        file.write("2,B,calli")
    with Results(path) as results:
        assert results.rows == rows
        results.write(Row("3", "C", Status.BUSY, 2, 486))
    with Results(path) as results:
        assert [row.number for row in results.rows] == ["1", "1", "3"]
        results.close()
        with pytest.raises(ValueError, match="is closed"):
            results.write(rows[0])


def test_files_that_are_no_results(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("number,name\n1,Ann\n")
    with pytest.raises(PhoneError, match="no results of a campaign"):
        Results(path)
    with Results(tmp_path / "made.csv"):
        pass
    with (tmp_path / "made.csv").open("a") as file:
        file.write("1,Ann,dancing,1,0,,,0,,\n")
    with pytest.raises(PhoneError, match="line 2: 'dancing'"):
        Results(tmp_path / "made.csv")
    with pytest.raises(PhoneError, match="cannot write"):
        Results(tmp_path / "nowhere" / "results.csv")
