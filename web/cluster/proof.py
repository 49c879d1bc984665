"""Proofs: how a worker knows that a request comes from a front of its cluster. Pure.

`X-Vivavoce-Proof: MILLISECONDS.MAC`, where MAC is the HMAC-SHA256, under a key that follows from
the cluster's, of the time, the worker's name, the method, the path with its query, the client's
address and which call begins. So whoever sees one cannot ask anything else with it, ask another
worker, or come from another address; it is good for half a minute. Bodies are not in it, and what
is sent can be read: fronts and workers talk on loopback or in a network of their own.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from vivavoce.web.tokens import SHORTEST_SECRET

PROOF = "X-Vivavoce-Proof"
ADDRESS = "X-Vivavoce-Address"
"""The client's address, as the front found it."""
BEGINS = "X-Vivavoce-Begins"
"""That a call begins, and what its front calls it: a worker that has no room refuses before it does
anything, and tells of one that it has let in."""
OURS = frozenset({PROOF.lower(), ADDRESS.lower(), BEGINS.lower()})
"""Headers that no client may send."""
GOOD = 30.0
"""Seconds for which a proof is good, either way: machines' clocks differ."""
KEY = "VIVAVOCE_CLUSTER_KEY"
"""The environment's variable with the cluster's key."""


class ProofError(Exception):
    """A request does not come from the cluster."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a proof is of.

    Attributes:
        worker: Who is asked.
        method: How.
        target: The path with its query, as it is in the request.
        address: The client's address; "" where the front itself asks.
        begins: What the front calls the call that begins; "" where none does.
    """

    worker: str
    method: str
    target: str
    address: str = ""
    begins: str = ""


class Seal:
    """Makes and checks proofs.

    Args:
        key: The cluster's; at least 32 characters, by chance.

    Raises:
        ValueError: It is too short.
    """

    def __init__(self, key: str) -> None:
        if len(key) < SHORTEST_SECRET:
            raise ValueError(
                f"the cluster's key ({KEY}) has {len(key)} characters: give {SHORTEST_SECRET} or"
                " more, as from `openssl rand -hex 32`"
            )
        self._key = hmac.digest(key.encode(), b"vivavoce cluster", hashlib.sha256)

    def __repr__(self) -> str:
        return "<Seal>"

    def headers(self, asked: Asked, wall: float) -> dict[str, str]:
        """Return the headers that prove a request.

        Args:
            asked: The request.
            wall: Seconds since 1970.
        """
        stamp = str(int(wall * 1000))
        made = {PROOF: f"{stamp}.{self._mac(asked, stamp)}"}
        if asked.address:
            made[ADDRESS] = asked.address
        if asked.begins:
            made[BEGINS] = asked.begins
        return made

    def check(self, proof: str, asked: Asked, wall: float) -> None:
        """Check a request's proof.

        Raises:
            ProofError: It has none, or one of something else, or an old one.
        """
        stamp, _, mac = proof.partition(".")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 16):
            raise ProofError("this server is behind a front: ask that")
        if not hmac.compare_digest(mac.encode(), self._mac(asked, stamp).encode()):
            raise ProofError("this request was not made by a front of this cluster")
        if abs(wall - int(stamp) / 1000) > GOOD:
            raise ProofError("the front's clock and this one's differ: use NTP")

    def _mac(self, asked: Asked, stamp: str) -> str:
        what = f"{asked.worker}\n{asked.method}\n{asked.target}\n{asked.address}\n{asked.begins}"
        text = f"{stamp}\n{what}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, text, hashlib.sha256).hex()
