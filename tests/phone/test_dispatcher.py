"""Two stations behind a Kamailio, with the configuration that is shipped."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.phone.certificates import certificate, server
from tests.phone.conftest import Bot
from tests.phone.peers import needs, running, sipp
from tests.phone.scenarios import ANSWERED, pause, scenario, sdp, send
from tests.phone.test_kamailio import _modules
from tests.ports import HERE, free_port
from vivavoce.phone import DialError

DEPLOY = Path(__file__).parents[2] / "deploy" / "kamailio"


def configured(
    folder: Path, port: int, processes: list[int], carrier: int = 9, flags: int = 0
) -> Path:
    """Write what is shipped with only its addresses, its modules' place and its pace changed."""
    listed = folder / "dispatcher.list"
    rows = (f"1 sip:{HERE}:{each} {flags} 0 duid={each}\n" for each in processes)
    listed.write_text("".join(rows))
    text = (DEPLOY / "kamailio.cfg").read_text()
    for ours, theirs in (
        ("!203.0.113.7!", f"!{HERE}!"),
        ("!5060!", f"!{port}!"),
        ("!5061!", f"!{port + 1}!"),
        ("/etc/kamailio/tls.cfg", str(folder / "tls.cfg")),
        ("198.51.100.0/24", f"{HERE}/32"),
        ("sip:198.51.100.10:5060", f"sip:{HERE}:{carrier}"),
        ("/etc/kamailio/dispatcher.list", str(listed)),
        ("unix:/run/kamailio/kamailio_ctl", f"unix:{folder}/ctl"),
        ('"ds_ping_interval", 5', '"ds_ping_interval", 1'),
        (
            "debug=0\nlog_stderror=no\nchildren=4\ntcp_children=4",
            f'debug=2\nlog_stderror=yes\nchildren=1\ntcp_children=1\nmpath="{_modules()}/"',
        ),
    ):
        assert ours in text, ours
        text = text.replace(ours, theirs)
    config = folder / "kamailio.cfg"
    config.write_text(text)
    return config


@asynccontextmanager
async def dispatcher(
    folder: Path, port: int, processes: list[int], carrier: int = 9, *more: str, flags: int = 0
):
    """Run it in front of processes, by their ports."""
    program = needs("kamailio")
    config = configured(folder, port, processes, carrier, flags)
    command = [program, "-DD", "-E", "-f", config, "-m", "32", "-M", "4", "-Y", folder, *more]
    async with running(*command, "-w", folder, cwd=folder) as it:
        yield it


async def control(folder: Path, *words: str) -> str:
    """Ask the running Kamailio as an operator does; "" while it does not answer."""
    async with running(needs("kamcmd"), "-s", f"unix:{folder}/ctl", *words, cwd=folder) as it:
        code = await asyncio.wait_for(it.process.wait(), 30)
    return "" if code else it.text


async def until_listed(folder: Path, good) -> None:
    """Wait until what `dispatcher.list` says is good."""
    async with asyncio.timeout(60):
        while True:
            if good(await control(folder, "dispatcher.list")):
                return
            await asyncio.sleep(0.2)


async def dial(here, within: float = 15.0):
    """Call, again while Kamailio is starting."""
    async with asyncio.timeout(within):
        while True:
            try:
                return await here.dial("100", ring_time=10)
            except DialError as error:
                if error.code not in {408, 503}:
                    raise
                await asyncio.sleep(0.2)


async def test_a_call_goes_where_the_fewest_are_and_whoever_is_full_or_gone_is_passed_over(
    station, tmp_path
):
    bots = [Bot(440), Bot(550)]
    port, carrier = free_port(), Bot(300)
    behind = [
        await station(bot.take, exposure={"max_calls": 2}, host=HERE, port=port) for bot in bots
    ]
    outside = await station(carrier.take, port=port, transport="udp")
    processes = [each.local[0].port for each in behind]
    async with dispatcher(tmp_path, port, processes, outside.local[0].port):
        lines = [await dial(outside)]
        lines += [await outside.dial("100") for _ in range(3)]
        assert [len(bot.lines) for bot in bots] == [2, 2]
        # Both are full: nobody is left.
        with pytest.raises(DialError) as caught:
            await outside.dial("100")
        assert caught.value.code == 503
        # Both calls of the first station end: the next two are its, not one of each.
        for line in list(bots[0].lines):
            line.hang_up()
        async with asyncio.timeout(10):
            while sum(bool(line.ended) for line in lines) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        lines += [await outside.dial("100") for _ in range(2)]
        assert [len(bot.lines) for bot in bots] == [4, 2]
        for line in lines:
            line.hang_up()
        await bots[0].until(lambda: not behind[0].lines and not behind[1].lines)
        # The second one is gone: its calls go to the first, as soon as that shows.
        await behind[1].close()
        for _ in range(2):
            line = await outside.dial("100", ring_time=20)
            line.hang_up()
            assert await line.over(5)
        assert len(bots[0].lines) == 6


async def test_one_that_drains_gets_no_calls_and_keeps_its_own(station, tmp_path):
    bots, port = [Bot(440), Bot(550)], free_port()
    behind = [await station(bot.take, host=HERE, port=port) for bot in bots]
    outside = await station(Bot().take, port=port, transport="udp")
    processes = [each.local[0].port for each in behind]
    async with dispatcher(tmp_path, port, processes):
        lines = [await dial(outside), await outside.dial("100")]
        assert [len(bot.lines) for bot in bots] == [1, 1]
        draining = asyncio.create_task(behind[0].drain(30))
        await asyncio.sleep(0)
        # At once: it says 503 itself. Then its answer to a ping takes it out.
        lines += [await outside.dial("100") for _ in range(2)]
        assert [len(bot.lines) for bot in bots] == [1, 3]
        assert behind[0].refused["closing"]
        await until_listed(tmp_path, lambda told: "FLAGS: IP" in told)
        asked = behind[0].refused["closing"]
        lines.append(await outside.dial("100"))
        assert behind[0].refused["closing"] == asked
        # What belongs to its call reaches it all the same: a hold, and the end.
        assert not draining.done()
        (kept,) = (line for line in lines if line.call_id == bots[0].lines[0].call_id)
        assert await kept.hold()
        await bots[0].until(lambda: bots[0].lines[0].held)
        kept.hang_up()
        await asyncio.wait_for(draining, 10)
        assert [len(bot.lines) for bot in bots] == [1, 4]
        for line in lines:
            line.hang_up()
        await bots[1].until(lambda: not behind[1].lines)


ROUTED = (
    send("INVITE", 1, sdp(), to="")
    + ANSWERED.replace('response="200"', 'response="200" rrs="true"')
    + "".join(
        step.replace("sip:[service]@[remote_ip]:[remote_port] SIP/2.0", "[next_url] SIP/2.0")
        .replace("Max-Forwards: 70\n", "Max-Forwards: 70\n[routes]\n")
        for step in (send("ACK", 1), pause(1.5), send("BYE", 2))
    )
    + '<recv response="200"/>'
)  # fmt: skip


@pytest.mark.parametrize(
    ("transport", "more"), [("t1", ()), ("u1", ("-A", "WITH_RELOAD"))], ids=["tcp", "in turns"]
)
async def test_calls_of_sipp_are_spread_and_each_ends_where_it_is(
    station, tmp_path, transport, more
):
    """By TCP they go on by UDP: Record-Route says both, and the BYE finds its way."""
    bots, port = [Bot(440), Bot(550)], free_port()
    behind = [await station(bot.take, host=HERE, port=port) for bot in bots]
    processes = [each.local[0].port for each in behind]
    # As `run` lists them: nobody gets a call before they have answered a ping.
    async with dispatcher(tmp_path, port, processes, 9, *more, flags=9):
        await until_listed(tmp_path, lambda told: told.count("FLAGS: AP") == 2)
        code, logged = await sipp(
            port, tmp_path, "-s", "100", "-m", "8", "-r", "10", "-t", transport,
            scenario=scenario(ROUTED),
        )  # fmt: skip
        assert code == 0, logged
        lines = [line for bot in bots for line in bot.lines]
        assert min(len(bot.lines) for bot in bots) >= 3, [len(bot.lines) for bot in bots]
        for line in lines:
            assert await line.over(5)
            assert line.farewell == "the caller hung up"
        if more:
            assert "Ok" in await control(tmp_path, "dispatcher.reload")


async def test_a_carrier_by_tls_reaches_stations_by_udp(station, tmp_path):
    """Record-Route names both sides, and so the end of a call finds its way from either."""
    if not (_modules() / "tls.so").exists():
        pytest.skip("needs Debian's kamailio-tls-modules: apt install kamailio-tls-modules")
    pem = certificate(tmp_path, "kamailio")
    text = (DEPLOY / "tls.cfg").read_text()
    for name in ("key", "certificate"):
        text = text.replace(f"/etc/kamailio/tls/{name}.pem", str(pem))
    (tmp_path / "tls.cfg").write_text(text)
    bots, port = [Bot(440), Bot(550)], free_port()
    behind = [await station(bot.take, host=HERE, port=port) for bot in bots]
    exposure = {
        "listen": ("tls:127.0.0.1:0",),
        "server_tls": server(certificate(tmp_path, "carrier")),
        "client_tls": ssl.create_default_context(cafile=str(pem)),
    }
    outside = await station(port=port + 1, transport="tls", exposure=exposure)
    processes = [each.local[0].port for each in behind]
    words = ("-A", "WITH_TLS")
    async with dispatcher(tmp_path, port, processes, 9, *words, flags=9):
        await until_listed(tmp_path, lambda told: told.count("FLAGS: AP") == 2)
        lines = [await dial(outside), await outside.dial("100")]
        assert [len(bot.lines) for bot in bots] == [1, 1]
        # One is ended from outside, the other one from within.
        lines[0].hang_up()
        ended = next(bot.lines[0] for bot in bots if bot.lines[0].call_id == lines[0].call_id)
        assert await ended.over(10)
        inner = next(bot.lines[0] for bot in bots if bot.lines[0].call_id == lines[1].call_id)
        assert not inner.ended
        inner.hang_up()
        assert await lines[1].over(10)
        assert lines[1].farewell


async def test_calls_of_ours_go_to_the_carrier(station, tmp_path):
    port, carrier, ours = free_port(), Bot(700), Bot(440)
    outside = await station(carrier.take)
    behind = await station(ours.take, port=port, transport="udp")
    async with dispatcher(tmp_path, port, [behind.local[0].port], outside.local[0].port):
        async with asyncio.timeout(20):
            while True:
                try:
                    line = await behind.dial("+33123", ring_time=10)
                    break
                except DialError:
                    await asyncio.sleep(0.2)
        talking = asyncio.create_task(ours.talk(line))
        await ours.hears_tone(700, 0.6)
        assert carrier.lines[0].number == "+33123"
        line.hang_up()
        await asyncio.wait_for(talking, 10)


def test_what_is_shipped_is_well_formed(tmp_path):
    """As it is, with each of its options, by Kamailio's own check."""
    import subprocess

    program = needs("kamailio")
    text = (DEPLOY / "kamailio.cfg").read_text()
    options = ["", "WITH_RELOAD"]
    if (_modules() / "tls.so").exists():
        options.append("WITH_TLS")
    for option in options:
        words = ["-A", option] if option else []
        done = subprocess.run(
            [program, "-c", "-f", DEPLOY / "kamailio.cfg", *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    # It tells what is wrong where something is.
    wrong = tmp_path / "wrong.cfg"
    wrong.write_text(text.replace("t_on_failure", "t_on_failur"))
    done = subprocess.run(
        [program, "-c", "-f", wrong], capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert shutil.which("kamailio")
