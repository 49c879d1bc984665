"""The board: what a line needs of the station that it belongs to."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from vivavoce.phone.media.thread import MediaLoop
from vivavoce.phone.sip.decisions import Decision
from vivavoce.phone.sip.session import LocalMedia
from vivavoce.phone.sip.ua import UserAgent
from vivavoce.phone.sip.uri import Uri

if TYPE_CHECKING:
    from vivavoce.phone.line import PhoneLine


class Direction(enum.Enum):
    """Who called."""

    IN = "in"
    OUT = "out"


class Board(Protocol):
    """What a line needs of the station that it belongs to."""

    def do(self, decide: Callable[[float], list[Decision]]) -> None:
        """Have the user agent decide at this moment, and carry it out."""

    def media_for(self, line: PhoneLine, port: int) -> LocalMedia:
        """Return what is offered on a line whose RTP port is `port`."""

    def uri(self, line: PhoneLine, number: str) -> Uri:
        """Return the URI of a number or user, on the line's trunk."""

    @property
    def signalling(self) -> UserAgent:
        """The user agent."""

    @property
    def media(self) -> MediaLoop:
        """Where media run."""

    @property
    def media_host(self) -> str:
        """Where RTP ports are bound."""

    @property
    def ports(self) -> range:
        """Where they are taken from."""

    @property
    def silence_limit(self) -> float:
        """Seconds without a packet of the far end's after which the call is over."""
