"""SRTP with keys from the SDP (RFC 3711, RFC 4568 "SDES"), by libsrtp.

The keys travel in the signalling, so that is to be TLS. A packet that fails authentication, or
repeats one that was seen, is counted and never heard.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

import pylibsrtp

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
"""The crypto suites that are spoken here."""

KEY_SIZE = 30
"""Bytes of master key (16) and salt (14)."""

_ATTRIBUTE = re.compile(
    r"(?:a=)?(?:crypto:)?\s*(\d{1,9})\s+([A-Za-z0-9_]+)\s+(\S+)((?:\s+\S+)*)\s*"
)
_MAX_PACKET = 1300  # libsrtp's binding holds 1500 bytes, trailer included


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto` line.

    Attributes:
        tag: Which of the offered lines; the answer repeats it.
        suite: One of `SUITES`.
        key: Master key and salt, 30 bytes; not shown when printed.
    """

    tag: int
    suite: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            raise ValueError(
                f"SRTP suite {self.suite} is not spoken here: use {', '.join(SUITES)}."
            )
        if len(self.key) != KEY_SIZE:
            raise ValueError(f"An SRTP key and salt are {KEY_SIZE} bytes, not {len(self.key)}.")

    @classmethod
    def make(cls, tag: int = 1, suite: str = "AES_CM_128_HMAC_SHA1_80") -> Crypto:
        """Make a line with a fresh key, for an offer, or for the answer to an offered tag."""
        return cls(tag, suite, secrets.token_bytes(KEY_SIZE))

    @classmethod
    def parse(cls, line: str) -> Crypto:
        """Read the value of an `a=crypto` line, the attribute's name before it or not.

        Raises:
            ValueError: It is malformed, or asks for what is not done here: another suite,
                several keys, a master key identifier, session parameters. Such a line is to
                be passed over for the next one offered (RFC 4568 §5.1.2). The error never
                shows the key.
        """
        match = _ATTRIBUTE.fullmatch(line)
        if match is None:
            raise ValueError("An SDP crypto line reads: tag suite inline:key.")
        tag, suite, parameters, session = match.groups()
        # Both of these only say what the sender will do less of; all else changes the packets.
        unknown = [word for word in session.split() if not re.fullmatch(r"(?:KDR=0|WSH=\d+)", word)]
        if unknown:
            raise ValueError(f"SRTP session parameters are not spoken here: {' '.join(unknown)}.")
        if not parameters.lower().startswith("inline:") or ";" in parameters:
            raise ValueError("SRTP takes one key, written inline:… .")
        encoded, *rest = parameters[len("inline:") :].split("|")
        if any(":" in part for part in rest):
            raise ValueError("SRTP master key identifiers (MKI) are not spoken here.")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("The SRTP key in an SDP crypto line is not base64.") from None
        return cls(int(tag), suite, key)

    def line(self) -> str:
        """Make the value of the `a=crypto` line. It holds the key: keep it out of logs."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(slots=True)
class SrtpCounts:
    """What was refused.

    Attributes:
        forged: Failed authentication: a wrong key, or somebody else's packet.
        replayed: Seen before, or too old to tell.
        malformed: No SRTP at all.
    """

    forged: int = 0
    replayed: int = 0
    malformed: int = 0


class Srtp:
    """Both directions of one call.

    Args:
        local: Whose key we protect with: the line that we sent.
        remote: Whose key the other side protects with: the line that it sent.

    Attributes:
        counts: What was refused.
    """

    def __init__(self, local: Crypto, remote: Crypto) -> None:
        self.counts = SrtpCounts()
        self._out = _session(local, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._in = _session(remote, pylibsrtp.Policy.SSRC_ANY_INBOUND)

    def protect(self, packet: bytes) -> bytes:
        """Encrypt and sign an RTP packet.

        Raises:
            ValueError: It is too long, or its number was used before.
        """
        return _run(self._out.protect, packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt and sign an RTCP compound."""
        return _run(self._out.protect_rtcp, packet)

    def unprotect(self, packet: bytes) -> bytes | None:
        """Verify and decrypt an RTP packet; None, and counted, if it is not the peer's."""
        return self._verify(packet, rtcp=False)

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """Verify and decrypt an RTCP compound; None, and counted, if it is not the peer's."""
        return self._verify(packet, rtcp=True)

    def _verify(self, packet: bytes, *, rtcp: bool) -> bytes | None:
        if not 8 <= len(packet) <= 1500:
            self.counts.malformed += 1
            return None
        try:
            opened: bytes = (self._in.unprotect_rtcp if rtcp else self._in.unprotect)(packet)
        except pylibsrtp.Error as error:
            # The binding tells its errors apart by their words only.
            reason = str(error)
            if "authentication" in reason:
                self.counts.forged += 1
            elif "replay" in reason or "index" in reason:
                self.counts.replayed += 1
            else:
                self.counts.malformed += 1
            return None
        return opened


def _session(crypto: Crypto, direction: int) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(
        key=crypto.key, ssrc_type=direction, srtp_profile=SUITES[crypto.suite]
    )
    policy.window_size = 128
    return pylibsrtp.Session(policy)


def _run(protect: object, packet: bytes) -> bytes:
    assert callable(protect)
    if len(packet) > _MAX_PACKET:
        raise ValueError(f"A packet of {len(packet)} bytes is too long for SRTP: send less audio.")
    try:
        sealed: bytes = protect(packet)
    except pylibsrtp.Error as error:
        raise ValueError(f"SRTP refused a packet of ours: {error}.") from error
    return sealed
