"""The one error that bytes from the network can cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vivavoce.phone.sip.message import Request


class SipParseError(ValueError):
    """What arrived is not SIP as RFC 3261 or the limits here allow.

    Attributes:
        status: The status code an answer to it would carry.
        request: The request as far as it was understood, when that is enough to answer it;
            None otherwise.
    """

    def __init__(self, reason: str, status: int = 400, request: Request | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.request = request
