"""`/v1/realtime`: OpenAI's Realtime protocol over a websocket, so that stock clients can call."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from aiohttp import web

from vivavoce.phone.media.codec import Codec, make_codec
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.talk import Talk
from vivavoce.web.answers import bearer
from vivavoce.web.functions import Functions
from vivavoce.web.line import WATCH
from vivavoce.web.live import DeskError, LiveCall
from vivavoce.web.realtime import FORMATS, Session, error, new_id
from vivavoce.web.socket import carry, open_socket, refuse
from vivavoce.web.stream import StreamLeg
from vivavoce.web.tokens import LIFETIME

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

RATE = 24_000
"""Sample rate of the sound inside (Hz)."""
TYPED = 4_000
"""Characters of a text that a client may add."""
_KEY = "openai-insecure-api-key."  # how browsers give a key: in the subprotocol


class RealtimeLeg(StreamLeg):
    """A client of OpenAI's Realtime API.

    Args:
        socket: The websocket.
        session: What it is told.
    """

    kind = "realtime"

    def __init__(self, socket: web.WebSocketResponse, session: Session) -> None:
        # A client may send a whole recording at once: it is heard as fast as it was spoken.
        super().__init__(socket, RATE, live=False)
        self.session = session
        self.functions = Functions(self._ask)
        self.live: LiveCall | None = None
        self._codecs: tuple[Codec | None, Codec | None] = (None, None)
        self._into: Resampler | None = None
        self._out: Resampler | None = None
        self._typed: list[str] = []
        self._rest = b""

    def tell(self, messages: list[dict[str, Any]]) -> None:
        """Send server events."""
        for message in messages:
            self.put(json.dumps({"event_id": new_id("event"), **message}, ensure_ascii=False))

    def write(self, text: str) -> None:
        """Drop it: this client speaks another protocol."""

    def follow(self, live: LiveCall, conversation: Talk) -> None:
        """Begin to tell what happens in the call."""
        self.live = live
        self._tasks.spawn(self._narrate(conversation), "realtime narrator")
        self._tasks.spawn(self._watch(), "realtime watch")

    async def _narrate(self, conversation: Talk) -> None:
        async for event in conversation.call:
            self.tell(self.session.event(event, conversation.call))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            self.tell(self.session.watch())

    def _ask(self, name: str, call_id: str, arguments: str) -> None:
        self.tell(self.session.function_call(name, call_id, arguments))

    async def encode(self, pcm: Int16) -> list[str | bytes]:
        """Return speech as an event, while something is being said."""
        codec = self._codecs[1]
        seconds = len(pcm) / self.rate
        audible = bool(pcm.any())
        if codec is not None and self._out is not None:
            payload = codec.encode(self._out.feed(pcm))
        else:
            payload = pcm.astype("<i2").tobytes()
        return [
            json.dumps({"event_id": new_id("event"), **message})
            for message in self.session.sound(payload, seconds, audible=audible)
        ]

    async def took(self, message: str | bytes) -> None:
        """Carry a client's event out."""
        ident: str | None = None
        try:
            given = _object(json.loads(message))
            ident = given.get("event_id") if isinstance(given.get("event_id"), str) else None
            await self._do(str(given.get("type", "")), given)
        except (ValueError, TypeError, binascii.Error, RecursionError) as problem:
            self.tell([error(str(problem)[:300] or "a bad event", "invalid_event", ident)])

    async def _do(self, kind: str, given: dict[str, Any]) -> None:
        session = self.session
        match kind:
            case "session.update":
                self._update(given.get("session"))
            case "input_audio_buffer.append":
                self._append(base64.b64decode(str(given.get("audio", "")), validate=True))
            case "input_audio_buffer.commit":
                pass  # the turn ends when it is over: after what was sent there is silence
            case "input_audio_buffer.clear":
                self.forget()
                self.tell([{"type": "input_audio_buffer.cleared"}])
            case "conversation.item.create":
                self._create(given.get("item"))
            case "conversation.item.truncate":
                self.tell([session.truncated(given)])
            case "conversation.item.delete":
                ident = str(given.get("item_id", ""))
                self.tell([{"type": "conversation.item.deleted", "item_id": ident}])
            case "response.create":
                texts, self._typed = self._typed, []
                if texts and self.live is not None:
                    await self.live.line.type("\n".join(texts))
            case "response.cancel" | "output_audio_buffer.clear":
                if self.live is not None and self.live.conversation is not None:
                    await self.live.conversation.call.interrupt()
            case _:
                raise ValueError(f"there is no event {kind[:60]!r} here")

    def _update(self, given: object) -> None:
        if not isinstance(given, dict):
            raise TypeError("session is an object")
        if "tools" in given:
            self.functions.declare(given["tools"])
        heard, said = self.session.update(given)
        self._codecs = (_codec(heard), _codec(said))
        self._into = Resampler(FORMATS[heard], RATE, aligned=False) if self._codecs[0] else None
        self._out = Resampler(RATE, FORMATS[said], aligned=False) if self._codecs[1] else None
        instructions = given.get("instructions")
        if isinstance(instructions, str) and self.live and self.live.conversation:
            self.live.conversation.call.remember("the application's wish", instructions[:TYPED])
        self.tell([{"type": "session.updated", "session": self.session.describe()}])

    def _append(self, data: bytes) -> None:
        codec = self._codecs[0]
        if codec is not None and self._into is not None:
            self.feed(self._into.feed(codec.decode(data)))
            return
        data = self._rest + data
        whole = len(data) // 2 * 2
        self._rest = data[whole:]
        self.feed(np.frombuffer(data[:whole], "<i2").astype(np.int16))

    def _create(self, item: object) -> None:
        if not isinstance(item, dict):
            raise TypeError("item is an object")
        if item.get("type") == "function_call_output":
            known = self.functions.answer(str(item.get("call_id")), str(item.get("output", "")))
            if not known:
                raise ValueError("no function waits for that call_id")
        elif item.get("type") == "message":
            self._message(item)
        else:
            raise ValueError("an item is a message or a function_call_output")
        self.tell(self.session.item(item))

    def _message(self, item: dict[str, Any]) -> None:
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            if not isinstance(part, dict):
                continue
            if part.get("type") == "input_audio":
                self._append(base64.b64decode(str(part.get("audio", "")), validate=True))
                continue
            text = str(part.get("text", ""))[:TYPED].strip()
            if not text:
                continue
            if item.get("role") == "user":
                self._typed.append(text)
            elif self.live is not None and self.live.conversation is not None:
                self.live.conversation.call.remember("the application's note", text)


def _object(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise TypeError("an event is a JSON object")
    return given


def _codec(name: str) -> Codec | None:
    return None if name == "audio/pcm" else make_codec(name.removeprefix("audio/"))


def realtime_routes(server: CallServer) -> list[web.RouteDef]:
    """Return what is at `/v1/realtime`."""

    async def take(request: web.Request) -> web.StreamResponse:
        protocols = [each.strip() for each in
                     request.headers.get("Sec-WebSocket-Protocol", "").split(",")]  # fmt: skip
        key = next((each.removeprefix(_KEY) for each in protocols if each.startswith(_KEY)), "")
        claims = server.door.claims(bearer(request) or key, request.headers.get("Origin"))
        model = request.query.get("model", "")
        agent = model if model in server.desk.agents else request.query.get("agent", "")
        wish = server.wish(request, claims, agent=agent, language=request.query.get("language"))
        server.desk.agent_for(wish)
        server.desk.turnstile.check(wish)
        server.door.spend(claims, wish.agent)
        offered = ("realtime",) if "realtime" in protocols else ()
        socket = await open_socket(server, request, protocols=offered)
        session = Session(model or server.desk.agent_for(wish).name)
        leg = RealtimeLeg(socket, session)
        leg.tell(session.created())
        try:
            live = server.desk.begin(
                leg, wish, speaks_rtvi=False, prepare=leg.functions.lend, attached=leg.follow
            )
        except DeskError as problem:
            await refuse(socket, problem)
            return socket
        leg.begin()
        await carry(leg)
        await live.hang_up()  # nobody comes back to a session of this protocol
        return socket

    async def secret(request: web.Request) -> web.Response:
        """Make a key for a browser, as OpenAI's `client_secrets` do."""
        signer = server.door.signer
        if signer is None or not signer.is_service(bearer(request)):
            raise DeskError(401, "bad_key", "this is not the service key (`vivavoce token --key`)")
        given = await server.body(request) if request.can_read_body else {}
        session = given.get("session")
        model = str(session.get("model", "")) if isinstance(session, dict) else ""
        agent = model if model in server.desk.agents else ""
        value = signer.issue(time.time(), agent=agent)
        described = Session(model or next(iter(server.desk.agents))).describe()
        expires = int(time.time() + LIFETIME)
        return web.json_response({"value": value, "expires_at": expires, "session": described})

    return [
        web.get("/v1/realtime", take),
        web.post("/v1/realtime/client_secrets", secret),
    ]
