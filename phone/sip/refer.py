"""Transfers (RFC 3515): REFER, and NOTIFY with a message/sipfrag that tells the outcome."""

from __future__ import annotations

import re

from vivavoce.phone.sip.decisions import Outcome
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.headers import NameAddr
from vivavoce.phone.sip.message import Request, reason_of
from vivavoce.phone.sip.uri import Uri

SIPFRAG = "message/sipfrag;version=2.0"


def target_of(request: Request) -> Uri:
    """Return the Refer-To of a REFER.

    Raises:
        SipParseError: There is not exactly one, it is malformed, or no SIP or tel URI.
    """
    values = request.headers.values("Refer-To")
    if len(values) != 1:
        raise SipParseError("a REFER needs exactly one Refer-To")
    uri = NameAddr.parse(values[0]).uri
    if uri.scheme not in {"sip", "sips", "tel"}:
        raise SipParseError("Refer-To is no SIP or tel URI", 416)
    return uri


def sipfrag_status(body: bytes) -> int | None:
    """Return the status of a sipfrag's status line, None when it has none."""
    found = re.match(rb"\s*SIP/2\.0 ([1-6][0-9]{2})(?: |\r|\n|$)", body)
    return int(found[1]) if found else None


def sipfrag(status: int) -> bytes:
    """Return the body of a NOTIFY."""
    return f"SIP/2.0 {status} {reason_of(status)}\r\n".encode()


def outcome_of(status: int) -> Outcome | None:
    """Return what a sipfrag status means; None while it is only under way."""
    if status < 200:
        return None
    return Outcome.DONE if status < 300 else Outcome.FAILED


def refusal_of(status: int) -> Outcome:
    """Return what a REFER's own failure means."""
    return Outcome.UNKNOWN if status in {408, 481, 503} else Outcome.REFUSED


def ended(request: Request) -> bool:
    """Whether a NOTIFY ends the subscription."""
    state = request.headers.get("Subscription-State") or ""
    return state.strip().lower().startswith("terminated")


def for_refer(request: Request) -> bool:
    """Whether a NOTIFY is of the `refer` event."""
    return (request.headers.get("Event") or "").partition(";")[0].strip().lower() == "refer"
