"""The sandbox's server: who may come in, and which handler answers.

Each dialect is a module with its own routes; this one knows Mistral's. Binds to loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from vivavoce.sandbox import (
    catalog,
    chat,
    files,
    manners,
    omni,
    openrouter,
    pcm,
    realtime,
    speech,
    speech_socket,
    stored,
    vllm_files,
    vllm_realtime,
    voices,
    voxtral_com,
)
from vivavoce.sandbox.given import ProfileError
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.speaking import Speaking
from vivavoce.sandbox.voice_in import VoiceIn
from vivavoce.sandbox.wire import Ended, Handler, Problem, invalid, problem, read_json

log = logging.getLogger("vivavoce.sandbox")

_LARGEST_BODY = 80 << 20  # bytes; a file of half an hour fits
_SESSION_S = 900  # life of a client session's secret
_MOST_SESSIONS = 10_000
_SHUTDOWN_S = 0.5  # what is still being answered then is cut off
_RECEIVE_BUFFER = 1 << 18  # bytes per socket: a client that floods us waits, it is not stored


@dataclass(frozen=True)
class _ClientSession:
    profile: Profile
    model: str
    expires: float  # on the monotonic clock


class Server:
    """All state of one server; used from one event loop."""

    def __init__(self, hearing: Hearing, speaking: Speaking, key: str | None = None) -> None:
        """Take warm engines.

        Args:
            hearing: The recogniser; closed with the server.
            speaking: The voices; closed with the server.
            key: The main API key, which may make others; random when None.
        """
        self.key = key or f"sandbox-{secrets.token_urlsafe(24)}"
        self.hearing, self.speaking = hearing, speaking
        self._voice_in = VoiceIn(hearing)
        self.voices = catalog.Voices()
        self._profiles = {self.key: Profile(self.key)}
        self._sessions: dict[str, _ClientSession] = {}
        self._stored = stored.Files()
        self._runner: web.AppRunner | None = None

    # -- who may come in

    def _profile(self, request: web.Request) -> Profile:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        profile = self._profiles.get(token.strip()) if scheme.lower() == "bearer" else None
        if profile is None:
            raise problem(401, "Unauthorized: this key is not one of the sandbox's")
        return profile

    def _socket_profile(self, request: web.Request) -> Profile:
        """Let a header in, or a client session's secret as subprotocol."""
        if "Authorization" in request.headers:
            return self._profile(request)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        for name in (part.strip() for part in offered.split(",")):
            session = self._sessions.get(name)
            if session is None or session.expires < time.monotonic():
                continue
            if session.model != request.query.get("model"):
                raise problem(403, f"This client session is for {session.model}")
            return session.profile
        raise problem(401, "Unauthorized")

    def _guarded(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request, self._profile(request))
            except Problem as answer:
                return answer.response()

        return guarded

    def app(self) -> web.Application:
        """Make the application with every route."""
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_last_resort])
        route = app.router.add_route
        route("GET", "/health", self._health)
        route("POST", "/sandbox/keys", self._guarded(self._make_key))
        route("GET", "/sandbox/keys/{key}", self._guarded(self._show_key))
        route("PUT", "/sandbox/keys/{key}", self._guarded(self._change_key))
        route("DELETE", "/sandbox/keys/{key}", self._guarded(self._drop_key))
        route("GET", "/v1/audio/transcriptions/realtime", self._realtime)
        for path in ("/v1/realtime", "/vllm/v1/realtime"):
            route("GET", path, self._vllm_realtime)
        route("POST", "/v1/client/sessions", self._guarded(self._make_session))
        for base in manners.MANNERS:
            route("POST", f"{base}/chat/completions", self._guarded(self._chat))
        route("POST", "/v1/audio/speech", self._guarded(self._speech))
        route("GET", "/v1/audio/speech/realtime", self._speech_socket)
        route("POST", "/v1/audio/transcriptions", self._guarded(self._file))
        route("POST", "/vllm/v1/audio/transcriptions", self._guarded(self._vllm_file))
        route("POST", "/api/v1/audio/transcriptions", self._guarded(self._openrouter_file))
        route("POST", "/v1/files", self._guarded(self._stored.upload))
        route("GET", "/v1/files/{file}", self._guarded(self._stored.show))
        route("DELETE", "/v1/files/{file}", self._guarded(self._stored.delete))
        route("GET", "/v1/models", self._guarded(self._models))
        route("GET", "/v1/models/{model}", self._guarded(self._model))
        for method, path, handler in (
            *voices.routes(self.voices, self._sample),
            *omni.Omni(self.speaking).routes(),
            *voxtral_com.VoxtralCom(self.speaking).routes(),
        ):
            route(method, path, self._guarded(handler))
        return app

    # -- what the engines answer

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        try:
            return await realtime.serve(request, self._socket_profile(request), self.hearing)
        except Problem as answer:
            return answer.response()

    async def _vllm_realtime(self, request: web.Request) -> web.StreamResponse:
        try:
            return await vllm_realtime.serve(request, self._profile(request), self.hearing)
        except Problem as answer:
            return answer.response()

    async def _chat(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        return await chat.complete(request, profile, self._voice_in)

    async def _speech(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        return await speech.speak(request, profile, self.voices, self.speaking)

    async def _speech_socket(self, request: web.Request) -> web.StreamResponse:
        try:
            profile = self._socket_profile(request)
            return await speech_socket.serve(request, profile, self.voices, self.speaking)
        except Problem as answer:
            return answer.response()

    async def _file(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        return await files.transcribe(request, profile, self.hearing, self._stored)

    async def _vllm_file(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        return await vllm_files.transcribe(request, profile, self.hearing)

    async def _openrouter_file(self, request: web.Request, profile: Profile) -> web.StreamResponse:
        return await openrouter.transcribe(request, profile, self.hearing)

    async def _sample(self, voice: catalog.Voice) -> bytes:
        if voice.sample is not None:
            return voice.sample
        name = voice.name.split(" - ")[0]
        text = (
            f"Bonjour, je m'appelle {name}." if voice.slug[:2] == "fr" else f"Hello, I am {name}."
        )
        parts = [chunk async for chunk in self.speaking.stream(text, voice.speaker)]
        return b"".join((pcm.wav_header(24_000, sum(map(len, parts))), *map(pcm.encode_s16, parts)))

    # -- what the server itself knows

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "engines": self.engines})

    @property
    def engines(self) -> dict[str, Any]:
        """What hears, thinks and speaks."""
        return {
            "hear": "moonshine tiny-en",
            "think": catalog.THINKER,
            "interpret": "phrase book and dictionary, no model (en, fr, es)",
            "speak": self.speaking.engines,
            "espeak_pid": self.speaking.worker_pid,
        }

    async def _models(self, _request: web.Request, _profile: Profile) -> web.Response:
        return web.json_response({"object": "list", "data": catalog.CARDS})

    async def _model(self, request: web.Request, _profile: Profile) -> web.Response:
        name = request.match_info["model"]
        card = catalog.card(name)
        if card is None:
            raise problem(404, f"Model {name} not found.", kind="invalid_model", code="1500")
        return web.json_response(card)

    async def _make_session(self, request: web.Request, profile: Profile) -> web.Response:
        body = await read_json(request)
        model, ttl = body.get("model"), body.get("ttl_seconds") or _SESSION_S
        if body.get("purpose", "realtime") != "realtime":
            raise invalid("Input should be 'realtime'", "purpose", kind="literal_error")
        if not isinstance(model, str) or not catalog.accepts("realtime", model):
            raise problem(400, f"Invalid model: {model}", kind="invalid_model", code="1500")
        if type(ttl) is not int or not 1 <= ttl <= _SESSION_S:
            raise invalid(f"Input should be 1 to {_SESSION_S}", "ttl_seconds")
        now = time.monotonic()
        self._sessions = {k: s for k, s in self._sessions.items() if s.expires > now}
        if len(self._sessions) >= _MOST_SESSIONS:
            raise problem(429, "Too many client sessions", retry_after=_SESSION_S)
        value = f"rt_{secrets.token_urlsafe(24)}"
        self._sessions[value] = _ClientSession(profile, model, now + ttl)
        expires = (datetime.now(UTC) + timedelta(seconds=ttl)).isoformat()
        session = {
            "object": "client.session",
            "purpose": "realtime",
            "expires_at": expires,
            "client_secret": {"value": value, "expires_at": expires},
        }
        return web.json_response(session, status=201)

    # -- keys: latency, scripts and faults

    def _main_only(self, profile: Profile) -> None:
        if profile.key != self.key:
            raise problem(403, "Only the sandbox's main key manages keys")

    async def _make_key(self, request: web.Request, profile: Profile) -> web.Response:
        self._main_only(profile)
        key = f"sandbox-{secrets.token_urlsafe(24)}"
        try:
            self._profiles[key] = Profile.parse(key, await read_json(request))
        except ProfileError as error:
            raise invalid(str(error)) from error
        return web.json_response({"key": key}, status=201)

    def _named(self, request: web.Request, profile: Profile) -> Profile:
        named = self._profiles.get(request.match_info["key"])
        if named is None:
            raise problem(404, "There is no such key")
        if named is not profile:
            self._main_only(profile)
        return named

    async def _show_key(self, request: web.Request, profile: Profile) -> web.Response:
        return web.json_response(self._named(request, profile).report())

    async def _change_key(self, request: web.Request, profile: Profile) -> web.Response:
        named = self._named(request, profile)
        self._main_only(profile)
        try:
            named.become(Profile.parse(named.key, await read_json(request)))
        except ProfileError as error:
            raise invalid(str(error)) from error
        return web.Response(status=204)

    async def _drop_key(self, request: web.Request, profile: Profile) -> web.Response:
        named = self._named(request, profile)
        self._main_only(profile)
        if named.key == self.key:
            raise problem(400, "The main key cannot be removed")
        del self._profiles[named.key]
        self._sessions = {k: s for k, s in self._sessions.items() if s.profile is not named}
        return web.Response(status=204)

    # -- life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; give the URL.

        Args:
            host: A loopback address: the sandbox is no public server.
            port: 0 takes a free one.

        Raises:
            ValueError: When ``host`` is not a loopback address.
            OSError: When the port is taken.
        """
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        if not address.is_loopback:
            raise ValueError(f"{host} is not loopback: the sandbox listens on 127.0.0.1 or ::1")
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        # A client that leaves cancels its handler: that is what stops the engines.
        self._runner = web.AppRunner(
            self.app(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_S,
        )
        try:
            listener.bind((str(address), port))
            await self._runner.setup()
            await web.SockSite(self._runner, listener).start()
        except BaseException:
            listener.close()
            await self._runner.cleanup()
            raise
        shown = f"[{address}]" if address.version == 6 else str(address)
        return f"http://{shown}:{listener.getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and close the engines; idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4 * _SHUTDOWN_S):
                    await runner.cleanup()
        self._stored.close()
        await self.speaking.close()
        self.hearing.close()


@web.middleware
async def _last_resort(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer what no handler foresaw in the API's shape, and log it without bodies or keys."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        return problem(answer.status, answer.reason).response()
    except (Ended, ConnectionError):
        # Nobody listens any more; aiohttp drops a response on a closed connection.
        return web.Response(status=500)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return problem(500, "The sandbox failed: its log on stderr says why").response()
