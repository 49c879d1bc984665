"""The parts of a recording that are done, kept beside the output: none is paid for twice.

A file of JSON lines. The first says of which recording and request; each other is a part. A line
is on the disk before the next part counts, and one that was cut short is left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vivavoce.pipelines.models.transcription.text import Transcript

VERSION = 1
_ENDS = 1 << 20  # bytes at either end of a recording that tell it from others


class JournalError(RuntimeError):
    """The state file cannot be written; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Done:
    """A part that is done.

    Attributes:
        start: Its first sample.
        end: Behind its last.
        check: CRC-32 of its samples.
        transcript: With times from its beginning.
    """

    start: int
    end: int
    check: int
    transcript: Transcript


def fingerprint(path: Path) -> dict[str, Any]:
    """Return what tells a recording from others: its size and a digest of its two ends."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_ENDS))
        file.seek(max(size - _ENDS, 0))
        digest.update(file.read(_ENDS))
    return {"size": size, "sha256_of_ends": digest.hexdigest()}


class Journal:
    """The state of one recording's transcription. Blocks for its small writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self._done: dict[int, Done] = {}

    @classmethod
    def open(cls, path: Path, about: dict[str, Any]) -> Self:
        """Take up what an earlier run left, if it was about the same; else begin anew.

        Args:
            path: The state file.
            about: The recording and the request, as data for JSON.

        Raises:
            JournalError: If the file cannot be written.
        """
        journal = cls(path)
        header = json.loads(json.dumps({"vivavoce": "transcribe", "version": VERSION, **about}))
        try:
            whole = journal._load(header)
            journal._file = path.open("r+b" if whole else "wb")
            if whole:
                journal._file.truncate(whole)
                journal._file.seek(whole)
            else:
                journal._write(header)
        except OSError as error:
            journal.close()
            raise JournalError(f"cannot write {path}: {error.strerror}") from None
        return journal

    def _load(self, header: dict[str, Any]) -> int:
        """Read what is there; return how many bytes of it are whole, 0 if it is of no use."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        lines = data.split(b"\n")[:-1]
        whole = 0
        for number, line in enumerate(lines):
            try:
                entry = json.loads(line)
                if number == 0:
                    if entry != header:
                        return 0
                else:
                    done = Done(
                        int(entry["start"]),
                        int(entry["end"]),
                        int(entry["check"]),
                        Transcript.parse(entry["transcript"]),
                    )
                    self._done[int(entry["part"])] = done
            except (ValueError, KeyError, TypeError):
                break
            whole += len(line) + 1
        return whole

    def __len__(self) -> int:
        return len(self._done)

    def find(self, part: int, start: int, end: int, check: int) -> Transcript | None:
        """Return what an earlier run heard in a part, if it was this very part."""
        done = self._done.get(part)
        if done is None or (done.start, done.end, done.check) != (start, end, check):
            return None
        return done.transcript

    def add(self, part: int, done: Done) -> None:
        """Keep a part; it is on the disk when this returns.

        Raises:
            JournalError: If it cannot be written.
        """
        self._done[part] = done
        try:
            self._write(
                {
                    "part": part,
                    "start": done.start,
                    "end": done.end,
                    "check": done.check,
                    "transcript": done.transcript.json(),
                }
            )
        except OSError as error:
            raise JournalError(f"cannot write {self.path}: {error.strerror}") from None

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file, and keep it for another run. Idempotent."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def remove(self) -> None:
        """Close and delete the file: all is done. Idempotent."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
