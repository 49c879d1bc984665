"""A telephone on PJSIP for tests: its wheel from PyPI, in a folder of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.phone.peers import Program, read, running, write
from tests.ports import HERE, free_port

FOLDER = Path(sys.prefix) / "pjsip"
PHONE = Path(__file__).with_name("pjsip_phone.py")


class Pjsip:
    """A telephone that is steered over its standard input."""

    def __init__(self, program: Program, port: int, records: Path) -> None:
        self.program, self.port = program, port
        self._records = records

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it told, in order."""
        lines = self.program.text.split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith('{"event"')]

    async def do(self, what: str, **more: object) -> None:
        await self.program.tell(json.dumps({"do": what, **more}))

    async def until(self, event: str, within: float = 20.0, times: int = 1, **more: object) -> dict:
        """Wait until it told something for so many times; return the last one."""
        wanted = {"event": event, **more}
        found: list[dict[str, Any]] = []

        def told(_text: str) -> bool:
            found[:] = [each for each in self.events if wanted.items() <= each.items()]
            return len(found) >= times

        await self.program.until(told, within)
        return found[times - 1]

    async def heard(self) -> tuple[np.ndarray, int]:
        """What it heard; it is ended, so that its recording is whole."""
        await self.do("quit")
        await self.program.process.wait()
        return read(self._records)


@asynccontextmanager
async def pjsip(
    folder: Path, plays: np.ndarray, *, transport: str = "udp", **given: Any
) -> AsyncIterator[Pjsip]:
    """Run a PJSIP that plays samples (int16, 8 kHz) and records what it hears.

    Args:
        folder: For its files.
        plays: What it says, again and again.
        transport: `udp`, `tcp` or `tls`.
        given: More of what `pjsip_phone.py` reads: `srtp`, `reliable`, `timer`, `shown`,
            `answers` (the status that a call gets at once; 0 lets it ring), `codec`.
    """
    if not FOLDER.is_dir():
        pytest.skip("needs PJSIP's wheel: make dev (there is none for some Pythons)")
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment
    port, records = free_port(), folder / "heard.wav"
    options = {
        "port": port,
        "media": free_port(8),
        "transport": transport,
        "plays": str(write(folder / "plays.wav", plays)),
        "records": str(records),
        **{name: str(value) if isinstance(value, Path) else value for name, value in given.items()},
    }
    command = [sys.executable, "-S", "-B", PHONE, json.dumps(options)]
    async with running(*command, cwd=folder, told=True, PYTHONPATH=str(FOLDER)) as program:
        phone = Pjsip(program, port, records)
        await phone.until("ready")
        yield phone


def uri(port: int, transport: str = "udp", user: str = "bot") -> str:
    return f"sip:{user}@{HERE}:{port}" + ("" if transport == "udp" else f";transport={transport}")
