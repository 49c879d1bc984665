"""What the signalling core decides: things to send, to resolve, and news for the application."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vivavoce.phone.sip.call import Call
    from vivavoce.phone.sip.sdp import MediaPlan
    from vivavoce.phone.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a flow.

    Attributes:
        transport: `udp`, `tcp` or `tls`.
        host: An IPv4 or IPv6 literal without brackets, never a name.
        port: 1 to 65535. For a connection that the peer opened, the peer's own port.
    """

    transport: str
    host: str
    port: int

    @property
    def reliable(self) -> bool:
        """Whether the transport delivers without our repeating (TCP, TLS)."""
        return self.transport != "udp"


class Decision:
    """Base of everything the core hands out."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Send(Decision):
    """Send these bytes.

    Attributes:
        data: One whole message.
        to: Where to. On TCP and TLS an open connection with that remote end is used.
        otherwise: On TCP and TLS, where to connect when `to` is no open connection; None when
            nothing may be opened for it (a response goes where the request came from or
            nowhere).
        verify: On TLS, the name the certificate must prove; None for the address itself.
    """

    data: bytes
    to: Address
    otherwise: Address | None = None
    verify: str | None = None


@dataclass(frozen=True, slots=True)
class Resolve(Decision):
    """Look a configured trunk's host up and hand the records to `UserAgent.resolved`.

    Only names from the configuration come here, never one that a packet carried.

    Attributes:
        trunk: The trunk's name, to be handed back.
        host: The name.
        port: The port configured; None asks for SRV (and NAPTR when transport is None).
        transport: The transport configured, None to let NAPTR decide.
    """

    trunk: str
    host: str
    port: int | None
    transport: str | None


@dataclass(frozen=True, slots=True)
class Incoming(Decision):
    """Somebody calls; `ring`, `answer` or `reject` it."""

    call: Call


@dataclass(frozen=True, slots=True)
class Ringing(Decision):
    """The far end rings (180, or 181/182: see `code`)."""

    call: Call
    code: int


@dataclass(frozen=True, slots=True)
class EarlyMedia(Decision):
    """Media may flow before the answer (183 with SDP); a fork's replaces another's."""

    call: Call
    plan: MediaPlan


@dataclass(frozen=True, slots=True)
class Answered(Decision):
    """The call stands, with this media."""

    call: Call
    plan: MediaPlan


@dataclass(frozen=True, slots=True)
class MediaChanged(Decision):
    """Hold, resume, another codec or another address."""

    call: Call
    plan: MediaPlan


@dataclass(frozen=True, slots=True)
class ChangeRefused(Decision):
    """The far end refused our hold, resume or update; media go on as before."""

    call: Call
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Dtmf(Decision):
    """A digit by INFO (`application/dtmf-relay` or `application/dtmf`); duration in ms."""

    call: Call
    digit: str
    duration: int


@dataclass(frozen=True, slots=True)
class Ended(Decision):
    """The call is over: always the last news of a call, exactly once.

    Attributes:
        call: The call.
        code: 200 for a normal end, else the SIP status that ended it (487 cancelled, 408 no
            answer, …).
        reason: A phrase for people.
        remote: Whether the far end did it.
    """

    call: Call
    code: int
    reason: str
    remote: bool


class Outcome(enum.Enum):
    """What became of a transfer."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Transferred(Decision):
    """Our REFER's outcome; `code` is the SIP status it is drawn from."""

    call: Call
    outcome: Outcome
    code: int


@dataclass(frozen=True, slots=True)
class TransferAsked(Decision):
    """The far end asks us to call `target` (only where the trunk allows it).

    Report the outcome with `UserAgent.report_transfer`.
    """

    call: Call
    target: Uri


@dataclass(frozen=True, slots=True)
class Registered(Decision):
    """A trunk is registered for `expires` seconds; 0 after unregistering."""

    trunk: str
    expires: int


@dataclass(frozen=True, slots=True)
class RegistrationFailed(Decision):
    """A trunk is not registered; it is tried again after `retry` seconds."""

    trunk: str
    code: int
    reason: str
    retry: float
