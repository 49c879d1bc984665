"""Registration with Kamailio, and calls through it: digest, Record-Route, 407."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from tests.phone.conftest import Bot, local_trunk
from tests.phone.peers import Program, baresip, needs, running, tone
from tests.ports import HERE, free_port
from vivavoce.phone import Credentials

CONFIG = """#!KAMAILIO
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:{here}:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("auth", "nonce_expire", 2)
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 5)
modparam("registrar", "max_expires", 12)
request_route {{
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("lab.test", "right", "0")) {{
            xlog("L_ERR", "CHALLENGED $rc\\n");
            www_challenge("lab.test", "1");
            exit;
        }}
        save("location");
        xlog("L_ERR", "SAVED $hdr(Expires)\\n");
        exit;
    }}
    if (is_method("CANCEL")) {{
        t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            xlog("L_ERR", "LOOSE $rm\\n");
            t_relay();
        }} else if (!is_method("ACK")) {{
            xlog("L_ERR", "NO ROUTE $rm\\n");
            sl_send_reply("404", "Not here");
        }}
        exit;
    }}
    if (is_method("INVITE") && $fU == "bot") {{
        if (!pv_proxy_authenticate("lab.test", "right", "0")) {{
            proxy_challenge("lab.test", "1");
            exit;
        }}
        xlog("L_ERR", "PROVED $au\\n");
        consume_credentials();
    }}
    record_route();
    if ($rU == "alice") {{
        $du = "sip:{here}:{other}";
    }} else if (!lookup("location")) {{
        sl_send_reply("404", "Nobody");
        exit;
    }}
    t_relay();
}}
"""


def _modules() -> Path:
    """Debian keeps them in a folder of the machine's architecture."""
    return next(iter(Path("/usr/lib").glob("*/kamailio/modules")))


@asynccontextmanager
async def kamailio(folder: Path, port: int, other: int = 9):
    program = needs("kamailio")
    modules = _modules()
    config = folder / "kamailio.cfg"
    config.write_text(CONFIG.format(here=HERE, port=port, other=other, modules=f"{modules}/"))
    command = [program, "-DD", "-E", "-f", config, "-m", "32", "-M", "4", "-Y", folder]
    async with running(*command, "-w", folder, cwd=folder) as it:
        yield it


def trunk(port: int, password: str = "right"):
    return local_trunk(
        port=port,
        transport="udp",
        user="bot",
        credentials=Credentials("bot", password),
        register=True,
        expires=60,
    )


async def saved(it: Program, times: int) -> None:
    await it.until(lambda text: text.count("SAVED") >= times, 20)


async def test_a_registration_and_its_refreshes_and_its_end(station, tmp_path):
    port = free_port()
    async with kamailio(tmp_path, port) as it:
        there = await station(trunks=[trunk(port)])
        assert await there.registration("lab")
        await saved(it, 1)
        # Twelve seconds are granted: it comes again in six, with a nonce that has expired.
        await saved(it, 2)
        assert there.registered["lab"]
        assert not there.refusals
        challenged = it.text.count("CHALLENGED")
        assert challenged == 2
        await there.close()
        await it.says("SAVED 0")
    assert not there.registered["lab"]


async def test_a_wrong_password(station, tmp_path):
    port = free_port()
    async with kamailio(tmp_path, port):
        there = await station(trunks=[trunk(port, "wrong")])
        assert not await there.registration("lab")
    assert there.refusals["lab"][0] == 401


async def test_calls_through_it(station, tmp_path):
    port, bot = free_port(), Bot()
    (tmp_path / "phone").mkdir()
    async with (
        baresip(
            tmp_path / "phone", tone(60, 1000), host=f"{HERE}:{port}", account=";answermode=auto"
        ) as phone,
        kamailio(tmp_path, port, phone.port) as it,
    ):
        there = await station(bot.take, trunks=[trunk(port)])
        assert await there.registration("lab")
        # In: by the registration. Its BYE comes through the proxy.
        await phone.do("dial", f"sip:bot@{HERE}:{port}")
        await phone.until("CALL_ESTABLISHED")
        await bot.hears(1.5)
        await phone.do("hangup")
        assert await bot.lines[0].over(10)
        # Out: the proxy wants us to prove who we are. Our ACK and BYE go through it.
        line = await there.dial("alice")
        await it.says("PROVED bot")
        talking = asyncio.create_task(bot.talk(line))
        await asyncio.sleep(0.5)
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        await it.until(lambda text: text.count("LOOSE BYE") >= 2)
        assert it.text.count("LOOSE ACK") >= 2
        assert "NO ROUTE" not in it.text
