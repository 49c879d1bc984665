"""The results of a campaign: a file that it can be resumed from."""

from __future__ import annotations

import csv
import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from vivavoce.phone.exposure import PhoneError


class Status(enum.Enum):
    """What came of a call."""

    CALLING = "calling"  # it is under way, or was when the program died
    ANSWERED = "answered"
    VOICEMAIL = "voicemail"
    SILENT = "silent"  # somebody picked up, and nobody spoke
    BUSY = "busy"
    NO_ANSWER = "no answer"
    REFUSED = "refused"
    UNKNOWN = "unknown number"
    FAILED = "failed"
    FORBIDDEN = "forbidden"  # by the policy


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the results.

    Attributes:
        number: Who was called.
        name: Their name.
        status: What came of it.
        attempt: Which call it was, from 1.
        code: SIP's status, where it did not come about.
        reason: In words.
        began: When, ISO 8601.
        seconds: How long the call took.
        call: Its id, as its record and recording are called.
        memory: What the agent noted in it, as JSON.
    """

    number: str
    name: str
    status: Status
    attempt: int
    code: int = 0
    reason: str = ""
    began: str = ""
    seconds: float = 0.0
    call: str = ""
    memory: str = ""


_FIELDS = tuple(Row.__dataclass_fields__)


class Results:
    """The file of results: a row when a call begins and one when it has ended.

    What stands in it is on the disk before the next call begins, so that nobody is called twice
    by a campaign that is resumed. A line that a crash cut off is taken away.

    Args:
        path: The file; made, or gone on with.

    Raises:
        PhoneError: It is no such file, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._file: TextIO | None = None
        try:
            if path.exists() and path.stat().st_size:
                self._mend()
                self.rows = self._read()
            else:
                with path.open("w", encoding="utf-8", newline="") as file:
                    csv.writer(file).writerow(_FIELDS)
            self._file = path.open("a", encoding="utf-8", newline="")
        except (OSError, UnicodeDecodeError) as error:
            raise PhoneError(f"cannot write {path}: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, row: Row) -> None:
        """Add a row; it is on the disk when this returns."""
        if self._file is None:
            raise ValueError("the file of results is closed")
        self.rows.append(row)
        cells = [getattr(row, name) for name in _FIELDS]
        csv.writer(self._file).writerow([c.value if isinstance(c, Status) else c for c in cells])
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close it; idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _mend(self) -> None:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            with self.path.open("r+b") as file:
                file.truncate(whole)

    def _read(self) -> list[Row]:
        with self.path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != _FIELDS:
                raise PhoneError(f"{self.path} holds no results of a campaign: give another file")
            try:
                return [
                    Row(
                        **{
                            **row,
                            "status": Status(row["status"]),
                            "attempt": int(row["attempt"]),
                            "code": int(row["code"]),
                            "seconds": float(row["seconds"]),
                        }  # type: ignore[arg-type]
                    )
                    for row in reader
                ]
            except (TypeError, ValueError) as error:
                raise PhoneError(f"{self.path}, line {reader.line_num}: {error}") from None
