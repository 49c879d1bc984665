"""Consent: that somebody agreed to have their voice cloned, on record.

A clone is made of nobody's voice without one. The record stays beside the sample; what a provider
has a field for is sent to it, too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

SUFFIX = ".consent.json"


class ConsentError(ValueError):
    """There is no consent, or it does not say enough; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Who agreed, when, and how.

    Attributes:
        speaker: Whose voice it is.
        given: When they agreed.
        how: "in writing", "on the recording", "it is my own voice".
    """

    speaker: str
    given: date
    how: str

    def __post_init__(self) -> None:
        for name, what in (("speaker", "whose voice it is"), ("how", "how they agreed")):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ConsentError(f"a clone needs the speaker's consent: say {what}")
        if self.given > datetime.now(UTC).date().replace(year=datetime.now(UTC).year + 1):
            raise ConsentError(f"consent cannot have been given on {self.given}")

    @property
    def text(self) -> str:
        """In one line, for a provider's field."""
        return f"{self.speaker} agreed on {self.given.isoformat()} ({self.how})"

    @classmethod
    def parse(cls, text: str, today: date) -> Consent:
        """Read "Marie Dupont, in writing" or "Marie Dupont, in writing, 2026-11-20".

        Args:
            text: Who, how and, if not today, when; with commas between.
            today: When it was given if nothing is said.

        Raises:
            ConsentError: If a part is missing.
        """
        parts = [part.strip() for part in text.split(",")]
        given = today
        if len(parts) > 2:
            try:
                given = date.fromisoformat(parts[-1])
            except ValueError:
                raise ConsentError(
                    f"consent: {parts[-1]!r} is no date: write it as 2026-11-20"
                ) from None
            parts = parts[:-1]
        if len(parts) < 2:
            raise ConsentError(
                'consent: say who agreed and how, as in --consent "Marie Dupont, in writing"'
            )
        return cls(parts[0], given, ", ".join(parts[1:]))


def consent_path(sample: Path) -> Path:
    """Return where a sample's consent is recorded: beside it."""
    return sample.with_name(sample.name + SUFFIX)


def record(sample: Path, consent: Consent, voice: dict[str, Any]) -> Path:
    """Write a consent down beside its sample; blocks. A record that is there stays, and grows.

    Args:
        sample: The recording.
        consent: What was agreed.
        voice: What was made of it, and where: {"id": ..., "name": ..., "provider": ...}.

    Returns:
        Where it stands.

    Raises:
        ConsentError: If it cannot be written.
    """
    path = consent_path(sample)
    entries = _entries(path)
    entry = {
        "speaker": consent.speaker,
        "given": consent.given.isoformat(),
        "how": consent.how,
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        "sample": sample.name,
        "sha256": hashlib.sha256(sample.read_bytes()).hexdigest(),
        "voice": voice,
    }
    _write(path, [*entries, entry])
    return path


def amend(path: Path, voice: str) -> None:
    """Write down which voice came of the last consent on record; blocks.

    Args:
        path: The record.
        voice: Its id.

    Raises:
        ConsentError: If it cannot be written.
    """
    entries = _entries(path)
    entries[-1]["voice"]["id"] = voice
    _write(path, entries)


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_text("utf-8")) if path.exists() else []
    except (OSError, ValueError) as error:
        raise ConsentError(f"cannot read the record of consent {path}: {error}") from error
    if not isinstance(entries, list):
        raise ConsentError(f"{path} is no record of consent: move it away")
    return entries


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConsentError(f"cannot record the consent in {path}: {error.strerror}") from error
