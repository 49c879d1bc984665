"""Transfers: what is asked for when a caller is handed over to somebody, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from vivavoce.agent.line import Sound

Mode = Literal["refer", "bridge", "warm"]
State = Literal["calling", "briefing", "joined", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """What is asked for.

    Attributes:
        to: A number or address, as the line has it.
        mode: `refer`: the far end is asked to call them, and our part is over. `bridge`: we call
            them and join both, without the models. `warm`: likewise, but they are told first what
            it is about, and may decline.
        announcement: Said to the caller, who then waits; None is a sentence in their language,
            "" is nothing. With `refer` nothing is said but what is given.
        briefing: What they are told (`warm`).
        music: Played while the caller waits: samples or a WAV file; None is a ringing tone.
        rate: Sample rate of the samples (Hz).
        trunk: The trunk that they are called over; "" for the caller's own.
        ring_time: Seconds until it is given up, and the caller is back with the agent.

    Raises:
        ValueError: It says nothing sensible.
    """

    to: str
    mode: Mode = "refer"
    announcement: str | None = None
    briefing: str = ""
    music: Sound | None = None
    rate: int = 24_000
    trunk: str = ""
    ring_time: float = 30.0

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode={self.mode!r}: a transfer is refer, bridge or warm")
        if not self.to.strip():
            raise ValueError("to: give the number or address that the caller is handed over to")
        if self.mode == "warm" and not self.briefing.strip():
            raise ValueError("briefing: a warm transfer tells the other one what it is about")
        if not 1 <= self.ring_time <= 120:
            raise ValueError(f"ring_time={self.ring_time}: 1 to 120 s; callers give up")


@dataclass(slots=True)
class Transfer:
    """A transfer, for the record: who spoke with whom, and when.

    Times are in seconds since the call began.

    Attributes:
        to: Who was called.
        mode: How.
        began: When it was asked for.
        state: `calling`, `briefing` (they are told what it is about), `joined` (they speak with
            the caller), `done`, or `failed`.
        why: What went wrong, or who ended it.
        joined: From when they could hear each other.
        ended: Until when.
        briefing: What was said with them before, as a transcript.
        recorded: Whether what they said with the caller is in the call's recording.
    """

    to: str
    mode: Mode
    began: float
    state: State = "calling"
    why: str = ""
    joined: float | None = None
    ended: float | None = None
    briefing: list[dict[str, Any]] | None = None
    recorded: bool = False

    @property
    def over(self) -> bool:
        """Whether it is done, or has failed."""
        return self.state in {"done", "failed"}

    def come(self, state: State, at: float, why: str = "") -> None:
        """Come further.

        Args:
            state: How far.
            at: When, in seconds since the call began.
            why: What went wrong, or who ended it; "" leaves what is known.
        """
        self.state, self.why = state, why or self.why
        if state == "joined":
            self.joined = at
        elif self.over:
            self.ended = at

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        row: dict[str, Any] = {
            "to": self.to,
            "mode": self.mode,
            "state": self.state,
            "began": round(self.began, 3),
        }
        if self.why:
            row["why"] = self.why
        for name in ("joined", "ended"):
            moment = getattr(self, name)
            if moment is not None:
                row[name] = round(moment, 3)
        if self.briefing is not None:
            row["briefing"] = self.briefing
        if self.recorded:
            row["recorded"] = True
        return row
