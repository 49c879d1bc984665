"""Routing: which worker a request is for, by what is in it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vivavoce.web.cluster.names import worker_of_id, worker_of_token

What = Literal["begin", "resume", "join", "its", "any", "own"]
"""A call begins; one is resumed by its token; a room is joined; something of one worker's; anything
that each of them can answer; or what the front answers by itself."""

OWN = frozenset({"/api/health", "/api/operator/live", "/api/operator/calls"})
"""Paths whose answer is made of all workers'."""
_ITS = re.compile(r"/api/(?:operator/)?calls/([^/]+)(?:/.*)?")
_ROOM = re.compile(r"/api/rooms/([^/]+)(?:/.*)?")
_OFFER = re.compile(r"(?:/sessions/[^/]+)?/api/offer")
_CARRIER = re.compile(r"/carriers/([^/]+)")
_KEY = "openai-insecure-api-key."  # how browsers give a key: in the subprotocol


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        what: What it is.
        worker: Which worker it names; "" for none.
        call: The call's id that it names; "" for none.
    """

    what: What
    worker: str = ""
    call: str = ""


def route(
    method: str,
    path: str,
    query: Mapping[str, str],
    token: str = "",
    body: Mapping[str, Any] | None = None,
) -> Route:
    """Return where a request goes.

    Args:
        method: HTTP's.
        path: Without the query.
        query: The query.
        token: What it bears (`Authorization`, or `token` in the query).
        body: Its JSON object; None where it has none.
    """
    body = body or {}
    if path in OWN and method == "GET":
        return Route("own")
    if _OFFER.fullmatch(path):
        return _offer(method, body)
    if path == "/api/ws":
        return _joined(query)
    if path == "/v1/realtime" or (method == "GET" and _CARRIER.fullmatch(path)):
        return Route("begin")
    if found := _ITS.fullmatch(path):
        # Whoever was in the call says by the token where it is now; else its id where it began.
        bears = worker_of_token(token or _text(body, "token"))
        return Route("its", bears or worker_of_id(found[1]), found[1])
    if path == "/api/rooms":
        return Route("begin")
    if found := _ROOM.fullmatch(path):
        return Route("its", worker_of_id(found[1]))
    if path == "/api/ice" and (worker := worker_of_token(token)):
        return Route("resume", worker)
    return Route("any")


def _offer(method: str, body: Mapping[str, Any]) -> Route:
    asked = body.get("request_data", body.get("requestData"))
    asked = asked if isinstance(asked, dict) else {}
    if resume := _text(asked, "resume"):
        return Route("resume", worker_of_token(resume))
    if name := _text(body, "pc_id"):
        return Route("its", worker_of_token(name))
    if method != "POST":
        return Route("any")
    return _joined(asked)


def _joined(asked: Mapping[str, Any]) -> Route:
    if resume := _text(asked, "resume"):
        return Route("resume", worker_of_token(resume))
    if room := _text(asked, "room") or _text(asked, "lecture"):
        return Route("join", worker_of_id(room))
    return Route("begin")


def carrier_of(path: str) -> str:
    """Return whose media socket is at a path; "" if it is none's."""
    found = _CARRIER.fullmatch(path)
    return found[1] if found else ""


def token_of(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Return what a request bears: in its header, its query, or among a websocket's protocols."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if found := query.get("token", ""):
        return found
    offered = headers.get("Sec-WebSocket-Protocol", "").split(",")
    return next(
        (each.strip()[len(_KEY) :] for each in offered if each.strip().startswith(_KEY)), ""
    )


def read_object(raw: bytes) -> Mapping[str, Any] | None:
    """Read a body's JSON object; None where it is none: the worker says so."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(given: Mapping[str, Any], name: str) -> str:
    found = given.get(name)
    return found if isinstance(found, str) else ""
