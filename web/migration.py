"""Migration: calls that go on here after their server was lost, or on another when this one ends.

How a call outlives its server is `vivavoce.web.revival`; here it is done for those of one desk.
"""

from __future__ import annotations

from collections.abc import Mapping

from vivavoce.pipelines.tasks import Tasks
from vivavoce.web import revival
from vivavoce.web.live import LiveCall
from vivavoce.web.revival import Lost
from vivavoce.web.store import Store
from vivavoce.web.store_keeper import Keeper

MOVED = "another server is to go on with the call"
TAKEN = "another server has taken the call over"


class Migration:
    """Takes calls over from lost servers, and leaves calls to others.

    Args:
        records: Where all of these servers keep their calls.
        keeper: Keeps the records of ours.
        calls: Ours, by their ids.
        wait: Seconds that a call waits for a caller who is gone.
        tasks: Own what is done by the way.
    """

    def __init__(
        self,
        records: Store,
        keeper: Keeper,
        calls: Mapping[str, LiveCall],
        wait: float,
        tasks: Tasks,
    ) -> None:
        self._records, self._keeper, self._calls = records, keeper, calls
        self._wait, self._tasks = wait, tasks
        records.on_taken.append(self._taken)

    async def take(self, token: str) -> Lost:
        """Take over the call whose caller comes back with a token; `go_on` with it, or `let_go`.

        Raises:
            DeskError: There is none, it is over, or it cannot go on here.
        """
        return await revival.claim(self._records, token, self._wait)

    def let_go(self, lost: Lost) -> None:
        """Leave a call that was taken over as it was: its caller did not come after all."""
        self._tasks.spawn(revival.release(self._records, lost.id), f"let {lost.id} go")

    async def give_up(self, live: LiveCall) -> None:
        """Leave a call that was taken over, and that never began here."""
        await revival.release(self._records, live.id)

    async def leave(self, live: LiveCall) -> None:
        """Leave a call to another server, to which its caller is to come back."""
        if live.conversation is None:
            await live.hang_up("the server is shutting down")
            return
        live.taken = True
        live.line.leave()
        live.conversation.note_heard()
        self._keeper.left(live.conversation.call)
        try:
            await self._records.flush()
            await self._records.release(live.id)
        finally:
            await live.hang_up(MOVED)

    def close(self) -> None:
        """Follow no longer what others take; idempotent."""
        if self._taken in self._records.on_taken:
            self._records.on_taken.remove(self._taken)

    def _taken(self, call: str) -> None:
        """Another server has taken a call of ours over: we were thought lost."""
        live = self._calls.get(call)
        if live is not None:
            live.taken = True
            live.line.leave()
            self._tasks.spawn(live.hang_up(TAKEN), f"leave {call}")
