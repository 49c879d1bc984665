"""Rows: tools, records, and what looks after a server: scrapers, collectors, floods."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from conformance.faults.house import Plan, make_agent, store_in
from conformance.faults.providers import row
from conformance.faults.row import WHEN, Act, Finding, Lab, Row, Scene, hold
from conformance.faults.script import ANSWERS, FALLBACK
from conformance.faults.wire import Wire
from tests.web.storage import postgres
from vivavoce.agent import Agent
from vivavoce.tools import ToolError
from vivavoce.web.store import Store
from vivavoce.web.store_files import FileRecordings

TOOLS, RECORDS, WATCHING = "tools", "records", "what watches"
CALLS = {
    "table for": {"name": "find_seats", "arguments": {"people": 2}},
    "seven": ANSWERS[1],
    "": FALLBACK,
}
"""Turn 2 is answered with a tool's result; where there is none, with what a model makes of that."""


async def nothing(_scene: Scene) -> None:
    """Break nothing: what breaks is part of the plan."""


def rows() -> Iterator[Row]:
    """Return all of them."""
    yield from _tools()
    yield from _records()
    yield from _watching()


def _tooled(kind: str) -> Agent[Any]:
    agent = make_agent()

    @agent.tool(timeout=3)
    async def find_seats(people: int) -> str:
        """Find free seats.

        Args:
            people: How many will come.
        """
        if kind == "raises":
            raise RuntimeError(f"the book of {people} is not there")
        if kind == "refuses":
            raise ToolError("The book is closed today.")
        if kind == "hangs":
            await asyncio.sleep(600)
        if kind == "blocks":
            await asyncio.to_thread(__import__("time").sleep, 4)
        return "Seven is free. " + "It is by the window. " * (200_000 if kind == "floods" else 1)

    return agent


def _tools() -> Iterator[Row]:
    kinds = {
        "raises": "the tool raises",
        "refuses": "the tool refuses in words",
        "hangs": "the tool hangs (its time-out is 3 s)",
        "floods": "the tool returns 4 MB",
    }
    for kind, fault in kinds.items():
        plan = Plan(agent=partial(_tooled, kind), answers=CALLS)
        yield row(TOOLS, fault, Act(nothing), plan)
    yield Row(TOOLS, "the MCP server is killed", WHEN["before 2"], _mcp)


HOUSE = """
import os, sys
from mcp.server.mcpserver import MCPServer
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
server = MCPServer("house")

@server.tool()
def find_seats(people: int) -> str:
    '''Find free seats.'''
    return "Seven is free."

server.run()
"""


async def _mcp(lab: Lab) -> Finding:
    from vivavoce.tools.mcp import MCPServer

    with tempfile.TemporaryDirectory(prefix="vv-mcp-") as folder:
        pids = Path(folder) / "pids"

        def made() -> Agent[Any]:
            words = ["-W", "ignore", "-c", HOUSE, str(pids)]
            server = MCPServer.stdio(sys.executable, words, name="book")
            return make_agent(tools=[server])

        async def strike(_scene: Scene) -> None:
            os.kill(int(pids.read_text().split()[-1]), signal.SIGKILL)

        answers = {**CALLS, "table for": {"name": "find_seats", "arguments": {"people": 2}}}
        return await hold(
            lab,
            f"{TOOLS}: the MCP server is killed",
            Act(strike),
            Plan(agent=made, answers=answers),
        )


def _records() -> Iterator[Row]:
    async def lock(scene: Scene) -> None:
        base = sqlite3.connect(
            scene.house.folder / "calls.sqlite3", isolation_level=None, check_same_thread=False
        )
        await asyncio.to_thread(base.execute, "BEGIN IMMEDIATE")
        scene.kept["base"] = base

    async def unlock(scene: Scene) -> None:
        scene.kept["base"].rollback()
        scene.kept["base"].close()

    yield row(RECORDS, "SQLite is locked by another program", Act(lock, lift=unlock))

    async def deny(scene: Scene) -> None:
        spool = str(scene.house.folder / "spool")
        for words in (["--bind", spool, spool], ["-o", "remount,bind,ro", spool]):
            await asyncio.to_thread(subprocess.run, ["mount", *words], check=True)

    async def allow(scene: Scene) -> None:
        spool = str(scene.house.folder / "spool")
        await asyncio.to_thread(subprocess.run, ["umount", spool], check=False)

    act = Act(deny, at="house", leave=allow, silent=True, again=False)
    yield row(RECORDS, "the recordings' folder cannot be written", act, needs="root mount")
    for fault, state in (
        ("PostgreSQL is gone for a turn", "refused"),
        ("PostgreSQL does not answer for a turn", "down"),
        ("PostgreSQL is slow (0.3 s each way)", "slow"),
    ):
        run = partial(_postgres, fault=fault, state=state)
        yield Row(RECORDS, fault, WHEN["before 2"], run, needs="initdb")


async def _postgres(lab: Lab, fault: str, state: str) -> Finding:
    from vivavoce.web.store_postgres import PostgresDatabase

    stack = contextlib.ExitStack()
    url = await asyncio.to_thread(stack.enter_context, postgres())
    try:
        folder = url.partition("host=")[2]
        async with Wire(f"unix://{folder}/.s.PGSQL.5432") as wire:

            def store(where: Path) -> Store:
                base = PostgresDatabase(f"postgresql://viva@127.0.0.1:{wire.port}/postgres")
                return Store(base, FileRecordings(where / "recordings"), where / "spool")

            async def strike(_scene: Scene) -> None:
                if state == "slow":
                    wire.delay = 0.3
                else:
                    await wire.turn(state)  # type: ignore[arg-type]

            async def lift(_scene: Scene) -> None:
                wire.delay = 0.0
                await wire.turn("up")

            return await hold(lab, f"{RECORDS}: {fault}", Act(strike, lift=lift), Plan(store=store))
    finally:
        await asyncio.to_thread(stack.close)


def _watching() -> Iterator[Row]:
    async def hang(scene: Scene) -> None:
        """Ask for the metrics many times, and never read."""
        port = scene.house.server.port
        scene.kept["lines"] = []
        for _ in range(20):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**10)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            scene.kept["lines"].append(writer)

    async def let_go(scene: Scene) -> None:
        for writer in scene.kept["lines"]:
            writer.transport.abort()

    yield row(WATCHING, "20 scrapers that ask and never read", Act(hang, lift=let_go))

    async def flood(scene: Scene) -> None:
        async def ask() -> None:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as http:

                async def one() -> None:
                    while True:
                        with contextlib.suppress(aiohttp.ClientError):
                            async with http.get(f"{scene.house.url}/metrics") as answer:
                                await answer.read()
                        await asyncio.sleep(0.02)

                async with asyncio.timeout(8), asyncio.TaskGroup() as group:
                    for _ in range(8):
                        group.create_task(one())

        scene.task = asyncio.create_task(ask(), name="flood")

    yield row(WATCHING, "a flood of scrapes for 8 s", Act(flood))
    for fault, port in (("the collector of traces is not there", 9), ("it hangs", 0)):
        name = fault if port else "the collector of traces takes and never answers"
        yield Row(WATCHING, name, WHEN["house"], partial(_collector, name=name, port=port))


async def _collector(lab: Lab, name: str, port: int) -> Finding:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    taken: list[asyncio.StreamWriter] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        own = port or server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{own}/v1/traces"
        plan = Plan(exporter=OTLPSpanExporter(endpoint=url, timeout=2))
        return await hold(lab, f"{WATCHING}: {name}", Act(nothing, at="house"), plan)
    finally:
        server.close()
        for writer in taken:
            writer.transport.abort()


__all__ = ["rows", "store_in"]
