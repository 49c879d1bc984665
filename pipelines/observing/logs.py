"""Logs: a JSON object a line, with the call that it is about, and without personal data.

What a log line is about is known from the task that writes it (`call_id`). By default nothing in
a line tells who called or what was said: numbers, addresses, keys, quoted texts and the messages
of exceptions, which may hold any of these, are taken out by pattern.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

call_id: ContextVar[str] = ContextVar("call_id", default="")
"""Which call the present task serves."""
traces: dict[str, str] = {}
"""Which trace each call has that goes on, by the call's id."""

_NO_FILES = "socket.accept() out of system resource"
_MORE_FILES = (
    "no file descriptor is left, so nobody else is let in; calls go on. Raise the limit of open"
    " files (ulimit -n, LimitNOFILE in systemd)"
)

LONGEST = 8_000
"""Characters of one text in a line."""

_SECRETS = re.compile(
    r"\bvv[a-z]?\d\.[\w-]+(?:\.[\w-]+)*|\bvv[a-z]-[\w-]+"  # our tokens and keys
    r"|\b[Bb]earer\s+\S+|\bBasic\s+\S+"
    r"|\b(?:sk|pk|key)-[\w-]{6,}"
    r"|(?<=[?&#])(?:token|key|secret|password|signature|X-Amz-\w+)=[^\s&#]+"
    r"|\b(?:token|api_key|apikey|secret|password|resume)\b['\"]?\s*[:=]\s*['\"]?[^\s'\",}]+",
    re.IGNORECASE,
)
_USERS = re.compile(r"\b(sips?:|tel:)[^\s@;>]+(@?)", re.IGNORECASE)
_EMAILS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ERRORS = re.compile(r"\b(\w*(?:Error|Exception|Interrupt|Failure)): [^\n]*")
_QUOTED = re.compile(r"(?<!\w)(['\"“«])(?=[^'\"\n]*\s)[^\n]*?['\"”»](?!\w)")
_URL = re.compile(r"https?://\S+|wss?://\S+")
_IPV4 = re.compile(r"(?<![\w.])(?!127\.|0\.0\.0\.0)\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?!::1\b)(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE
)
_NUMBERS = re.compile(r"(?<![\w.-])(?:\+|00)?\(?\d(?:[ ()./-]{0,2}\d){6,}(?!\w)")


def redact(text: str) -> str:
    """Take out of a text what may tell who called or what was said, and keys. Pure.

    URLs of servers stay, but for what follows their path; so do single quoted words.
    """
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0].partition("?")[0].partition("#")[0])
        return f"\0{len(kept) - 1}\0"

    text = _SECRETS.sub("[secret]", text)
    text = _USERS.sub(r"\1[number]\2", text)
    text = _EMAILS.sub("[address]", text)
    text = _URL.sub(keep, text)
    text = _ERRORS.sub(r"\1: [text]", text)
    text = _QUOTED.sub("[text]", text)
    text = _IPV4.sub("[address]", text)
    text = _IPV6.sub("[address]", text)
    text = _NUMBERS.sub("[number]", text)
    return re.sub(r"\0(\d+)\0", lambda match: kept[int(match[1])], text)


class Scarce(logging.Filter):
    """Tells once in a while, and in a line, that no file descriptor is left.

    asyncio tells it for every place of its queue and with its stack: thousands of lines a second,
    on the very disk and loop that calls need.

    Args:
        pause: Seconds between two lines.
        now: The clock (s), monotonic.
    """

    def __init__(self, pause: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._pause, self._now = pause, now
        self._told = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, or not."""
        if record.name != "asyncio" or not record.getMessage().startswith(_NO_FILES):
            return True
        if self._now() - self._told < self._pause:
            return False
        self._told = self._now()
        record.msg, record.args = _MORE_FILES, ()
        record.exc_info = record.exc_text = record.stack_info = None
        return True


class JsonFormatter(logging.Formatter):
    """Writes records as JSON: time, level, logger, message; call and trace where there are.

    Args:
        personal: Whether lines may hold personal data.
    """

    def __init__(self, *, personal: bool = False) -> None:
        super().__init__()
        self._clean = str if personal else redact

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        row = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._clean(record.getMessage())[:LONGEST],
        }
        if call := getattr(record, "call", "") or call_id.get():
            row["call"] = call
            if trace := traces.get(call):
                row["trace_id"] = trace
        if record.exc_info and record.exc_info[0] is not None:
            row["error"] = record.exc_info[0].__name__
            row["stack"] = self._clean(self.formatException(record.exc_info))[-LONGEST:]
        return json.dumps(row, ensure_ascii=False)
