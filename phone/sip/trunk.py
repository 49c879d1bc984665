"""A trunk: one carrier, PBX or peer that calls come from and go to, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vivavoce.phone.sip import sdp
from vivavoce.phone.sip.auth import Credentials
from vivavoce.phone.sip.resolve import valid_name
from vivavoce.phone.sip.session import Srtp
from vivavoce.phone.sip.uri import DEFAULT_PORT, Uri, ip_literal

CODECS = {codec.name.upper(): codec for codec in (sdp.G722, sdp.PCMU, sdp.PCMA, sdp.OPUS)}
"""What may be spoken, by upper-case name."""

USUAL = ("G722", "PCMU", "PCMA")
"""What is offered unless told otherwise: wideband first, for it is understood better."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """One trunk.

    Attributes:
        name: What we call it.
        host: Its host: a name (looked up) or an IP literal.
        port: Its port; None asks SRV, or is the transport's usual one.
        transport: `udp`, `tcp` or `tls`; None asks NAPTR, or is `udp`.
        user: The user part of our From and Contact: a number or an account.
        credentials: What we prove ourselves with; its user may differ from `user`.
        register: Whether to register there.
        expires: Registration time asked for, s.
        allow: Networks (CIDR) that it sends from, besides the addresses of `host`.
        max_calls: Most calls at once over it.
        refer: Numbers, users or URIs that it may have us call instead of it (REFER), as
            `Policy.numbers` has them: every such call costs us. Empty: none.
        domain: The host of From and To, when it is not `host`.
        public: Our IP address as this trunk sees it, where a NAT stands between; "" for the
            one that everybody sees.
        codecs: What is offered and taken, best first: names out of `CODECS`.
        srtp: Whether media are encrypted.
        numbers: The numbers (or users) that come in over it, and the name of the agent that
            answers each; `"*"` for any other. Empty: the first agent answers all.
    """

    name: str
    host: str
    port: int | None = None
    transport: str | None = "udp"
    user: str = ""
    credentials: Credentials | None = None
    register: bool = False
    expires: int = 300
    allow: tuple[str, ...] = ()
    max_calls: int = 50
    refer: tuple[str, ...] = ()
    domain: str = field(default="")
    public: str = ""
    codecs: tuple[str, ...] = USUAL
    srtp: Srtp = Srtp.OFF
    numbers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"trunk {self.name!r}"
        if ip_literal(self.host) is None and not valid_name(self.host):
            raise ValueError(f"{where}: {self.host!r} is neither a host name nor an IP address")
        if self.transport is not None and self.transport not in DEFAULT_PORT:
            raise ValueError(f"{where}: transport is udp, tcp or tls, not {self.transport!r}")
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError(f"{where}: port {self.port} is not 1 to 65535")
        if self.register and not self.user:
            raise ValueError(f"{where}: to register it needs a user")
        if self.max_calls < 1 or self.expires < 60:
            raise ValueError(f"{where}: max_calls is at least 1, expires at least 60 s")
        if self.public and ip_literal(self.public) is None:
            raise ValueError(f"{where}: public is an IP address, not {self.public!r}")
        formats(self.codecs, where)

    @property
    def formats(self) -> tuple[sdp.Codec, ...]:
        """Its codecs as they are offered."""
        return formats(self.codecs)

    @property
    def named(self) -> bool:
        """Whether its host has to be looked up."""
        return ip_literal(self.host) is None

    def uri(self, user: str) -> Uri:
        """Return the URI of a user or number there."""
        # A port in the address-of-record would make it another one (§10.3): only a target
        # that is told apart by its port alone keeps it.
        host = self.domain or ip_literal(self.host) or self.host.lower()
        port = self.port if not self.domain and self.port not in {None, 5060, 5061} else None
        return Uri("sip", user or None, host, port)


def formats(names: tuple[str, ...], where: str = "codecs") -> tuple[sdp.Codec, ...]:
    """Return the payload formats that some names stand for.

    Raises:
        ValueError: A name is unknown, or there is none.
    """
    unknown = [name for name in names if name.upper() not in CODECS]
    if unknown or not names:
        raise ValueError(f"{where}: choose codecs out of {', '.join(CODECS)}, not {unknown}")
    return tuple(CODECS[name.upper()] for name in names)
