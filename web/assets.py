"""The assets: the files of the page and of the component, as a browser asks for them.

They are read from the wheel once, compressed once, and change only with the wheel: a browser
asks again each time (`no-cache`) and is told "not modified" by their tag.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

# "require-trusted-types-for": what callers, models and tools say never becomes markup; where the
# browser can, it refuses that, too.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
"""The page's Content-Security-Policy."""

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
OPERATOR = "operator"
"""Where the operator's view is."""
INTERPRET = "interpret"
"""Where the page of interpreted sessions is."""
_PLACES = ("page", "page/locales", "component")


_REMARK = re.compile(rb"^[ ]*(?://.*|/\*\*(?s:.*?)\*/[ ]*)$", re.MULTILINE)


def _blank(found: re.Match[bytes]) -> bytes:
    """Return what a browser gets in the place of a remark: it is a fifth of a script, compressed.

    Lines keep their numbers, which errors tell.
    """
    return b"\n" * found[0].count(b"\n")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that a browser may have.

    Attributes:
        body: Its bytes.
        compressed: The same, gzipped, for a browser that takes it.
        headers: What to answer with: type, tag, policy. Not the length or the encoding.
    """

    body: bytes
    compressed: bytes
    headers: Mapping[str, str]

    @property
    def etag(self) -> str:
        """What a browser sends as `If-None-Match` when it has this version."""
        return self.headers["ETag"]


@cache
def assets() -> Mapping[str, Asset]:
    """Return all files by their path below the server's root; "" is the page itself.

    "operator" is the operator's view, "interpret" the page of interpreted sessions.

    Paths are relative and so are the links in the files: the server may be mounted anywhere, as
    long as the page's own URL ends with "/".
    """
    found: dict[str, Asset] = {}
    room = files("vivavoce.web")
    for place in _PLACES:
        for file in room.joinpath(place).iterdir():
            suffix = file.name.rpartition(".")[2]
            if file.is_file() and suffix in _TYPES:
                found[f"{place}/{file.name}"] = _asset(file, suffix)
    found[""] = found.pop("page/index.html")
    found[OPERATOR] = found.pop("page/operator.html")
    found[INTERPRET] = found.pop("page/interpret.html")
    return found


def _asset(file: Traversable, suffix: str) -> Asset:
    body = file.read_bytes()
    if suffix == "js":
        body = _REMARK.sub(_blank, body)
    headers = {
        "Content-Type": _TYPES[suffix],
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if suffix == "html":
        headers["Content-Security-Policy"] = POLICY
        headers["Permissions-Policy"] = "microphone=(self), camera=(), geolocation=()"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    else:
        headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return Asset(body, gzip.compress(body, 9, mtime=0), headers)
