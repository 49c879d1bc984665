"""Calls whose server is killed: what is lost of them, and how soon they go on.

`python -m benchmarks.web.killed` starts `vivavoce serve` on the sandbox, calls it over a websocket,
kills it (SIGKILL) at a random moment of a call, starts it again, comes back and asks what was said
first. Of each of ten such calls it tells whether what the caller knew a second before is still
there, what the model was told of it, and how long the caller waited.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.cli.served import Served
from vivavoce.sandbox.launch import Sandbox

RESULTS = Path(__file__).parent.parent / "results" / "web_killed.json"
AGENT = """
import dataclasses
from vivavoce.agent import Agent

@dataclasses.dataclass
class State:
    turns: int = 0

agent = Agent("You repeat what you are told.", name="host", greeting="Good evening.", state=State)

@agent.check_heard
def count(call, text):
    call.state.turns = len(call.transcript.caller)
"""
FIRST = "my favourite colour is green"
SCRIPT = {
    "answers": {
        # Looked for in this order: what was left unanswered may stand beside the last question.
        "first": "Your first words were about green.",
        "colour": "Green it is.",
        "then": "And then we go on for a while.",
    },
    "speak": "pitch",
}  # fmt: skip
BACK = 25.0
"""Seconds for which a caller tries to come back."""


def made(folder: Path, sandbox: Sandbox, key: str) -> Served:
    """Make the server of an agent that repeats what it is told, and keeps records.

    Args:
        folder: Where it runs.
        sandbox: Its models.
        key: Their key.
    """
    (folder / "host.py").write_text(AGENT)
    return Served(
        folder, "host.py", "--records", "calls", VIVAVOCE_MODELS="sandbox",
        VIVAVOCE_SANDBOX_URL=sandbox.url, VIVAVOCE_SANDBOX_KEY=key,
    )  # fmt: skip


class Caller:
    """Who calls, over a websocket; what they are told is kept with the time."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.told: list[tuple[float, dict[str, Any]]] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                data = json.loads(message.data).get("data") or {}
                self.told.append((time.monotonic(), data))
                self._news.set()

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was told of one kind."""
        return [data for _, data in self.told if data.get("event") == name]

    async def until(self, condition: Callable[[], Any], within: float = 40.0) -> Any:
        """Wait for something to be so."""
        async with asyncio.timeout(within):
            while not (found := condition()):
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.2)
        return found

    async def heard(self, text: str) -> dict[str, Any]:
        """Wait for a reply that was said to its end."""

        def said() -> list[dict[str, Any]]:
            replies = [each["reply"] for each in self.events("agent_said")]
            return [each for each in replies if text in each["heard"]]

        return dict((await self.until(said))[0])

    async def send(self, kind: str, **data: Any) -> None:
        """Send a message."""
        await self._socket.send_str(
            json.dumps({"label": "rtvi-ai", "type": kind, "id": "1", "data": data})
        )

    async def types(self, text: str) -> None:
        """Say something."""
        await self.send("send-text", content=text, options={})

    async def close(self) -> None:
        """Be gone."""
        await self._socket.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)


@contextlib.asynccontextmanager
async def calling(url: str, resume: str = "") -> AsyncGenerator[Caller]:
    """Call, or come back: tried again as a page does."""
    until = time.monotonic() + BACK
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                opened = await http.ws_connect(f"{url}/api/ws?rate=16000&resume={resume}")
                break
            except aiohttp.WSServerHandshakeError as error:
                if error.status not in {429, 503} or time.monotonic() > until:
                    raise
            except aiohttp.ClientError:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(0.3)
        caller = Caller(opened)
        try:
            await caller.until(lambda: caller.events("call"))
            await caller.send("client-ready", version="1.2.0")
            await caller.until(lambda: caller.events("snapshot"))
            yield caller
        finally:
            await caller.close()


@dataclass(slots=True)
class Trial:
    """One call whose server was killed.

    Attributes:
        seed: Of the random moment.
        moment: Seconds after the last words at which the server was killed.
        back: Seconds from then until the caller was in the call again.
        lost: What the caller knew a second before the end, and the call does not.
        asked: What the model was sent when it was asked for the first words.
        answer: What it said then.
    """

    seed: int
    moment: float = 0.0
    back: float = 0.0
    lost: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    answer: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing older than a second was lost, and the model knew all of it."""
        told = " ".join(str(each.get("content")) for each in self.asked)
        return not self.lost and FIRST in told and "Green it is." in told


async def trial(served: Served, report: Callable[[], dict[str, Any]], seed: int) -> Trial:
    """Have a call, kill its server at a moment that a seed says, and go on with it."""
    dice, found = random.Random(seed), Trial(seed)
    async with calling(served.origin) as caller:
        token = caller.events("call")[0]["resume"]
        await caller.heard("Good evening.")
        await caller.types(FIRST)
        await caller.heard("Green it is.")
        await caller.types("and then")
        found.moment = dice.uniform(0.0, 3.0)
        await asyncio.sleep(found.moment)
        served.kill()
        killed = time.monotonic()
        known = [data for at, data in caller.told if at <= killed - 1.0]
    served.start()
    async with calling(served.origin, token) as caller:
        found.back = time.monotonic() - killed
        found.lost = missing(known, caller.events("snapshot")[0]["transcript"])
        # What was left unanswered is answered, and else nothing is said unasked.
        await caller.types("what did I say first")
        found.answer = (await caller.heard("first words"))["heard"]
        bodies = [each["body"] for each in report()["bodies"]]
        found.asked = [each for each in bodies if "messages" in each][-1]["messages"]
        await caller.send("disconnect-bot")
        await caller.until(lambda: caller.events("call_ended"))
    return found


def missing(known: list[dict[str, Any]], transcript: list[dict[str, Any]]) -> list[str]:
    """Return what was told of a call and does not stand in its transcript."""
    said = [each["text"] for each in transcript if each["kind"] == "caller"]
    heard = [each["heard"] for each in transcript if each["kind"] == "agent"]
    lost = []
    for data in known:
        match data.get("event"):
            case "caller_said" if data["utterance"]["text"] not in said:
                lost.append(data["utterance"]["text"])
            case "reply" | "agent_said":
                words = data["reply"]["heard"]
                if words and not any(each.startswith(words) for each in heard):
                    lost.append(words)
    return lost


async def trials(sandbox: Sandbox, folder: Path, seeds: list[int]) -> AsyncGenerator[Trial]:
    """Have one call after the other, on a server that is started again each time."""
    key = sandbox.make_key(script=SCRIPT)
    with made(folder, sandbox, key) as served:
        served.start()
        await asyncio.to_thread(served.listens)
        for seed in seeds:
            yield await trial(served, lambda: sandbox.report(key), seed)


async def main(count: int, out: Path) -> int:
    """Have so many calls; return the exit code."""
    rows = []
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        async for each in trials(sandbox, Path(folder), list(range(count))):
            told = "whole" if each.whole else f"LOST {each.lost}"
            print(f"seed {each.seed}: killed {each.moment:.2f} s after the last words,"
                  f" back after {each.back:.1f} s: {told}")  # fmt: skip
            row = {"seed": each.seed, "killed_after_s": round(each.moment, 3)}
            rows.append({**row, "back_after_s": round(each.back, 2), "whole": each.whole})
    whole = sum(each["whole"] for each in rows)
    slowest = max(each["back_after_s"] for each in rows)
    print(f"{whole} of {len(rows)} calls went on whole; the slowest was back after {slowest:g} s")
    load = round(os.getloadavg()[0], 1)  # starting a process takes as long as the machine is busy
    table = {"calls": rows, "whole": whole, "slowest_s": slowest, "load": load}
    await asyncio.to_thread(out.write_text, json.dumps(table, indent=1) + "\n")
    return 0 if whole == len(rows) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks.web.killed", description=__doc__)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.calls, given.out)))
