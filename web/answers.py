"""What all answers over HTTP have in common: requests are checked, and mistakes are told."""

from __future__ import annotations

import errno
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from vivavoce.pipelines.load import AGAIN
from vivavoce.web.assets import OPERATOR, assets
from vivavoce.web.live import DeskError

log = logging.getLogger("vivavoce")

_SPENT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC}  # the machine's

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Check = Callable[[web.Request], str]
"""Lets a request in, and returns its origin where that is another page's; else raises DeskError."""


async def answered(request: web.Request, handler: Handler, check: Check) -> web.StreamResponse:
    """Check where a request comes from, have it answered, and say what is wrong with it as JSON."""
    origin = ""
    try:
        origin = check(request)
        if request.method == "OPTIONS":
            response: web.StreamResponse = web.Response(status=204)
        else:
            response = await handler(request)
    except DeskError as error:
        response = problem(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code = {404: "not_found", 405: "wrong_method", 413: "too_long"}.get(error.status)
        response = problem(DeskError(error.status, code or "bad_request", error.reason))
    except (TimeoutError, ConnectionError):
        response = problem(DeskError(408, "too_slow", "the request did not come in time"))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _SPENT:
            log.error("%s %s: %s", request.method, request.path, error.strerror)  # noqa: TRY400 (no defect of ours)
            text = "this server has no room for a call: try again"
            response = problem(DeskError(503, "busy", text, AGAIN))
        else:
            log.exception("%s %s failed", request.method, request.path)
            text = "something is wrong here: see the log"
            response = problem(DeskError(500, "defect", text))
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Cache-Control", "no-store")
        if origin:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH"
            response.headers["Access-Control-Max-Age"] = "600"
            response.headers["Vary"] = "Origin"
    return response


def bearer(request: web.Request) -> str:
    """Return a request's token, from its header or its query."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.query.get("token", "")


def problem(error: DeskError) -> web.Response:
    """Say what is wrong as JSON."""
    response = web.json_response(
        {"error": {"code": error.code, "message": str(error)}}, status=error.status
    )
    if error.retry:
        response.headers["Retry-After"] = str(max(1, round(error.retry)))
    if error.status in {408, 413}:
        response.force_close()  # what is left of the body is not read
    return response


def page(request: web.Request, name: str, ancestors: tuple[str, ...]) -> web.Response | None:
    """Return a file of the page; None if there is none of that name.

    Args:
        request: Who asks for it.
        name: Its path, without the slash before it.
        ancestors: Origins that may show it in a frame, beside its own.
    """
    asset = assets().get(name)
    if asset is None:
        return None
    headers = dict(asset.headers)
    policy = "Content-Security-Policy"
    if policy in headers and name != OPERATOR:  # which nobody else shows in a frame
        allowed = " ".join(["'self'", *ancestors])
        headers[policy] = headers[policy].replace(
            "frame-ancestors 'self'", f"frame-ancestors {allowed}"
        )
    if request.headers.get("If-None-Match") == asset.etag:
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=asset.compressed, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=asset.body, headers=headers)
