"""One connection of Voxtral 3's speech socket, from the client's side.

Protocol page §3: text goes in, sound comes out, one generation after the other. Pure: it makes
the messages to send and reads those that come; `speech_socket` moves them. There is no message to
cancel a generation with.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from vivavoce.pipelines.models.errors import Kind, ModelError, kind_of_status
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.sound import Sound

_CLOSES: dict[int, Kind] = {1008: "refused", 1013: "busy", 1012: "broken"}
# Codes of error events, as far as they are known; others are taken by when they come.
_CODES: dict[int, Kind] = {1300: "busy", 1401: "auth", 1500: "refused", 3804: "timeout"}


def kind_of_close(code: int | None, reason: str) -> Kind:
    """Return which failure a close frame stands for; None is a connection that broke."""
    if code == 1008 and any(word in reason.lower() for word in ("unauthor", "api key", "token")):
        return "auth"
    return _CLOSES.get(code or 0, "broken")


@dataclass(slots=True)
class SpeechSession:
    """A session: the settings that it has, and the generation that is under way.

    Attributes:
        open: The server has told that it is.
        settings: What was asked for last, as sent.
        speaking: A generation is under way.
        spoken: It has given sound.
        usage: What the last one cost, as told.
    """

    open: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    speaking: bool = False
    spoken: bool = False
    usage: dict[str, Any] = field(default_factory=dict)
    _sound: Sound = field(default_factory=lambda: Sound("f32"))
    _unconfirmed: bool = False

    def say(self, text: str, settings: dict[str, Any]) -> list[str]:
        """Begin a generation; return the messages that ask for it.

        The settings need not be waited for: the session takes messages in order, and sound that
        comes before they are confirmed is none of this generation's.

        Args:
            text: All of it.
            settings: Voice and so on; sent where they are not those of the generation before.

        Raises:
            RuntimeError: If one is under way, or the session is not open.
        """
        if not self.open or self.speaking:
            raise RuntimeError("a session that is not open or speaks already takes no text")
        messages: list[dict[str, Any]] = []
        if settings != self.settings:
            messages.append({"type": "session.update", "session": settings})
            self.settings, self._unconfirmed = settings, True
        messages.append({"type": "input_text.flush", "text": text})
        self.speaking, self.spoken = True, False
        self._sound = Sound("f32")
        return [json.dumps(message) for message in messages]

    def receive(self, message: str | bytes) -> Samples | None:
        """Take a message; return the samples that it completes, if it is about sound.

        Raises:
            ModelError: If it tells an error, or is none that can be read.
        """
        try:
            event = json.loads(message)
            return self._handle(event, event["type"])
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ModelError(
                "speaking", "broken", f"the speech socket sent what cannot be read: {error}"
            ) from error

    def _handle(self, event: dict[str, Any], kind: str) -> Samples | None:
        if kind == "session.created":
            self.open = True
        elif kind == "session.updated":
            self._unconfirmed = False
        elif kind == "speech.audio.delta" and self.speaking and not self._unconfirmed:
            samples = self._sound.feed(base64.b64decode(event["audio_data"], validate=True))
            self.spoken = self.spoken or bool(len(samples))
            return samples
        elif kind == "speech.audio.done" and self.speaking and not self._unconfirmed:
            self.speaking = False
            self.usage = dict(event.get("usage") or {})
            return self._sound.finish()
        elif kind == "error":
            raise self._failure(event.get("error"))
        return None

    def _failure(self, error: Any) -> ModelError:
        """Make an error of an error event; behind it, the session is not used again."""
        self.speaking = False
        told = error if isinstance(error, dict) else {"message": error}
        message, code = told.get("message"), told.get("code")
        if isinstance(message, dict):
            message = message.get("detail", message)
        kind: Kind = "broken" if self.spoken else "refused"
        if isinstance(code, int):
            kind = _CODES.get(code) or (kind_of_status(code) if 400 <= code < 600 else kind)
        return ModelError(
            "speaking", kind, f"the speech socket answered {code}: {str(message)[:200]}"
        )
