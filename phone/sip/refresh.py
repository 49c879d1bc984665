"""Session timers (RFC 4028): who refreshes a call, how often, and when it is given up."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vivavoce.phone.sip.headers import number
from vivavoce.phone.sip.message import Message, Request, Response


@dataclass(frozen=True, slots=True)
class Interval:
    """What one INVITE or UPDATE agreed on.

    Attributes:
        expires: The session's time, s.
        ours: Whether we refresh it.
    """

    expires: int
    ours: bool

    @property
    def due(self) -> float:
        """Seconds from now until it is to be refreshed, or given up if they do not."""
        if self.ours:
            return self.expires / 2
        return self.expires - min(32, self.expires / 3)


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """Our wish.

    Attributes:
        expires: Session time asked for, s.
        minimum: The least we do, s; RFC 4028 forbids less than 90.
    """

    expires: int = 1800
    minimum: int = 90

    def __post_init__(self) -> None:
        if not 90 <= self.minimum <= self.expires:
            raise ValueError("a session timer has at least 90 s, and expires at or after minimum")

    def too_small(self, request: Request) -> bool:
        """Whether a request asks for less than our minimum and understands the refusal (422)."""
        asked = number(request.headers.get("Session-Expires"))
        can = "timer" in request.headers.tokens("Supported")
        return asked is not None and asked < self.minimum and can

    def ask(self, request: Request, minimum: int, refresher: str = "") -> None:
        """Put our wish on an INVITE or UPDATE.

        Args:
            request: The request.
            minimum: The Min-SE that a 422 or the peer named; 0 for none.
            refresher: `uac` or `uas` to keep what stands, "" to leave it open.
        """
        least = max(self.minimum, minimum)
        role = f";refresher={refresher}" if refresher else ""
        request.headers.set("Session-Expires", f"{max(self.expires, least)}{role}")
        if least > 90:
            request.headers.set("Min-SE", str(least))

    def grant(self, request: Request, response: Response) -> Interval | None:
        """Put the interval on the 2xx to a request; return what then holds for us.

        None when neither side wants one: the far end cannot and we do not insist.
        """
        asked = number(request.headers.get("Session-Expires"))
        can = "timer" in request.headers.tokens("Supported")
        least = number(request.headers.get("Min-SE"), 0) or 0
        expires = max(min(asked or self.expires, self.expires), self.minimum, least)
        role = _refresher(request)
        if not can:
            role = "uas"  # whoever does not know timers cannot be asked to refresh
        elif role not in {"uac", "uas"}:
            role = "uac"
        response.headers.set("Session-Expires", f"{expires};refresher={role}")
        if can and role == "uac":
            response.headers.add("Require", "timer")
        return Interval(expires, ours=role == "uas")

    @staticmethod
    def granted(response: Response) -> Interval | None:
        """Read the 2xx to our request; None when the far end wants no timer."""
        expires = number(response.headers.get("Session-Expires"))
        if expires is None:
            return None
        return Interval(max(expires, 90), ours=_refresher(response) != "uas")


def _refresher(message: Message) -> str:
    value = message.headers.get("Session-Expires") or ""
    found = re.search(r";\s*refresher\s*=\s*(uac|uas)\b", value, re.IGNORECASE)
    return found[1].lower() if found else ""
