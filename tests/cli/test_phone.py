"""`vivavoce phone`: the command as a user runs it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.phone.conftest import Bot, local_trunk
from vivavoce.phone import Exposure, Station

ROOT = Path(__file__).parents[2]


async def run(*arguments: str, **environment: str):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "vivavoce.cli.main",
        "phone",
        str(ROOT / "examples" / "restaurant.py"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--listen", "192.0.2.1:5060"), "without knowing who may call"),
        (("--listen", "192.0.2.1", "--allow", "0.0.0.0/0"), "whole internet"),
        (("--listen", "nowhere"), "listen on"),
    ],
    ids=["open", "everybody", "nowhere"],
)
async def test_an_open_door_is_refused(arguments, why):
    process = await run(*arguments, "--models", "sandbox")
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert why in err.decode()
    assert len(err.decode().strip().splitlines()) == 1
    assert not out


async def test_it_calls_and_leaves_a_record(tmp_path):
    """The command calls a number; who is called hears the greeting and hangs up."""
    callee = Bot()
    exposure = Exposure(listen=("udp:127.0.0.1:0",), rtp=range(40_000, 48_000))
    async with Station(callee.take, trunks=[local_trunk()], exposure=exposure) as there:
        path = tmp_path / "phone.toml"
        port = there.local[0].port
        path.write_text(f"[[trunk]]\nname = 'lab'\nhost = '127.0.0.1'\nport = {port}\n")
        process = await run(
            "--listen", "127.0.0.1:0", "--setup", str(path), "--dial", "100", "--out",
            str(tmp_path / "calls"), "--json", "--models", "sandbox",
        )  # fmt: skip
        try:
            await callee.until(lambda: any(abs(pcm).max() > 2000 for pcm in callee.heard), 60)
            callee.lines[0].hang_up()
            out, err = await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, err.decode()
    assert '"event": "record"' in out.decode()
    (entry,) = (tmp_path / "calls").glob("*.json")
    assert '"number": "100"' in entry.read_text()
    assert list((tmp_path / "calls").glob("*.wav"))
