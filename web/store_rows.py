"""Rows: what a database keeps of a record beside the record, and how it is found. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from vivavoce.agent.ledger import percentiles
from vivavoce.web.records import MOST, Bucket, Entry, Query, RecordsError

LOST = "the server was lost"
"""Why a call ended that nobody ended."""
STRETCHES = 10_000
"""Stretches of time that are looked at at most."""
_LONGEST = 64  # characters of a word
_LAST = 200  # characters of the last words
_SHARES = (0.5, 0.95, 0.99)


def words(text: str) -> list[str]:
    """Return a text's words as they are looked for: without case, accents or signs."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(
        "" if kind == "Mn" else each if kind[0] in "LN" or kind in {"Mc", "Co"} else " "
        for each, kind in ((each, unicodedata.category(each)) for each in plain)
    )
    return [word[:_LONGEST] for word in kept.split()]


def clean(value: Any) -> Any:
    """Return JSON without what databases refuse in texts: NUL, and halves of characters."""
    if isinstance(value, str):
        if value.isprintable():
            return value
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean(part) for part in value]
    return value


@dataclass(frozen=True, slots=True)
class Row:
    """One call in a database.

    Attributes:
        call: Its id.
        agent: Who answered.
        caller: Who called.
        called: What they called.
        kind: How.
        began: When (s since 1970).
        seconds: How long it took so far.
        live: Whether it goes on.
        ended: Why it ended.
        turns: Answered turns.
        p50: Their median latency (ms).
        p95: 95th percentile (ms).
        cost: US dollars.
        last: The last words.
        words: What is searched: words as `words` makes them.
        record: The record as JSON text.
        latencies: Of each answered turn, when it was (s since 1970) and its latency (ms).
        digest: What its caller's token to come back with hashes to; "" where there is none.
    """

    call: str
    agent: str
    caller: str
    called: str
    kind: str
    began: float
    seconds: float
    live: bool
    ended: str
    turns: int
    p50: float | None
    p95: float | None
    cost: float | None
    last: str
    words: str
    record: str
    latencies: Sequence[tuple[float, float]]
    digest: str = ""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Row:
        """Make the row of a record (one that is redacted).

        Raises:
            ValueError: It is no record.
        """
        record = clean(record)
        transcript = [each for each in record.get("transcript", ()) if isinstance(each, Mapping)]
        row = cls.growing(record, transcript, "")
        said = [text for each in transcript for text in _said(each)]
        head = [row.agent, row.caller, row.called, str(record.get("ended", ""))]
        seen = dict.fromkeys(words(" ".join([*head, *said])))
        text = json.dumps(record, ensure_ascii=False, default=str)
        return replace(row, words=" ".join(seen), record=text)

    @classmethod
    def growing(
        cls, record: Mapping[str, Any], transcript: Sequence[Mapping[str, Any]], last: str
    ) -> Row:
        """Make the row of a call of which only a part is written, without what is searched.

        Args:
            record: Its record (redacted), with the end of its transcript.
            transcript: All of it; only figures are taken of it.
            last: The last words, where none stand in `record`.

        Raises:
            ValueError: It is no record.
        """
        try:
            began = datetime.fromisoformat(record["began"]).timestamp()
            call, agent = str(record["call"]), str(record["agent"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no record of a call: {error!r}") from None
        latencies = [
            (began + float(each.get("started") or 0.0), each["latency"]["total_us"] / 1000)
            for each in transcript
            if each.get("latency")
        ]
        figures = percentiles([ms for _, ms in latencies], _SHARES)
        live, ended = bool(record.get("live")), str(record.get("ended", ""))
        recent = [each for each in record.get("transcript", ()) if isinstance(each, Mapping)]
        revival = record.get("revival")
        return cls(
            call=call,
            agent=agent,
            caller=str(record.get("caller", "")),
            called=str(record.get("called", "")),
            kind=str(record.get("kind", "")),
            began=began,
            seconds=float(record.get("seconds") or 0.0),
            live=live,
            ended="" if live else ended,
            turns=len(latencies),
            p50=figures.get("p50"),
            p95=figures.get("p95"),
            cost=record.get("cost_usd"),
            last=_last(recent) or last,
            words="",
            record="",
            latencies=latencies,
            digest=str(revival.get("digest", "")) if isinstance(revival, Mapping) else "",
        )


def _said(entry: Mapping[str, Any]) -> Iterable[str]:
    for name in ("text", "heard", "generated", "name", "arguments", "result", "agent", "message"):
        value = entry.get(name)
        if isinstance(value, str):
            yield value


def _last(transcript: Sequence[Mapping[str, Any]]) -> str:
    for entry in reversed(transcript):
        if entry.get("kind") in {"caller", "agent"}:
            text = str(entry.get("text") or entry.get("heard") or entry.get("generated") or "")
            if text:
                return text if len(text) <= _LAST else text[: _LAST - 1] + "…"
    return ""


def lost(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a call whose server was lost, as it is over."""
    kept = {name: part for name, part in record.items() if name != "revival"}
    return {**kept, "live": False, "ended": LOST}


FIELDS = (
    "call", "agent", "caller", "called", "kind", "began", "seconds", "live", "ended", "turns",
    "p50", "p95", "cost", "last", "recorded",
)  # fmt: skip
"""Columns that an `Entry` is made of, in order."""


def entry(values: Iterable[Any]) -> Entry:
    """Make an entry of its columns, as `FIELDS` has them."""
    given = dict(zip(FIELDS, values, strict=True))
    given["began"] = datetime.fromtimestamp(given["began"], UTC)
    return Entry(**{**given, "live": bool(given["live"]), "recorded": bool(given["recorded"])})


def limit(query: Query) -> int:
    """Return how many entries a search may return."""
    return max(1, min(query.limit, MOST))


def cursor(entry: Entry) -> str:
    """Return where a search goes on after an entry."""
    text = f"{entry.began.timestamp()!r} {entry.call}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place(cursor: str) -> tuple[float, str]:
    """Read a cursor: when the last call began (s since 1970), and its id.

    Raises:
        RecordsError: It is none.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        began, _, call = text.partition(" ")
        return float(began), call
    except (ValueError, binascii.Error):
        raise RecordsError("the cursor is none: take the one of the last answer") from None


def check_stretches(since: datetime, until: datetime, bucket: float) -> None:
    """Check that stretches of time are some, and not too many.

    Raises:
        RecordsError: They are not.
    """
    span = (until - since).total_seconds()
    if not bucket >= 1 or span <= 0:
        raise RecordsError("give a stretch of at least 1 s, and a time after the first")
    if span / bucket > STRETCHES:
        raise RecordsError(f"these are more than {STRETCHES} stretches: make them longer")


def buckets(rows: Iterable[tuple[float, str, float]], bucket: float) -> list[Bucket]:
    """Gather latencies by stretches of time.

    Args:
        rows: Of each turn: when it was (s since 1970), its call, its latency (ms).
        bucket: Length of a stretch (s).
    """
    found: dict[int, tuple[set[str], list[float]]] = {}
    for at, call, ms in rows:
        calls, values = found.setdefault(int(at // bucket), (set(), []))
        calls.add(call)
        values.append(ms)
    return [
        Bucket(
            datetime.fromtimestamp(number * bucket, UTC),
            len(calls),
            len(values),
            percentiles(values, _SHARES),
        )
        for number, (calls, values) in sorted(found.items())
    ]
