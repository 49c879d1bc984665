"""`vivavoce phone --campaign`, as a user runs it."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from pathlib import Path

from tests.cli.commands import environment
from tests.phone.conftest import Bot, local_trunk
from vivavoce.phone import Exposure, Station

ROOT = Path(__file__).parents[2]
SETUP = """
[phone]
listen = ["127.0.0.1:0"]
[[trunk]]
name = "lab"
host = "127.0.0.1"
port = {port}
[policy]
numbers = ["1*"]
hours = ["00:00", "23:59:59.999999"]
[campaign]
concurrency = 2
ring_time = 5
"""


async def campaign(tmp_path: Path, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vivavoce.cli.main", "phone", ROOT / "examples" / "restaurant.py"),
        *("--setup", tmp_path / "phone.toml", "--campaign", tmp_path / "people.csv"),
        *("--models", "sandbox", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


async def test_everybody_is_called_and_the_summary_tells(tmp_path):
    house = Bot()
    house.reject = 486
    exposure = Exposure(listen=("udp:127.0.0.1:0",), rtp=range(40_000, 48_000))
    (tmp_path / "people.csv").write_text("number,name,city\n101,Ann,Lyon\n102,Bob,Nice\n+44,X,\n")
    async with Station(house.take, trunks=[local_trunk()], exposure=exposure) as there:
        (tmp_path / "phone.toml").write_text(SETUP.format(port=there.local[0].port))
        code, out, err = await campaign(tmp_path)
        assert code == 0, err
        assert sorted(line.number for line in house.lines) == ["101", "102"]
        assert "busy" in out
        assert "67%" in out
        # There is nobody left to call.
        code, out, err = await campaign(tmp_path, "--json")
        assert code == 0, err
        assert len(house.lines) == 2
    assert json.loads(out) == {"event": "summary", "busy": 2, "forbidden": 1}
    with (tmp_path / "people-results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows if row["number"] == "101"] == ["calling", "busy"]


async def test_no_campaign_without_a_policy(tmp_path):
    (tmp_path / "people.csv").write_text("number\n101\n")
    (tmp_path / "phone.toml").write_text("[phone]\nlisten = ['127.0.0.1:0']\n")
    code, out, err = await campaign(tmp_path)
    assert code == 2
    assert "needs a policy" in err
    assert not out
    assert not (tmp_path / "people-results.csv").exists()
