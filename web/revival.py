"""Revival: a call goes on here after its server was lost, for a caller who comes back to it.

What a caller comes back with is a secret that no record holds, only what it hashes to. A server
that does not know a token asks the records who has its call. Where that server gives no sign of
life, the call is taken over: its id, its record and its history go on; the connection, the agent's
`deps` and what ran in the background are made anew.

Interpreted sessions and seats in rooms end with their server: what is under way in them, and the
others in a room, are not in any record. `/v1/realtime` and carriers' sockets know no way to come
back.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from vivavoce.agent.revival import preserve
from vivavoce.pipelines.conversation import Conversation
from vivavoce.web.live import DeskError, LiveCall
from vivavoce.web.records import Claimed, NotHeldError, Records, RecordsError

log = logging.getLogger("vivavoce")

AGAIN = 2.0
"""Seconds after which somebody whom nobody could help may try again."""
_STATUS = {"no_call": 404, "over": 410, "elsewhere": 503}
_ENDED = "an interpreted session ends with its server: begin another"


def secret(token: str) -> str:
    """Return what of a token is the call's; before it stands the name of a worker, if any."""
    return token.rpartition(".")[2]


def digest(token: str) -> str:
    """Return what a token hashes to (SHA-256, hex): whoever reads it cannot come back with it."""
    return hashlib.sha256(secret(token).encode()).hexdigest()


def reviving(live: LiveCall) -> Callable[[], dict[str, Any]] | None:
    """Return what makes the `revival` of a call's record.

    Returns:
        None where its caller has nothing to come back with.
    """
    if not live.resumable or live.conversation is None:
        return None
    known, call = digest(live.resume), live.conversation.call
    if not isinstance(live.conversation, Conversation):
        return lambda: {"digest": known, "refused": _ENDED}
    return lambda: {"digest": known, "voice": live.wish.voice, **preserve(call)}


@dataclass(frozen=True, slots=True)
class Lost:
    """A call that was claimed, and is to be carried here.

    Attributes:
        token: What its caller came with.
        claimed: What there is of it.
    """

    token: str
    claimed: Claimed

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.claimed.record["call"])

    @property
    def began(self) -> datetime:
        """When it began."""
        return datetime.fromisoformat(self.claimed.record["began"])

    @property
    def voice(self) -> str:
        """The voice that its caller has chosen; "" for none."""
        return str(self.claimed.record.get("revival", {}).get("voice", ""))

    def of(self, name: str) -> str:
        """Return what its record has of its caller: `caller`, `called`."""
        return str(self.claimed.record.get("web", {}).get(name, ""))


async def claim(records: Records, token: str, within: float) -> Lost:
    """Take the call over that a token is of.

    Args:
        records: Where calls are kept.
        token: What a caller came with.
        within: Seconds after the loss in which they may.

    Raises:
        DeskError: There is none, it is over, it cannot go on, or it is carried elsewhere.
    """
    try:
        claimed = await records.claim(digest(token), within)
    except NotHeldError as error:
        status = _STATUS[error.code]
        raise DeskError(status, error.code, str(error), AGAIN if status == 503 else 0.0) from None
    except RecordsError as error:
        log.warning("a caller who came back is sent away: %s", error)
        text = "it cannot be looked up at the moment: try again"
        raise DeskError(503, "no_records", text, AGAIN) from None
    lost = Lost(token, claimed)
    why = claimed.record.get("revival", {}).get("refused", "")
    if why:
        await release(records, lost.id)
        raise DeskError(410, "not_resumable", str(why))
    log.warning("call %s goes on here; nobody was there for %.1f s", lost.id, claimed.away)
    return lost


async def release(records: Records, call: str) -> None:
    """Let go of a call that was claimed and is not carried here after all."""
    try:
        await records.release(call)
    except RecordsError as error:
        log.warning("call %s is not let go: %s", call, error)


def go_on_with(path: Path) -> bool:
    """Make a recording's file ours alone, to be gone on with; call it in a thread.

    Its old server may wake up and go on writing: into a file that nobody finds any more.

    Returns:
        Whether there is one: it may be on another machine, whose next server takes it up.
    """
    if not path.is_file():
        return False
    mine = path.with_suffix(".part")
    try:
        shutil.copyfile(path, mine)
        mine.replace(path)
    except OSError as error:
        log.warning("%s is not gone on with: %s", path, error.strerror)
        mine.unlink(missing_ok=True)
        return False
    return True
