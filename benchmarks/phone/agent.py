"""An agent in a process of its own, on the telephone or called by a file; talks in lines of JSON.

Its argument: `url` and `key` of the models, `kind` (`sip` or `file`), and for `file` the `clips`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from loguru import logger

from benchmarks.latency.speech import chosen
from benchmarks.latency.wire import RATE
from benchmarks.phone.talker import STEP, Talker
from vivavoce.agent import Agent, Silence
from vivavoce.agent.events import AgentSaid, AgentStarted, CallerSaid
from vivavoce.agent.settings import MISTRAL_MODELS
from vivavoce.phone import Exposure, Phone, PhoneLine, Trunk
from vivavoce.pipelines.benching.clip import Clip, Samples
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.warm import warm_up

CACHE = Path(__file__).parents[1] / ".cache"


def tell(kind: str, **more: Any) -> None:
    """Write a line to whoever started us."""
    print(json.dumps({"kind": kind, "now": time.monotonic(), **more}), flush=True)


async def follow(conversation: Conversation) -> None:
    """Tell what happens in a call; `at` is the call's own time."""
    async for event in conversation.call:
        if isinstance(event, AgentStarted) and event.reply.latency is not None:
            tell("latency", at=event.at, latency=event.reply.latency.to_dict())
        elif isinstance(event, AgentSaid):
            tell("said", at=event.at, interrupted=event.reply.interrupted)
        elif isinstance(event, CallerSaid):
            tell("heard", at=event.at, text=event.utterance.text)


def watch(conversation: Conversation) -> None:
    """Tell the moment at which a reply is stopped: held, or cut at once."""
    playout = conversation._mouth._playout  # noqa: SLF001 - no event tells it, by design
    hold, cut = playout.hold, playout.cut

    def held() -> None:
        if playout.speaking and not playout.held:
            tell("stopped", by="hold")
        hold()

    def dropped(*, force: bool = False) -> Any:
        if playout.speaking and not playout.held:
            tell("stopped", by="cut")
        return cut(force=force)

    playout.hold, playout.cut = held, dropped  # type: ignore[method-assign]


class FileSide:
    """The talker as a caller of the local transport, which carries files as well."""

    farewell = "all has been said"

    def __init__(self, clips: list[Clip], rate: int) -> None:
        self.talker = Talker(clips, RATE, lambda number: tell("turn", number=number))
        self._rate = rate
        self._number = 0
        self._began = 0.0

    def next(self, heard: Samples, *, settled: bool) -> Samples | None:
        """See `Caller`: what was played came with the block before."""
        del settled
        now = time.monotonic()
        if self._number:
            self.talker.heard(self._number * STEP, heard, self._rate)
            self.talker.was_late(now - self._began - self._number * STEP)
        else:
            self._began = now
        samples = self.talker.block(self._number)
        self._number += 1
        return samples

    def close(self) -> None:
        """See `Caller`."""


async def run(given: dict[str, Any]) -> None:
    """Serve until the end of the standard input, or until the file's call is over."""
    logger.remove()
    agent: Agent[None] = Agent("You help callers.", silence=Silence(ask_after=None))
    where = {
        stage: Endpoint(given["url"], given["key"], MISTRAL_MODELS[stage])
        for stage in ("hear", "think", "speak")
    }
    async with Models.connect(**where, smart_turn=warm_up()) as models:
        if given["kind"] == "file":
            named = {clip.name: clip for clip in chosen(CACHE)}
            caller = FileSide([named[name] for name in given["clips"]], 24_000)
            conversation = Conversation(agent, models, LocalTransport(caller))
            following = asyncio.create_task(follow(conversation))
            await conversation.run()
            await following
            tell("over", v2v=caller.talker.latencies())
            return
        tasks: set[asyncio.Task[None]] = set()

        def began(conversation: Conversation, _line: PhoneLine) -> None:
            watch(conversation)
            tasks.add(asyncio.create_task(follow(conversation)))

        def ended(_conversation: Conversation, line: PhoneLine) -> None:
            figures = line.statistics()
            if figures is not None:
                tell(
                    "over",
                    jitter_buffer_ms=round(figures.heard.target * 1000, 1),
                    jitter_ms=round(figures.jitter * 1000, 2),
                    latest_packet_ms=round(figures.sent.latest * 1000, 1),
                )

        trunk = Trunk("lab", "127.0.0.1", transport=None, allow=("127.0.0.1",), codecs=("PCMU",))
        exposure = Exposure(listen=("udp:127.0.0.1:0",))
        async with Phone(
            agent, models, trunks=[trunk], exposure=exposure, began=began, ended=ended
        ) as phone:
            tell("ready", port=phone.station.local[0].port)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            await task


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
