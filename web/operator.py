"""The operator's view: who calls now and who did, what is said, and how long callers waited.

It only looks on: nothing here changes a call, and no call waits for whoever looks.
`docs/operator.md` has what is asked and answered.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from aiohttp import web

from vivavoce.web.audience import Audience
from vivavoce.web.live import DeskError, PastCall
from vivavoce.web.recent import STRETCHES, Recent
from vivavoce.web.records import Bucket, Found, Query, RecordsError
from vivavoce.web.roster import Vocabulary, row
from vivavoce.web.store_redaction import Redaction
from vivavoce.web.store_sending import HEADERS, send
from vivavoce.web.tokens import WATCH, Operator, TokenError
from vivavoce.web.watch import Redact

if TYPE_CHECKING:
    from vivavoce.web.server import CallServer

log = logging.getLogger("vivavoce")

TOKEN = "vivavoce.token."  # noqa: S105 (what stands before one)
"""What a browser, which cannot set headers, offers a token as: a subprotocol beside the other."""
DAY = 86_400.0
PAGE = 50
"""Past calls in an answer, unless asked otherwise."""
T = TypeVar("T")
_NOBODY = Operator(float("inf"))


class Past(Protocol):
    """What is read of `vivavoce.web.records.Records` here."""

    async def get(self, call: str) -> dict[str, Any] | None:
        """Return a call's record."""

    async def search(self, query: Query) -> Found:
        """Return calls, the newest first."""

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str = ""
    ) -> list[Bucket]:
        """Return latencies over time."""


class Operators:
    """Answers operators. Close it when the server ends.

    Args:
        server: Whose calls they see. Past calls are found in its desk's records; without any, in
            what the desk still holds.
    """

    def __init__(self, server: CallServer) -> None:
        self._server, self._desk = server, server.desk
        records = server.desk.records
        self._recent = Recent(self._held, lambda call: self._recorded(call) is not None)
        self._past: Past = self._recent if records is None else records
        self._kept = records is not None
        self._redact: Redact = (Redaction() if records is None else records.redaction).event
        self._vocabulary = Vocabulary()
        self._seen: WeakKeyDictionary[PastCall, dict[str, Any]] = WeakKeyDictionary()
        self.audience = Audience(server, self._redact)

    def routes(self) -> list[web.RouteDef]:
        """Return what is below `/api/operator`."""
        root = "/api/operator"
        return [
            web.get(root, self._about),
            web.post(f"{root}/tokens", self._token),
            web.get(f"{root}/live", self._follow),
            web.get(f"{root}/calls", self._search),
            web.get(f"{root}/calls/{{id}}", self._record),
            web.get(f"{root}/calls/{{id}}/recording", self._recording),
            web.get(f"{root}/calls/{{id}}/watch", self._watch),
            web.get(f"{root}/percentiles", self._percentiles),
        ]

    async def close(self, _app: web.Application | None = None) -> None:
        """Let all operators go; idempotent."""
        await self.audience.close()

    # Who may look.

    def _enter(self, request: web.Request) -> Operator:
        """Let an operator in.

        Raises:
            DeskError: It is none, or a page that is not ours.
        """
        origin = request.headers.get("Origin")
        # Other pages may call; what others say on the telephone is not for them.
        if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
            raise DeskError(403, "wrong_origin", "only this server's own page shows its calls")
        signer = self._server.door.signer
        if signer is None:
            return _NOBODY
        token = _token(request)
        if not token:
            text = "an operator's token is needed: `vivavoce token --operator NAME` makes one"
            raise DeskError(401, "no_token", text)
        try:
            return signer.read_operator(token, time.time())
        except TokenError as error:
            raise DeskError(401, "bad_token", str(error)) from None

    async def _token(self, request: web.Request) -> web.Response:
        """Make an operator's token, for an application's own server."""
        signer = self._server.door.signer
        if signer is None:
            raise DeskError(404, "no_tokens", "this server needs no tokens")
        if not signer.is_service(_token(request)):
            raise DeskError(401, "bad_key", "this is not the service key (`vivavoce token --key`)")
        given = await self._server.body(request)
        try:
            lifetime = float(given.get("lifetime", WATCH))
            token = signer.issue_operator(
                time.time(),
                name=str(given.get("name", "")),
                agent=str(given.get("agent", "")),
                lifetime=lifetime,
            )
        except (TypeError, ValueError) as error:
            raise DeskError(400, "bad_token", str(error)) from None
        return web.json_response({"token": token, "expires": int(time.time() + lifetime)})

    # What there is.

    async def _about(self, request: web.Request) -> web.Response:
        who = self._enter(request)
        agents = [each for each in self._desk.agents if who.agent in {"", each}]
        return web.json_response(
            {
                "operator": who.name,
                "agents": agents,
                "kept": self._kept,
                "max_calls": self._desk.limits.calls,
                "token": self._server.door.signer is not None,
            }
        )

    def _live(self, who: Operator, text: str = "", agent: str = "") -> list[dict[str, Any]]:
        """Return the calls that go on, the newest first."""
        found = []
        for live in reversed(self._desk.calls.values()):
            if not _may(who, live.agent.name) or agent not in {"", live.agent.name}:
                continue
            if self._vocabulary.concerns(live, text):
                found.append(self._redact(row(live)))
        return found

    async def _search(self, request: web.Request) -> web.Response:
        who = self._enter(request)
        asked = request.query
        text, agent = asked.get("text", "")[:200], asked.get("agent", "")[:64]
        state = asked.get("state", "all")
        if state not in {"all", "live", "past"}:
            raise DeskError(400, "bad_query", "state is all, live or past")
        if not _may(who, agent or who.agent):
            raise DeskError(403, "wrong_agent", f"the token is for calls of {who.agent}")
        answer: dict[str, Any] = {"now": datetime.now(UTC).isoformat(timespec="milliseconds")}
        if state != "past":
            answer["live"] = self._live(who, text, agent)
        if state != "live":
            query = Query(
                text=text,
                agent=agent or who.agent,
                caller=asked.get("caller", "")[:200],
                since=_when(asked, "since"),
                until=_when(asked, "until"),
                live=False,
                limit=int(_number(asked, "limit", PAGE, 1, 500)),
                cursor=asked.get("cursor", "")[:500],
            )
            found = await _ask(self._past.search(query), wrong="cursor" if query.cursor else "")
            answer["past"] = [each.to_dict() for each in found.entries]
            answer["cursor"] = found.cursor
        return _json(answer)

    async def _record(self, request: web.Request) -> web.Response:
        who, ident = self._enter(request), request.match_info["id"]
        live = self._desk.calls.get(ident)
        if live is not None and _may(who, live.agent.name):
            report = self._desk.report(live)
            # A long call's is long to go through: the calls do not wait for that.
            return _json({**await asyncio.to_thread(self._redact, report), "live": True})
        return _json(await self._find(who, ident))

    async def _find(self, who: Operator, ident: str) -> dict[str, Any]:
        """Return a past call's record.

        Raises:
            DeskError: There is none.
        """
        # One that has just ended may not be written yet.
        found = await _ask(self._past.get(ident)) or await self._recent.get(ident)
        if found is None or not _may(who, str(found.get("agent", ""))):
            raise DeskError(404, "no_call", "there is no such call")
        return found

    async def _recording(self, request: web.Request) -> web.StreamResponse:
        who, ident = self._enter(request), request.match_info["id"]
        if ident in self._desk.calls:
            raise DeskError(409, "live", "the call goes on: its recording is there once it is over")
        await self._find(who, ident)
        log.info("operator %r takes the recording of call %s", who.name, ident)
        here = self._recorded(ident)
        if here is not None:
            return web.FileResponse(here, headers=HEADERS)
        records = self._desk.records
        kept = None if records is None else await _ask(records.recording(ident))
        if records is None or kept is None:
            raise DeskError(404, "no_recording", "this call is not recorded")
        return await _ask(send(request, records, ident, kept))

    async def _percentiles(self, request: web.Request) -> web.Response:
        who = self._enter(request)
        asked = request.query
        until = _when(asked, "until") or datetime.now(UTC)
        since = _when(asked, "since") or until - timedelta(days=1)
        bucket = _number(asked, "bucket", 3_600.0, 1.0, 366 * DAY)
        agent = asked.get("agent", "")[:64] or who.agent
        if not _may(who, agent):
            raise DeskError(403, "wrong_agent", f"the token is for calls of {who.agent}")
        if not 0 < (until - since).total_seconds() / bucket <= STRETCHES:
            raise DeskError(400, "bad_query", f"ask for 1 to {STRETCHES:,} stretches of time")
        found = await _ask(self._past.percentiles(since, until, bucket, agent))
        return _json(
            {
                "since": since.isoformat(timespec="seconds"),
                "until": until.isoformat(timespec="seconds"),
                "bucket": bucket,
                "buckets": [each.to_dict() for each in found],
            }
        )

    # What happens.

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        """Tell which calls there are, whenever that changes."""
        return await self.audience.follow(request, self._enter(request), self._live)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        """Tell what happens in one call, and let it be heard."""
        who = self._enter(request)
        live = self._desk.calls.get(request.match_info["id"])
        if live is None or not _may(who, live.agent.name):
            raise DeskError(404, "no_call", "there is no such call, or it is over")
        return await self.audience.watch(request, who, live)

    # What the desk still holds.

    def _held(self) -> Iterator[dict[str, Any]]:
        for live in self._desk.past:
            if not live.reached:
                continue
            if live not in self._seen:
                kind = live.record.get("web", {}).get("kind", "")
                caller = live.wish.caller or live.wish.address
                beside = {"caller": caller, "called": live.wish.called, "kind": kind}
                self._seen[live] = self._redact({**live.record, **beside})
            yield self._seen[live]

    def _recorded(self, ident: str) -> Path | None:
        live = self._desk.past.get(ident)
        path = live.recording if live is not None else None
        return path if path is not None and path.is_file() else None


def _token(request: web.Request) -> str:
    """Return a request's token: from its header, or from what a websocket offers."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    return next(
        (each.strip()[len(TOKEN) :] for each in offered if each.strip().startswith(TOKEN)), ""
    )


async def _ask(work: Awaitable[T], *, wrong: str = "") -> T:
    """Ask the records; say what is wrong.

    Args:
        work: The question.
        wrong: What in it may be wrong; "" for nothing, then it is the records themselves.

    Raises:
        DeskError: They cannot be had, or were asked wrongly.
    """
    try:
        return await work
    except RecordsError as error:
        status, code = (400, "bad_query") if wrong else (502, "no_records")
        raise DeskError(status, code, str(error)) from None


def _json(found: Mapping[str, Any]) -> web.Response:
    text = json.dumps(found, ensure_ascii=False, default=str)
    return web.Response(text=text, content_type="application/json")


def _may(who: Operator, agent: str) -> bool:
    return who.agent in {"", agent}


def _when(asked: Mapping[str, str], name: str) -> datetime | None:
    """Read a moment: seconds since 1970, or as ISO 8601 has it.

    Raises:
        DeskError: It is none.
    """
    text = asked.get(name, "")
    if not text:
        return None
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        text = f"{name} is a moment, as 2026-11-21T08:00:00Z or in seconds since 1970"
        raise DeskError(400, "bad_query", text) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _number(asked: Mapping[str, str], name: str, usual: float, least: float, most: float) -> float:
    try:
        found = float(asked.get(name, usual))
    except ValueError:
        found = float("nan")
    if not least <= found <= most:
        raise DeskError(400, "bad_query", f"{name} is a number from {least:g} to {most:g}")
    return found
