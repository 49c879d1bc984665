"""OpenAI's Realtime protocol, as its general availability has it: events of a call. Pure.

https://platform.openai.com/docs/api-reference/realtime-server-events. What the model hears, says
and decides is our agent's; the events say so in the words that stock clients know.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from vivavoce.agent.call import Call
from vivavoce.agent.events import (
    AgentSaid,
    AgentStarted,
    CallerPartial,
    CallerSaid,
    CallerStarted,
    CallerStopped,
    Event,
    Failed,
    KeyPressed,
)
from vivavoce.agent.transcript import Reply

Message = dict[str, Any]

AHEAD = 1.0
"""Seconds of sound that are kept until the reply that they belong to is known."""
FORMATS = {"audio/pcm": 24_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
"""Sound formats and their sample rates (Hz)."""


def new_id(kind: str) -> str:
    """Make up a name, as "item_…"."""
    return f"{kind}_{secrets.token_hex(10)}"


def error(message: str, code: str, event_id: str | None = None) -> Message:
    """Say that a client's event cannot be carried out; the session goes on."""
    problem = {"type": "invalid_request_error", "code": code, "message": message}
    return {"type": "error", "error": {**problem, "param": None, "event_id": event_id}}


class Session:
    """Turns a call's events into server events.

    Args:
        model: What the client calls the agent.

    Attributes:
        id: Names the session.
        settings: The session as the client has set it.
        text_only: The client wants no sound.
    """

    def __init__(self, model: str) -> None:
        self.id = new_id("sess")
        self.model = model
        self.text_only = False
        self.settings: Message = {
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24_000},
                    "transcription": {"model": "voxtral"},
                    "turn_detection": {
                        "type": "semantic_vad",
                        "create_response": True,
                        "interrupt_response": True,
                    },
                    "noise_reduction": None,
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "speed": 1.0},
            },
        }
        self._items: list[str] = []
        self._speech = ""  # the item of the caller's present turn
        self._understood = ""
        self._reply: Reply | None = None
        self._response = self._item = ""
        self._told = ""
        self._sent = 0.0  # seconds of the reply's sound
        self._early: list[bytes] = []
        self._early_time = 0.0

    def describe(self) -> Message:
        """Return the session as clients know it."""
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": self.id,
            "model": self.model,
            **self.settings,
        }

    def created(self) -> list[Message]:
        """Begin."""
        conversation = {"id": new_id("conv"), "object": "realtime.conversation"}
        return [
            {"type": "session.created", "session": self.describe()},
            {"type": "conversation.created", "conversation": conversation},
        ]

    def update(self, given: Message) -> tuple[str, str]:
        """Take a `session.update`; return the formats of the sound heard and said.

        Raises:
            ValueError: There is no such format.
        """
        audio = given.get("audio")
        audio = audio if isinstance(audio, dict) else {}
        now = self.settings["audio"]
        formats = []
        for side in ("input", "output"):
            asked = audio.get(side)
            merged = {**now[side], **(asked if isinstance(asked, dict) else {})}
            kind = merged.get("format")
            name = kind.get("type") if isinstance(kind, dict) else None
            if name not in FORMATS:
                raise ValueError(f"audio.{side}.format.type is one of {', '.join(FORMATS)}")
            formats.append((side, merged, str(name)))
        for side, merged, _ in formats:
            now[side] = merged
        for key in ("instructions", "tools", "tool_choice", "output_modalities", "model"):
            if key in given and key != "model":
                self.settings[key] = given[key]
        modalities = self.settings["output_modalities"]
        self.text_only = isinstance(modalities, list) and modalities == ["text"]
        return formats[0][2], formats[1][2]

    # What happens.

    def event(self, event: Event, call: Call[Any]) -> list[Message]:
        """Tell of an event."""
        milliseconds = max(0, round(event.at * 1000))
        match event:
            case CallerStarted():
                self._speech, self._understood = self._speech or new_id("item"), ""
                return [
                    {
                        "type": "input_audio_buffer.speech_started",
                        "audio_start_ms": milliseconds,
                        "item_id": self._speech,
                    }
                ]
            case CallerStopped():
                self._speech = self._speech or new_id("item")
                return [
                    {
                        "type": "input_audio_buffer.speech_stopped",
                        "audio_end_ms": milliseconds,
                        "item_id": self._speech,
                    }
                ]
            case CallerPartial(text=text):
                return self._partial(text)
            case CallerSaid(utterance=utterance) if utterance.why_ended != "typed":
                return self._said(utterance.text, utterance.ended - utterance.started)
            case AgentStarted(reply=reply):
                return self._begin(reply)
            case AgentSaid(reply=reply):
                return self._end(reply)
            case KeyPressed(key=key):
                return [
                    {
                        "type": "input_audio_buffer.dtmf_event_received",
                        "event": key,
                        "received_at": milliseconds // 1000,
                    }
                ]
            case Failed(failure=failure):
                problem = {"type": "server_error", "code": failure.stage}
                return [{"type": "error", "error": {**problem, "message": failure.message}}]
        del call
        return []

    def watch(self) -> list[Message]:
        """Tell what the reply has grown by."""
        reply = self._reply
        if reply is None or not reply.generated.startswith(self._told):
            return []
        piece = reply.generated[len(self._told) :]
        if not piece:
            return []
        self._told = reply.generated
        kind = "response.output_text.delta" if self.text_only else ""
        kind = kind or "response.output_audio_transcript.delta"
        return [{"type": kind, "delta": piece, **self._place()}]

    def sound(self, payload: bytes, seconds: float, *, audible: bool) -> list[Message]:
        """Send a piece of the agent's sound.

        Args:
            payload: As the client has it.
            seconds: How long it is.
            audible: Whether it is more than silence.
        """
        if self.text_only:
            return []
        if self._reply is None:
            # The reply that it belongs to is told of a moment after its first sound.
            if (audible or self._early) and self._early_time < AHEAD:
                self._early.append(payload)
                self._early_time += seconds
            return []
        self._sent += seconds
        delta = base64.b64encode(payload).decode()
        return [{"type": "response.output_audio.delta", "delta": delta, **self._place()}]

    def item(self, item: Message) -> list[Message]:
        """Add an item of the client's."""
        item = {"id": item.get("id") or new_id("item"), "object": "realtime.item", **item}
        item.setdefault("status", "completed")
        return self._add(item)

    def truncated(self, given: Message) -> Message:
        """Answer `conversation.item.truncate`: what was heard is known here by itself."""
        return {
            "type": "conversation.item.truncated",
            "item_id": str(given.get("item_id", "")),
            "content_index": int(given.get("content_index") or 0),
            "audio_end_ms": int(given.get("audio_end_ms") or 0),
        }

    def function_call(self, name: str, call_id: str, arguments: str) -> list[Message]:
        """Ask the client to run one of its functions."""
        response, item = new_id("resp"), new_id("item")
        body = {"id": item, "object": "realtime.item", "type": "function_call", "name": name}
        body |= {"call_id": call_id}
        place = {"response_id": response, "item_id": item, "output_index": 0}
        begun = {**body, "status": "in_progress", "arguments": ""}
        done = {**body, "status": "completed", "arguments": arguments}
        arguments_done = {"call_id": call_id, "name": name, "arguments": arguments}
        previous = self._items[-1] if self._items else None
        self._items.append(item)
        kind = "response.function_call_arguments"
        return [
            {"type": "response.created", "response": _response(response, "in_progress", [])},
            {
                "type": "response.output_item.added",
                "response_id": response,
                "output_index": 0,
                "item": begun,
            },
            {"type": "conversation.item.added", "previous_item_id": previous, "item": begun},
            {"type": f"{kind}.delta", "call_id": call_id, "delta": arguments, **place},
            {"type": f"{kind}.done", **arguments_done, **place},
            {
                "type": "response.output_item.done",
                "response_id": response,
                "output_index": 0,
                "item": done,
            },
            {"type": "conversation.item.done", "previous_item_id": previous, "item": done},
            {"type": "response.done", "response": _response(response, "completed", [done])},
        ]

    # Inside.

    def _place(self) -> Message:
        return {
            "response_id": self._response,
            "item_id": self._item,
            "output_index": 0,
            "content_index": 0,
        }

    def _add(self, item: Message) -> list[Message]:
        previous = self._items[-1] if self._items else None
        self._items.append(item["id"])
        return [
            {"type": "conversation.item.added", "previous_item_id": previous, "item": item},
            {"type": "conversation.item.done", "previous_item_id": previous, "item": item},
        ]

    def _partial(self, text: str) -> list[Message]:
        self._speech = self._speech or new_id("item")
        if not text.startswith(self._understood):
            return []  # it was understood anew: deltas cannot take anything back
        piece, self._understood = text[len(self._understood) :], text
        kind = "conversation.item.input_audio_transcription.delta"
        place = {"item_id": self._speech, "content_index": 0}
        return [{"type": kind, "delta": piece, **place}] if piece else []

    def _said(self, text: str, seconds: float) -> list[Message]:
        ident, self._speech, self._understood = self._speech or new_id("item"), "", ""
        previous = self._items[-1] if self._items else None
        item = {"id": ident, "object": "realtime.item", "type": "message", "role": "user"}
        item |= {"status": "completed"}
        heard = {"type": "input_audio", "transcript": None}
        usage = {"type": "duration", "seconds": round(max(0.0, seconds), 2)}
        return [
            {
                "type": "input_audio_buffer.committed",
                "previous_item_id": previous,
                "item_id": ident,
            },
            *self._add({**item, "content": [heard]}),
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": ident,
                "content_index": 0,
                "transcript": text,
                "usage": usage,
            },
        ]

    def _message(self, status: str, text: str | None) -> Message:
        kind, field = ("output_text", "text") if self.text_only else ("output_audio", "transcript")
        content = [] if text is None else [{"type": kind, field: text}]
        item = {"id": self._item, "object": "realtime.item", "type": "message"}
        return {**item, "status": status, "role": "assistant", "content": content}

    def _begin(self, reply: Reply) -> list[Message]:
        out = self._end(self._reply) if self._reply is not None else []
        self._reply, self._told, self._sent = reply, "", 0.0
        self._response, self._item = new_id("resp"), new_id("item")
        previous = self._items[-1] if self._items else None
        self._items.append(self._item)
        item = self._message("in_progress", None)
        part = {"type": "text", "text": ""} if self.text_only else {"type": "audio"}
        place = {"response_id": self._response, "output_index": 0}
        response = _response(self._response, "in_progress", [])
        out += [
            {"type": "response.created", "response": response},
            {"type": "response.output_item.added", **place, "item": item},
            {"type": "conversation.item.added", "previous_item_id": previous, "item": item},
            {"type": "response.content_part.added", **self._place(), "part": part},
            *self.watch(),
        ]
        early, self._early = self._early, []
        length, self._early_time = self._early_time, 0.0
        for payload in early:
            out += self.sound(payload, length / len(early), audible=True)
        return out

    def _end(self, reply: Reply) -> list[Message]:
        if self._reply is not reply:
            return []  # nothing of it was heard
        out = self.watch()
        self._reply = None
        text = reply.heard if reply.closed else reply.generated
        cut = reply.interrupted
        done = self._message("incomplete" if cut else "completed", text)
        place = self._place()
        if self.text_only:
            out.append({"type": "response.output_text.done", "text": text, **place})
            part: Message = {"type": "text", "text": text}
        else:
            kind = "response.output_audio_transcript.done"
            out.append({"type": "response.output_audio.done", **place})
            out.append({"type": kind, "transcript": text, **place})
            part = {"type": "audio", "transcript": text}
        response = _response(self._response, "cancelled" if cut else "completed", [done])
        if cut:
            response["status_details"] = {"type": "cancelled", "reason": "turn_detected"}
        previous = self._items[-2] if len(self._items) > 1 else None
        place = {"response_id": self._response, "output_index": 0}
        out += [
            {"type": "response.content_part.done", **self._place(), "part": part},
            {"type": "response.output_item.done", **place, "item": done},
            {"type": "conversation.item.done", "previous_item_id": previous, "item": done},
        ]
        if cut and not self.text_only:
            heard = {"item_id": self._item, "audio_end_ms": round(self._sent * 1000)}
            out.append(self.truncated(heard))
        out.append({"type": "response.done", "response": response})
        return out


def _response(ident: str, status: str, output: list[Message]) -> Message:
    return {
        "object": "realtime.response",
        "id": ident,
        "status": status,
        "status_details": None,
        "output": output,
        "output_modalities": ["audio"],
        "metadata": None,
        "usage": None,
    }
