"""Recent calls: what the desk still holds of calls that are over, to be searched like records.

It is what an operator finds of the past where no records are kept: the last ten minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vivavoce.agent.ledger import percentiles
from vivavoce.web.records import MOST, Bucket, Entry, Found, Query, RecordsError

STRETCHES = 10_000
"""Stretches of time that percentiles are given for at most."""


class Recent:
    """Reads records that lie in memory, as `vivavoce.web.records.Records` is read.

    Args:
        held: Gives them, with `caller`, `called` and `kind` beside, the oldest first.
        recorded: Tells whether there is a recording of a call.
    """

    def __init__(
        self, held: Callable[[], Iterable[Mapping[str, Any]]], recorded: Callable[[str], bool]
    ) -> None:
        self._held, self._recorded = held, recorded
        self._words: dict[str, set[str]] = {}  # of each call, by its id

    async def get(self, call: str) -> dict[str, Any] | None:
        """Return a call's record; None if there is none."""
        return next((dict(each) for each in self._held() if each["call"] == call), None)

    async def search(self, query: Query) -> Found:
        """Return calls, the newest first.

        Raises:
            RecordsError: The cursor is none of ours.
        """
        if query.cursor and not query.cursor.isdigit():
            raise RecordsError("the cursor is none of ours: search from the beginning")
        start = int(query.cursor or 0)
        held = list(self._held())
        there = {str(each["call"]) for each in held}
        self._words = {call: words for call, words in self._words.items() if call in there}
        found = [each for each in reversed(held) if self._fits(each, query)]
        limit = max(1, min(query.limit, MOST))
        more = str(start + limit) if len(found) > start + limit else ""
        return Found([self._entry(each) for each in found[start : start + limit]], more)

    async def percentiles(
        self, since: datetime, until: datetime, bucket: float, agent: str = ""
    ) -> list[Bucket]:
        """Return the latencies of answered turns over time, the oldest first.

        Raises:
            RecordsError: That would be more than 10,000 stretches, or none.
        """
        if bucket <= 0 or not 0 < (until - since).total_seconds() / bucket <= STRETCHES:
            raise RecordsError(f"ask for 1 to {STRETCHES:,} stretches of time")
        turns: dict[float, list[tuple[str, float]]] = {}
        for each in self._held():
            if agent and each.get("agent") != agent:
                continue
            for at, ms in answered(each):
                if since <= at < until:
                    stretch = at.timestamp() // bucket * bucket
                    turns.setdefault(stretch, []).append((str(each["call"]), ms))
        return [
            Bucket(
                datetime.fromtimestamp(stretch, UTC),
                len({call for call, _ in found}),
                len(found),
                percentiles([ms for _, ms in found], (0.5, 0.95, 0.99)),
            )
            for stretch, found in sorted(turns.items())
        ]

    def _fits(self, record: Mapping[str, Any], query: Query) -> bool:
        began = _began(record)
        if query.live or (query.agent and query.agent != record.get("agent")):
            return False
        if query.caller and query.caller != record.get("caller"):
            return False
        if (query.since and began < query.since) or (query.until and began >= query.until):
            return False
        return not query.text or matches(split(query.text), self._vocabulary(record))

    def _vocabulary(self, record: Mapping[str, Any]) -> set[str]:
        call = str(record["call"])
        if call not in self._words:
            names = [str(record.get(key, "")) for key in ("agent", "caller", "ended")]
            texts = [*names, *map(_words, _said(record))]
            self._words[call] = {word for text in texts for word in split(text)}
        return self._words[call]

    def _entry(self, record: Mapping[str, Any]) -> Entry:
        latencies = [ms for _, ms in answered(record)]
        shares = percentiles(latencies, (0.5, 0.95))
        return Entry(
            call=str(record["call"]),
            agent=str(record.get("agent", "")),
            caller=str(record.get("caller", "")),
            called=str(record.get("called", "")),
            kind=str(record.get("kind", "")),
            began=_began(record),
            seconds=float(record.get("seconds", 0.0)),
            live=False,
            ended=str(record.get("ended", "")),
            turns=len(latencies),
            p50=shares.get("p50"),
            p95=shares.get("p95"),
            cost=record.get("cost_usd"),
            last=next((words for words in map(_words, reversed(_said(record))) if words), ""),
            recorded=self._recorded(str(record["call"])),
        )


def answered(record: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    """Return a record's answered turns: when the reply was heard, and its latency (ms)."""
    began = _began(record)
    return [
        (began + timedelta(seconds=each["started"] or 0.0), each["latency"]["total_us"] / 1000)
        for each in _said(record)
        if each.get("kind") == "agent" and each.get("latency")
    ]


def _began(record: Mapping[str, Any]) -> datetime:
    text = record.get("began")
    return datetime.fromisoformat(str(text)) if text else datetime.fromtimestamp(0, UTC)


def _said(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = record.get("transcript")
    return found if isinstance(found, list) else []


def _words(entry: Mapping[str, Any]) -> str:
    return str(entry.get("heard") or entry.get("text") or "")


def matches(wanted: Iterable[str], there: Iterable[str]) -> bool:
    """Whether each of some words is the beginning of one that is there; all in lower case."""
    there = tuple(there)
    return all(any(word.startswith(want) for word in there) for want in wanted)


def split(text: str) -> list[str]:
    """Return a text's words, in lower case."""
    return "".join(each if each.isalnum() else " " for each in text.casefold()).split()
