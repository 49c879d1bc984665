"""What can go wrong with a model server, in words for the person who runs the agent."""

from __future__ import annotations

from typing import Literal

StageName = Literal["hearing", "thinking", "speaking"]
Kind = Literal["auth", "unreachable", "timeout", "busy", "refused", "broken"]

_FIX: dict[Kind, str] = {
    "auth": "check the API key (`vivavoce doctor` says which one is used)",
    "unreachable": "check the URL and the network (`vivavoce doctor`)",
    "timeout": "the server is overloaded or stuck; try again, or raise the time-out in [timeouts]",
    "busy": "the account's rate limit is reached; slow down or raise it",
    "refused": "the server does not accept this request",
    "broken": "the server broke off or sent what its protocol does not allow",
}


class ModelError(Exception):
    """A model server failed.

    Attributes:
        stage: Whose server.
        kind: What class of failure; "auth" and "refused" do not pass by themselves.
        retry_after: Seconds the server asks to wait, when it says so.
    """

    def __init__(
        self, stage: StageName, kind: Kind, detail: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{stage}: {detail} — {_FIX[kind]}")
        self.stage = stage
        self.kind = kind
        self.retry_after = retry_after

    @property
    def lasting(self) -> bool:
        """Whether trying again would fail the same way."""
        return self.kind in {"auth", "refused"}


def kind_of_status(status: int) -> Kind:
    """Return which failure an HTTP status stands for."""
    if status in {401, 402, 403}:
        return "auth" if status != 403 else "refused"
    if status == 429:
        return "busy"
    if status in {408, 504}:
        return "timeout"
    return "broken" if status >= 500 else "refused"
