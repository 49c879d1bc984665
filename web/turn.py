"""STUN and TURN servers, with credentials that soon expire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

from aiortc.rtcconfiguration import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

LIFETIME = 3600.0
"""Seconds that a TURN server's credentials are good for: a long call's."""
_URL = re.compile(r"(?:stuns?|turns?):[^\s?]+(?:\?transport=(?:udp|tcp))?")


@dataclass(frozen=True, slots=True)
class IceServers:
    """The servers that help two sides to find each other.

    TURN's credentials are made by the scheme that coturn calls `use-auth-secret`
    (draft-uberti-behave-turn-rest-00): the user name is when they expire, the password its HMAC
    under a secret that the servers share. Whoever reads them off a page cannot use them for long.

    Attributes:
        urls: "stun:host:port", "turn:host:port?transport=udp", "turns:…".
        secret: TURN's shared secret (coturn's `static-auth-secret`).
        username: A fixed user name instead, with `password`.
        password: Its password.
        lifetime: Of the credentials (s).
    """

    urls: tuple[str, ...] = ()
    secret: str = ""
    username: str = ""
    password: str = ""
    lifetime: float = LIFETIME

    def __post_init__(self) -> None:
        for url in self.urls:
            if not _URL.fullmatch(url):
                raise ValueError(f"{url!r} is no ICE server: give stun:HOST[:PORT] or turn:…")
        if any(url.startswith("turn") for url in self.urls) and not (self.secret or self.username):
            raise ValueError("a TURN server needs a secret (coturn's static-auth-secret)")

    def __repr__(self) -> str:
        return f"<IceServers {', '.join(self.urls) or 'none'}>"

    def for_client(self, wall: float, who: str = "call") -> dict[str, Any]:
        """Return what a browser's `new RTCPeerConnection` takes.

        Args:
            wall: Seconds since 1970.
            who: Stands in the user name, for the TURN server's log.
        """
        expires = int(wall + self.lifetime)
        stun = [url for url in self.urls if url.startswith("stun")]
        turn = [url for url in self.urls if url.startswith("turn")]
        servers: list[dict[str, Any]] = [{"urls": stun}] if stun else []
        if turn:
            username, password = self._credentials(expires, who)
            servers.append({"urls": turn, "username": username, "credential": password})
        return {"iceServers": servers, "expires": expires}

    def for_aioice(self) -> dict[str, Any]:
        """Return what aioice's `Connection` takes: a server is reached itself, so STUN is enough.

        A server behind a NAT that maps no ports would need TURN: then its clients use it.
        """
        stun = [RTCIceServer(url) for url in self.urls if url.startswith("stun:")][:1]
        return connection_kwargs(stun)

    def _credentials(self, expires: int, who: str) -> tuple[str, str]:
        if not self.secret:
            return self.username, self.password
        username = f"{expires}:{who}"
        digest = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return username, base64.b64encode(digest).decode()
