"""The followers of a server's calls: who keeps their records, who observes them, who asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.observing.observer import Observer
from vivavoce.web import revival
from vivavoce.web.live import LiveCall
from vivavoce.web.store_keeper import Keeper

Hook = Callable[[LiveCall], None]


class Followers:
    """Tells whoever follows the calls of a server of their beginnings and ends.

    Args:
        models: What the calls hear, think and speak with, for their records.
        keeper: Keeps their records.
        observer: Follows them, for metrics and traces.
        began: Told of each call before its first event.
        ended: Told of each call once it is over and its record is there.
    """

    def __init__(
        self,
        models: Models,
        keeper: Keeper | None,
        observer: Observer | None,
        began: Hook | None,
        ended: Hook | None,
    ) -> None:
        self._models, self._keeper, self._observer = models, keeper, observer
        self._began, self._ended = began, ended

    def began(self, live: LiveCall) -> None:
        """A call begins, which has its conversation."""
        conversation, leg = live.conversation, live.line.leg
        if conversation is None:
            return
        if self._keeper is not None and live.kept:
            self._keeper.began(
                conversation.call,
                partial(live.make_record, self._models.names, growing=True),
                revive=revival.reviving(live),
                events=() if live.past is None else live.past.record.get("events", ()),
            )
        if self._observer is not None:
            self._observer.began(
                conversation,
                leg.kind if leg is not None else "",
                figures=live.figures,
                agent=live.agent.name,
            )
        if self._began is not None:
            self._began(live)

    def over(self, live: LiveCall) -> None:
        """A call is over; its line is still to be finished."""
        if self._observer is not None and live.conversation is not None:
            self._observer.ended(live.conversation)

    def finished(self, live: LiveCall) -> None:
        """Its line is finished, or will not be: its recording is as whole as it gets."""
        if self._keeper is not None and live.conversation is not None and live.record:
            self._keeper.ended(live.conversation.call, live.record)

    def gone(self, live: LiveCall) -> None:
        """All that a call owed is done."""
        if self._ended is not None and live.conversation is not None:
            self._ended(live)
