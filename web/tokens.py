"""Call tokens: leave to begin one call, signed, soon over. Pure.

A token is three parts joined by dots: `vv1`, its claims as JSON in base64url, and the HMAC-SHA256
of the two before, likewise. An application's own server makes them, for a caller that it knows;
the page that gets one can begin one call with it and nothing else. One for a room lets any number
of people join that room, as long as it is good: it is what a link to the room bears.

An operator's token is a kind of its own (`vvo1`, under another key): it opens the operator's view,
again and again until it is over, and begins no call; a call token never opens the view.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

PREFIX = "vv1"
OPERATOR = "vvo1"
LIFETIME = 120.0
"""Seconds that a token is good for, unless it is told otherwise."""
LONGEST = 3600.0
"""The most."""
WATCH = 3_600.0
"""Seconds that an operator's token is good for, unless it is told otherwise."""
LONGEST_WATCH = 43_200.0
"""The most: a long shift."""
LONGEST_ROOM = 86_400.0
"""Likewise of a token for one room: as long as a session may last."""
SHORTEST_SECRET = 32
"""Characters of the secret that tokens are signed with."""
LARGEST = 2_000
"""Characters of a token."""


class TokenError(ValueError):
    """A token does not open anything. `used` says that it did once."""

    def __init__(self, text: str, *, used: bool = False) -> None:
        super().__init__(text)
        self.used = used


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says.

    Attributes:
        id: Names it; it begins a call once.
        expires: When it is over (seconds since 1970).
        agent: Whom it may call; "" for any.
        origin: From which pages, as "https://shop.example"; "" for any that the server allows.
        caller: Who calls, for limits, records and tools (`call.caller`).
        room: The one room that it opens, again and again; "" for a call.
        listens: In that room it lets nobody speak.
    """

    id: str
    expires: float
    agent: str = ""
    origin: str = ""
    caller: str = ""
    room: str = ""
    listens: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """What an operator's token says.

    Attributes:
        expires: When it is over (seconds since 1970).
        name: Who it is, for the log.
        agent: Whose calls they may see; "" for all.
    """

    expires: float
    name: str = ""
    agent: str = ""


class Signer:
    """Makes and reads tokens.

    Args:
        secret: Shared by all servers of one service; at least 32 characters, by chance.

    Raises:
        ValueError: The secret is too short.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(
                f"the secret has {len(secret)} characters: give {SHORTEST_SECRET} or more, as"
                " from `openssl rand -hex 32`"
            )
        # A key of its own for each use of the secret.
        self._key = hmac.digest(secret.encode(), b"vivavoce call token", hashlib.sha256)
        self._operator = hmac.digest(secret.encode(), b"vivavoce operator token", hashlib.sha256)
        self._service = hmac.digest(secret.encode(), b"vivavoce service", hashlib.sha256)
        self._scrape = hmac.digest(secret.encode(), b"vivavoce metrics", hashlib.sha256)

    def __repr__(self) -> str:
        return "<Signer>"

    def issue(
        self,
        wall: float,
        *,
        agent: str = "",
        origin: str = "",
        caller: str = "",
        lifetime: float = LIFETIME,
    ) -> str:
        """Make a token.

        Args:
            wall: Seconds since 1970.
            agent: Whom it may call; "" for any.
            origin: From which pages; "" for any that the server allows.
            caller: Who calls.
            lifetime: How long it is good for (s).

        Raises:
            ValueError: It would be too long, in time or in characters.
        """
        if not 0 < lifetime <= LONGEST:
            raise ValueError(f"a token's lifetime is 1 to {LONGEST:g} s, not {lifetime:g}")
        claims = {
            "id": secrets.token_urlsafe(12),
            "exp": round(wall + lifetime, 3),
            **{k: v for k, v in (("agt", agent), ("org", origin), ("sub", caller)) if v},
        }
        return self._write(PREFIX, claims)

    def issue_room(
        self, wall: float, room: str, *, agent: str, listens: bool = False, lifetime: float
    ) -> str:
        """Make a token for a room.

        Args:
            wall: Seconds since 1970.
            room: Its id.
            agent: The interpreter's name.
            listens: Who comes with it may listen and not speak.
            lifetime: How long it is good for (s).

        Raises:
            ValueError: It would be too long, in time or in characters.
        """
        if not 0 < lifetime <= LONGEST_ROOM:
            text = f"a room's token's lifetime is 1 to {LONGEST_ROOM:g} s, not {lifetime:g}"
            raise ValueError(text)
        claims: dict[str, Any] = {
            "id": secrets.token_urlsafe(12),
            "exp": round(wall + lifetime, 3),
            "agt": agent,
            "rom": room,
        }
        return self._write(PREFIX, claims | ({"lis": 1} if listens else {}))

    def issue_operator(
        self, wall: float, *, name: str = "", agent: str = "", lifetime: float = WATCH
    ) -> str:
        """Make an operator's token.

        Args:
            wall: Seconds since 1970.
            name: Who it is, for the log.
            agent: Whose calls they may see; "" for all.
            lifetime: How long it is good for (s).

        Raises:
            ValueError: It would be too long, in time or in characters.
        """
        if not 0 < lifetime <= LONGEST_WATCH:
            text = f"an operator's token's lifetime is 1 to {LONGEST_WATCH:g} s, not {lifetime:g}"
            raise ValueError(text)
        claims = {
            "exp": round(wall + lifetime, 3),
            **{k: v for k, v in (("agt", agent), ("sub", name)) if v},
        }
        return self._write(OPERATOR, claims)

    def read(self, token: str, wall: float) -> Claims:
        """Check a token's signature and time, and read it.

        Raises:
            TokenError: It is none of ours, or it is over.
        """
        claims = self._open(PREFIX, token, wall, "call token")
        return Claims(
            str(claims["id"]),
            float(claims["exp"]),
            str(claims.get("agt", "")),
            str(claims.get("org", "")),
            str(claims.get("sub", "")),
            str(claims.get("rom", "")),
            bool(claims.get("lis")),
        )

    def read_operator(self, token: str, wall: float) -> Operator:
        """Check an operator's token, and read it.

        Raises:
            TokenError: It is none of ours, none of an operator's, or it is over.
        """
        claims = self._open(OPERATOR, token, wall, "operator's token")
        return Operator(
            float(claims["exp"]), str(claims.get("sub", "")), str(claims.get("agt", ""))
        )

    def is_service(self, key: str) -> bool:
        """Whether a key is the one by which an application's server asks for tokens."""
        return hmac.compare_digest(key.encode(), self.service_key.encode())

    @property
    def service_key(self) -> str:
        """The key by which an application's server asks for tokens (`POST /api/tokens`)."""
        return f"vvs-{_encode(self._service)}"

    def may_scrape(self, key: str) -> bool:
        """Whether a key is the one by which the metrics are read."""
        return hmac.compare_digest(key.encode(), self.scrape_key.encode())

    @property
    def scrape_key(self) -> str:
        """The key by which the metrics are read (`GET /metrics`); it opens nothing else."""
        return f"vvm-{_encode(self._scrape)}"

    def _write(self, prefix: str, claims: dict[str, Any]) -> str:
        body = _encode(json.dumps(claims, separators=(",", ":")).encode())
        token = f"{prefix}.{body}.{_encode(self._sign(prefix, body))}"
        if len(token) > LARGEST:
            raise ValueError("a token's agent, origin and caller are names, not texts")
        return token

    def _open(self, prefix: str, token: str, wall: float, what: str) -> dict[str, Any]:
        parts = token.split(".") if len(token) <= LARGEST and token.isascii() else []
        if len(parts) != 3 or parts[0] != prefix:
            raise TokenError(f"this is no {what}")
        # The text is compared, not the bytes it stands for: several texts stand for the same.
        signed = _encode(self._sign(prefix, parts[1]))
        if not hmac.compare_digest(parts[2].encode(), signed.encode()):
            raise TokenError(f"the {what} was not signed by this service")
        claims: dict[str, Any] = json.loads(_decode(parts[1]))
        if wall >= float(claims["exp"]):
            raise TokenError(f"the {what} has expired: get another one")
        return claims

    def _sign(self, prefix: str, body: str) -> bytes:
        key = self._operator if prefix == OPERATOR else self._key
        return hmac.digest(key, f"{prefix}.{body}".encode(), hashlib.sha256)


class Used:
    """Remembers which tokens have begun a call, for as long as they are good."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def spend(self, claims: Claims, wall: float) -> None:
        """Use a token up.

        Raises:
            TokenError: It was used before.
        """
        if len(self._until) > 1_000:
            self._until = {ident: at for ident, at in self._until.items() if at > wall}
        if claims.id in self._until:
            raise TokenError("the call token has begun a call already: get another one", used=True)
        self._until[claims.id] = claims.expires

    def give_back(self, claims: Claims) -> None:
        """The call did not begin after all, and not by the client's fault: it may try again."""
        self._until.pop(claims.id, None)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
