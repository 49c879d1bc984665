"""RTVI: the messages of a browser's data channel, read and written. Pure.

The envelope and the messages that pipecat's client SDKs know are those of
https://docs.pipecat.ai/client/rtvi-standard; docs/web.md has all of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, get_args

from vivavoce.agent.interpreter import Original

LABEL = "rtvi-ai"
VERSION = "2.2.0"
"""The protocol's version that we speak."""
LONGEST_TEXT = 4_000
"""Characters that a caller may type at a time."""
LONGEST_KEYS = 32
_ORIGINALS: tuple[Original, ...] = get_args(Original)


class RtviError(ValueError):
    """A message cannot be understood; `id` says which, for the answer."""

    def __init__(self, text: str, ident: str = "") -> None:
        super().__init__(text)
        self.id = ident


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a client asks for.

    Attributes:
        id: Names it, for the answer; may be empty.
        what: The `client-message`'s `t`, "" where it is a message of RTVI's own: no answer then.
    """

    id: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Ready(Command):
    """The client listens from now on."""


@dataclass(frozen=True, slots=True)
class Typed(Command):
    """The caller typed a text; `now` says whether it cuts what is being said."""

    text: str = ""
    now: bool = True


@dataclass(frozen=True, slots=True)
class Leave(Command):
    """The caller hangs up."""


@dataclass(frozen=True, slots=True)
class Keys(Command):
    """The caller pressed keys."""

    keys: str = ""


@dataclass(frozen=True, slots=True)
class Mute(Command):
    """The caller is not to be listened to, or is again."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Interrupt(Command):
    """What is being said is to be cut."""


@dataclass(frozen=True, slots=True)
class Hold(Command):
    """The caller puts the call on hold, or takes it back."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Language(Command):
    """The agent is to speak another language."""

    language: str = ""


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """The caller agrees that their voice is copied, or agrees no more."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Captions(Command):
    """The caller reads what others say, and hears nothing of it; or hears it again."""

    on: bool = True


@dataclass(frozen=True, slots=True)
class Playout(Command):
    """How long after its arrival sound is heard (s)."""

    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Beneath(Command):
    """How the speaker's own voice is to be heard beneath a translation: "ducked", "off", "full"."""

    original: Original = "ducked"


@dataclass(frozen=True, slots=True)
class Passed(Command):
    """A message for the application."""

    message: Any = None


@dataclass(frozen=True, slots=True)
class Ask(Command):
    """The client asks what there is so far."""


@dataclass(frozen=True, slots=True)
class Ping(Command):
    """A sign of life; `what` is to be sent back."""


def read(text: str) -> Command | None:
    """Read a client's message; None where it asks for nothing.

    Raises:
        RtviError: It is none, or asks for what there is not.
    """
    if text.startswith("ping:"):
        return None  # pipecat's transport: it takes an answer for a broken message
    if text.startswith("ping"):
        return Ping(what=f"pong{text[4:40]}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise RtviError("a message is JSON: {'label': 'rtvi-ai', 'type': …}") from None
    if not isinstance(message, dict):
        raise RtviError("a message is a JSON object")
    kind = message.get("type")
    ident = message.get("id")
    ident = ident[:128] if isinstance(ident, str) else ""
    data = message.get("data")
    data = data if isinstance(data, dict) else {}
    match kind:
        case "client-ready":
            return Ready(ident)
        case "disconnect-bot":
            return Leave(ident)
        case "send-text":
            options = data.get("options")
            now = options.get("run_immediately", True) if isinstance(options, dict) else True
            return Typed(ident, "", _text(data.get("content"), "content", ident), bool(now))
        case "client-message":
            return _ours(ident, data)
        case "signalling":
            # pipecat's transport tells which tracks are on: a track that is off sends silence.
            return None
        case str():
            # What other bots answer (and later versions add) is no error of the client's.
            return None
    raise RtviError("a message has a type, as 'client-ready'", ident)


def _ours(ident: str, data: dict[str, Any]) -> Command:
    what, given = data.get("t"), data.get("d")
    fields = given if isinstance(given, dict) else {}
    match what:
        case "key":
            return Keys(ident, what, _text(fields.get("key"), "key", ident)[:LONGEST_KEYS])
        case "mute":
            return Mute(ident, what, _flag(fields, ident))
        case "interrupt":
            return Interrupt(ident, what)
        case "hold":
            return Hold(ident, what, _flag(fields, ident))
        case "language":
            return Language(ident, what, _text(fields.get("language"), "language", ident)[:16])
        case "copy":
            return Copy(ident, what, _flag(fields, ident))
        case "captions":
            return Captions(ident, what, _flag(fields, ident))
        case "playout":
            delay = fields.get("delay")
            if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= 2:
                raise RtviError("playout takes a delay of 0 to 2 s", ident)
            return Playout(ident, what, float(delay))
        case "original":
            for original in _ORIGINALS:
                if fields.get("original") == original:
                    return Beneath(ident, what, original)
            raise RtviError(f"original is one of {', '.join(_ORIGINALS)}", ident)
        case "send":
            return Passed(ident, what, given)
        case "snapshot":
            return Ask(ident, what)
    raise RtviError(f"there is no client-message {str(what)[:40]!r}", ident)


def _text(value: object, name: str, ident: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RtviError(f"{name} is a text", ident)
    if len(value) > LONGEST_TEXT:
        raise RtviError(f"{name} has at most {LONGEST_TEXT} characters, not {len(value)}", ident)
    return value.strip()


def _flag(fields: dict[str, Any], ident: str) -> bool:
    on = fields.get("on", True)
    if not isinstance(on, bool):
        raise RtviError("on is true or false", ident)
    return on


def write(kind: str, data: Any = None, ident: str = "") -> str:
    """Write a message.

    Args:
        kind: Its type.
        data: Its data; None for none.
        ident: Names it; an answer bears the name of what it answers.
    """
    message: dict[str, Any] = {"label": LABEL, "type": kind}
    if ident:
        message["id"] = ident
    if data is not None:
        message["data"] = data
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=str)


def done(command: Command) -> str:
    """Answer a command that was carried out."""
    return write("server-response", {"t": command.what, "d": {"ok": True}}, command.id)


def refused(why: str, ident: str, code: str = "") -> str:
    """Answer a command that could not be.

    Args:
        why: What is wrong.
        ident: Of the client's message.
        code: The same in a word for programs; "" where there is none.
    """
    return write("error-response", {"error": why, **({"code": code} if code else {})}, ident)


def ready(ident: str, version: str) -> str:
    """Answer `client-ready`.

    Args:
        ident: Of the client's message.
        version: Ours.
    """
    about = {"library": "vivavoce", "library_version": version}
    return write("bot-ready", {"version": VERSION, "about": about}, ident)


def event(data: dict[str, Any]) -> str:
    """Write one of our own events."""
    return write("server-message", data)
