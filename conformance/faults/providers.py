"""Rows: what a provider of a stage does wrong, over the wire protocols that calls speak."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

from conformance.faults.certificates import Authority
from conformance.faults.house import Faults, Plan, make_agent
from conformance.faults.row import WHEN, Act, Lab, Row, Scene, hold, provider
from vivavoce.agent import Limits

HEARING, THINKING, SPEAKING = "live transcription", "thinking", "speech"
NAMES = {"hear": HEARING, "think": THINKING, "speak": SPEAKING}
OPEN = {"kind": "reset", "at": "delta"}
"""A socket that stands has no status to give: it breaks, and the next one is refused."""


def row(group: str, fault: str, act: Act, plan: Plan | None = None, **more: Any) -> Row:
    """Return a row that holds a call over a websocket."""
    name = f"{group}: {fault}"
    run = partial(_hold, name=name, act=act, plan=plan)
    return Row(group, fault, WHEN.get(act.at, act.at), run, **more)


async def _hold(lab: Lab, name: str, act: Act, plan: Plan | None) -> Any:
    return await hold(lab, name, act, plan)


def one(stage: str, **fault: Any) -> Act:
    """Return the act of one stage that fails for a turn."""
    return provider({stage: [fault]})


STATUS = {
    401: "401, the key is not taken",
    402: "402, out of credits",
    404: "404, no such model",
    422: "422, the request is refused",
    429: "429, too many requests",
    500: "500",
    502: "502",
    503: "503",
    504: "504",
}
SOCKET_CODES = (1000, 1001, 1008, 1011, 1012)


def rows() -> Iterator[Row]:
    """Return all of them."""
    yield from _hearing()
    yield from _thinking()
    yield from _speaking()
    yield from _standing_behind()
    yield from _lines()


def _hearing() -> Iterator[Row]:
    for status in (401, 402, 404, 429, 503):
        refused = {"kind": "status", "status": status}
        act = provider({"hear": [refused, OPEN]})
        yield row(HEARING, f"the socket breaks, then {STATUS[status]}", act)
    for code in SOCKET_CODES:
        fault = {"kind": "close", "code": code, "at": "delta"}
        yield row(HEARING, f"closed with {code} amid an utterance", one("hear", **fault))
    yield row(HEARING, "reset (1006) amid an utterance", one("hear", **OPEN))
    error = {"kind": "error", "code": 3804, "at": "delta"}
    yield row(HEARING, "error 3804 amid an utterance", one("hear", **error))
    yield row(HEARING, "silent amid an utterance", one("hear", kind="stall", at="delta"))
    yield row(HEARING, "the final text never comes", one("hear", kind="lost_done"))
    yield row(
        HEARING, "the final text comes 4 s late", one("hear", kind="slow", at="done", ms=4000)
    )
    empty = dataclasses.replace(one("hear", kind="empty"), wordless=True)
    yield row(HEARING, "no word is understood", empty)
    yield row(HEARING, "a message that is no JSON", one("hear", kind="garbage", at="delta"))
    yield row(HEARING, "cut within a message", one("hear", kind="cut", at="delta"))
    yield row(HEARING, "a message of 8 MiB", one("hear", kind="huge", at="delta"))
    page = provider({"hear": [{"kind": "page"}, OPEN]})
    yield row(HEARING, "a proxy's web page instead of the socket", page)
    vllm = Plan(dialects={"hear": "vllm"})
    yield row(HEARING, "vLLM: reset amid an utterance", one("hear", **OPEN), vllm)
    full = one("hear", kind="full", at="delta")
    yield row(HEARING, "vLLM: its context is full", full, vllm)


def _thinking() -> Iterator[Row]:
    for status, text in STATUS.items():
        yield row(THINKING, text, one("think", kind="status", status=status))
    soon = one("think", kind="status", status=429, retry_after=2)
    yield row(THINKING, "429, Retry-After 2 s", soon)
    yield row(THINKING, "nothing before the first byte", one("think", kind="stall"))
    yield row(THINKING, "silent within the answer", one("think", kind="stall", after=3))
    yield row(THINKING, "reset within the answer", one("think", kind="reset", after=3))
    yield row(THINKING, "an event that is no JSON", one("think", kind="garbage", after=3))
    yield row(THINKING, "cut within an event", one("think", kind="cut", after=3))
    yield row(THINKING, "a proxy's web page with status 200", one("think", kind="page"))
    yield row(THINKING, "an empty answer", one("think", kind="empty"))
    yield row(THINKING, "an answer without end", one("think", kind="endless", after=3))
    bounded = Plan(agent=partial(make_agent, limits=Limits(reply=100)))
    cut = one("think", kind="endless", after=3)
    yield row(THINKING, "an answer without end, with Limits(reply=100)", cut, bounded)
    yield row(THINKING, "an event of 8 MiB", one("think", kind="huge", after=1))
    yield row(THINKING, "a byte every 40 ms", one("think", kind="trickle", ms=40, after=1))
    vllm = Plan(dialects={"think": "vllm"})
    yield row(THINKING, "vLLM: 500", one("think", kind="status", status=500), vllm)
    yield row(
        THINKING, "vLLM: an error within the stream", one("think", kind="error", after=3), vllm
    )


def _speaking() -> Iterator[Row]:
    for status in (401, 402, 404, 422, 429, 500, 503):
        yield row(SPEAKING, STATUS[status], one("speak", kind="status", status=status))
    yield row(SPEAKING, "nothing before the first byte", one("speak", kind="stall"))
    yield row(SPEAKING, "silent within a sentence", one("speak", kind="stall", after=6))
    yield row(SPEAKING, "reset within a sentence", one("speak", kind="reset", after=6))
    yield row(SPEAKING, "an event that is no JSON", one("speak", kind="garbage", after=3))
    yield row(SPEAKING, "cut within an event", one("speak", kind="cut", after=6))
    yield row(SPEAKING, "a proxy's web page with status 200", one("speak", kind="page"))
    yield row(SPEAKING, "no sound", one("speak", kind="empty"))
    yield row(SPEAKING, "sound without end", one("speak", kind="endless", after=3))
    yield row(SPEAKING, "a byte every 40 ms", one("speak", kind="trickle", ms=40, after=1))
    yield row(SPEAKING, "twice the sample rate", one("speak", kind="octave"))
    socket = Plan(dialects={"speak": "mistral-realtime"})
    act = one("speak", kind="reset", after=6)
    yield row(SPEAKING, "Voxtral 3's socket: reset within a sentence", act, socket)
    vllm = Plan(dialects={"speak": "vllm"})
    yield row(SPEAKING, "vLLM: reset within a sentence", one("speak", kind="reset", after=2), vllm)


def _standing_behind() -> Iterator[Row]:
    """With a second provider behind the first."""
    group, bad = "two providers", {"kind": "status", "status": 503}
    firsts: dict[str, Faults] = {
        "the first transcriber breaks and refuses": {"hear": [bad, OPEN]},
        "the first chat model is silent": {"think": [{"kind": "stall"}]},
        "the first speaker breaks within a sentence": {"speak": [{"kind": "reset", "after": 6}]},
    }
    for fault, faults in firsts.items():
        yield row(group, fault, provider(faults), Plan(then=1))

    async def strike(scene: Scene) -> None:
        for which in (0, 1):
            await scene.house.strike({"think": [bad]}, which=which)

    async def lift(scene: Scene) -> None:
        for which in (0, 1):
            await scene.house.strike({}, which=which)

    yield row(group, "both chat models refuse", Act(strike, lift=lift), Plan(then=1))


def _lines() -> Iterator[Row]:
    """What is between a server and its providers."""
    group = "the server's network"

    def wires(state: str) -> Act:
        async def strike(scene: Scene) -> None:
            for wire in scene.house.wires.values():
                await wire.turn(state)  # type: ignore[arg-type]

        async def lift(scene: Scene) -> None:
            for wire in scene.house.wires.values():
                await wire.turn("up")

        return Act(strike, lift=lift)

    yield row(group, "every provider refuses connections", wires("refused"), Plan(wired=True))
    yield row(group, "new connections hang", wires("silent"), Plan(wired=True))

    async def five_seconds(scene: Scene) -> None:
        async def down() -> None:
            for wire in scene.house.wires.values():
                await wire.turn("down")
            await asyncio.sleep(5)
            for wire in scene.house.wires.values():
                await wire.turn("up")
            scene.mark("lift")

        scene.task = asyncio.create_task(down(), name="down for 5 s")

    yield row(group, "nothing passes for 5 s", Act(five_seconds), Plan(wired=True))

    async def nothing(_scene: Scene) -> None: ...

    nowhere = Plan(urls=dict.fromkeys(("hear", "think", "speak"), "http://models.invalid"), then=1)
    yield row(group, "the first provider's name is not resolved", Act(nothing, at="start"), nowhere)

    async def expires(scene: Scene) -> None:
        for wire in scene.house.wires.values():
            wire.present(Authority.shared().server(expired=True))()

    async def renewed(scene: Scene) -> None:
        for wire in scene.house.wires.values():
            wire.present(Authority.shared().server())()

    def good() -> ssl.SSLContext:
        return Authority.shared().server()

    act = Act(expires, lift=renewed)
    yield row(group, "the providers' certificate expires", act, Plan(wired=True, tls=good))

    async def other(scene: Scene) -> None:
        for wire in scene.house.wires.values():
            wire.present(Authority.shared().server(name="elsewhere.example"))()

    act = Act(other, lift=renewed)
    yield row(group, "a certificate of another name", act, Plan(wired=True, tls=good))
