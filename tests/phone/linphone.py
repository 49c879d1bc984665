"""Debian's linphone for tests: a telephone that is steered over its standard input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from tests.phone.peers import Program, needs, read, running, write
from tests.ports import HERE, free_port

# It rewrites this file, and drops `use_ipv6` from one that it takes for an old one.
CONFIG = """[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
bind_address={here}
auto_net_state_mon=0
register_only_when_network_is_up=0
ipv6_migration_done=1
use_ipv6=0
[rtp]
audio_rtp_port={media}-{last}
bind_address={here}
"""


class Linphone:
    """A running linphone."""

    def __init__(self, program: Program, folder: Path, port: int) -> None:
        self.program, self.folder, self.port = program, folder, port

    async def do(self, command: str) -> None:
        await self.program.tell(command)

    async def says(self, what: str, within: float = 20.0) -> None:
        await self.program.says(what, within)

    async def heard(self) -> tuple[np.ndarray, int]:
        """What it heard in its last call; it is ended."""
        await self.do("quit")
        await self.program.process.wait()
        return read(self.folder / "heard.wav")


@asynccontextmanager
async def linphone(
    folder: Path, plays: np.ndarray, *, answers: bool = False
) -> AsyncIterator[Linphone]:
    """Run a linphone that plays samples (int16, 8 kHz) again and again, and records.

    Its SDP names whatever address it takes for the machine's, while its packets come from
    127.0.0.1: as behind a NAT.
    """
    program = needs("linphonec")
    # Without the folder of its data it starts, and hears nothing.
    (folder / ".local/share/linphone").mkdir(parents=True)
    port, media = free_port(), free_port(8)
    config = folder / "linphonerc"
    config.write_text(CONFIG.format(here=HERE, port=port, media=media, last=media + 7))
    source = write(folder / "plays.wav", plays)
    options = ["-a"] if answers else []
    async with running(program, "-c", config, *options, cwd=folder, told=True) as peer:
        phone = Linphone(peer, folder, port)
        await phone.says("linphonec>")
        for command in ("soundcard use files", f"play {source}", f"record {folder / 'heard.wav'}"):
            await phone.do(command)
        yield phone
