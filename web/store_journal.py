"""The journal: how a record that grows is written without writing it whole each time. Pure.

A call's record grows for as long as the call goes on, and is written several times a turn. Written
whole each time, a call of an hour would be written five hundred times over. So what has changed
since is written beside it, and all of it anew once that has grown to a share of the whole: the sum
of what is written stays in proportion to the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.web.store_redaction import Redaction
from vivavoce.web.store_rows import Row, clean

SMALL = 16_000
"""Characters up to which a record is written whole each time: its words are found at once."""
SHARE = 0.5
"""How much of a record may stand beside it before it is written whole."""


@dataclass(frozen=True, slots=True)
class Written:
    """What of a call stands in the database."""

    transcript: Sequence[Any]
    events: int
    whole: int
    beside: int
    number: int
    latencies: int
    last: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be written of a call.

    Attributes:
        row: Its row; of a change without `record` and `words`.
        number: Of the change, from 1; 0 where all is written.
        change: As JSON; "" where all is written.
        latencies: Those that the change adds, as `Row.latencies` has them.
        after: What stands in the database then.
    """

    row: Row
    number: int
    change: str
    latencies: Sequence[tuple[float, float]]
    after: Written


class Journal:
    """Decides what is written of each call.

    Args:
        redaction: What is taken out.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._written: dict[str, Written] = {}

    def step(self, record: Mapping[str, Any]) -> Step:
        """Return what is to be written so that a record is kept.

        Rows of the transcript that are the same objects as before are not looked at again.

        Raises:
            ValueError: It is no record.
        """
        before = self._written.get(str(record.get("call", "")))
        if before is None or not record.get("live") or before.whole <= SMALL:
            return self._whole(record)
        return self._change(record, before) or self._whole(record)

    def written(self, step: Step) -> None:
        """Note that a step was written."""
        if step.row.live:
            self._written[step.row.call] = step.after
        else:
            self._written.pop(step.row.call, None)

    def forget(self, call: str) -> None:
        """Note that it is not known what stands of a call: it is written whole next."""
        self._written.pop(call, None)

    def _whole(self, record: Mapping[str, Any]) -> Step:
        row = Row.of(self._redaction.record(record))
        transcript = list(record.get("transcript", ()))
        events = len(record.get("events", ()))
        after = Written(transcript, events, len(row.record), 0, 0, len(row.latencies), row.last)
        return Step(row, 0, "", row.latencies, after)

    def _change(self, record: Mapping[str, Any], before: Written) -> Step | None:
        transcript, events = list(record.get("transcript", ())), record.get("events", ())
        first = _same(before.transcript, transcript)
        head = {name: part for name, part in record.items() if name not in _GROWING}
        part = {**head, "transcript": transcript[first:], "events": events[before.events :]}
        found = clean(self._redaction.record(part))
        row = Row.growing(found, transcript, before.last)
        text = json.dumps({"from": first, **found}, ensure_ascii=False, default=str)
        beside = before.beside + len(text)
        if beside > max(SMALL, SHARE * before.whole) or len(row.latencies) < before.latencies:
            return None
        after = Written(
            transcript, len(events), before.whole, beside, before.number + 1,
            len(row.latencies), row.last,
        )  # fmt: skip
        return Step(row, after.number, text, row.latencies[before.latencies :], after)


_GROWING = frozenset({"transcript", "events"})


def _same(before: Sequence[Any], now: Sequence[Any]) -> int:
    """Return how many entries, from the first, are as they were."""
    for index, (old, new) in enumerate(zip(before, now, strict=False)):
        if old is not new and old != new:
            return index
    return min(len(before), len(now))


def compose(parts: Iterable[str]) -> dict[str, Any] | None:
    """Return a record of what stands in the database: itself, then its changes in their order.

    Returns:
        None where nothing does.
    """
    found: dict[str, Any] | None = None
    for text in parts:
        part = dict(json.loads(text))
        if found is not None:
            transcript, events = found.get("transcript", []), found.get("events", [])
            part["transcript"] = [*transcript[: part.pop("from")], *part["transcript"]]
            part["events"] = [*events, *part["events"]]
        found = part
    return found
