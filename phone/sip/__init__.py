"""Signalling of telephone calls: bytes and the time in, decisions out; no sockets, no clock.

Everything but `transport` is pure. From the bottom up: `errors`, `uri`, `headers`, `message`
(RFC 3261's grammar); `decisions`, `timers`, `transaction`, `exchange` (what is under way);
`sdp`, `session` (offer and answer); `dialog`, `auth`, `refresh`, `refer`; `leg`, `change`, `call`,
`inbound`, `outbound` (one call, in layers); `trunk`, `resolve`, `place`, `registration`,
`admission`; and `ua`, which ties them. Of a packet only IP literals are ever sent to; a name is
looked up for a configured trunk and for nothing else.
"""

from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import Address, Decision
from vivavoce.phone.sip.leg import CallError, CallState
from vivavoce.phone.sip.sdp import MediaPlan, SdpError
from vivavoce.phone.sip.session import LocalMedia, Srtp
from vivavoce.phone.sip.transport import Transports
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.ua import UserAgent

__all__ = [
    "Address",
    "Call",
    "CallError",
    "CallState",
    "Decision",
    "LocalMedia",
    "MediaPlan",
    "SdpError",
    "Srtp",
    "Transports",
    "Trunk",
    "UserAgent",
]
