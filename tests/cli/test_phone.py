"""`vivavoce phone`: what a setup file says, and the command as a user runs it."""

from __future__ import annotations

import asyncio
import sys
from datetime import time
from pathlib import Path

import pytest

from tests.phone.conftest import Bot, local_trunk
from vivavoce.cli.phone import read_setup
from vivavoce.phone import Exposure, PhoneError, Srtp, Station

ROOT = Path(__file__).parents[2]
FILE = """
[phone]
listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
public = "203.0.113.7"
rtp = [20000, 20999]
max_calls = 20
ring_time = 2.5
srtp = "optional"

[[trunk]]
name = "carrier"
host = "sip.example.com"
user = "+33123456789"
auth_user = "account"
password_env = "CARRIER_PASSWORD"
register = true
allow = ["198.51.100.0/24"]
srtp = "required"
codecs = ["PCMA"]
numbers = { "+33123456789" = "restaurant", "*" = "desk" }

[phones.alice]
password = "wonder"

[policy]
numbers = ["+33*"]
hours = ["09:00", "20:00"]
zone = "UTC"
"""


def setup(tmp_path: Path, text: str, flags=None, allow=()):
    path = tmp_path / "phone.toml"
    path.write_text(text)
    return read_setup(path, flags or {}, allow)


def test_a_setup(tmp_path, monkeypatch):
    monkeypatch.setenv("CARRIER_PASSWORD", "secret")
    found = setup(tmp_path, FILE, {"max_calls": 3, "public": None, "listen": ()})
    assert found.exposure.max_calls == 3
    assert found.exposure.public == "203.0.113.7"
    assert found.exposure.rtp == range(20_000, 21_000)
    assert found.exposure.srtp is Srtp.OPTIONAL
    assert found.exposure.phones == {"alice": "wonder"}
    assert found.ring_time == 2.5
    (trunk,) = found.trunks
    assert (trunk.credentials.user, trunk.credentials.password) == ("account", "secret")
    assert trunk.register
    assert trunk.srtp is Srtp.REQUIRED
    assert trunk.numbers == {"+33123456789": "restaurant", "*": "desk"}
    assert found.policy.hours == (time(9), time(20))
    assert "secret" not in repr(found)
    assert "wonder" not in repr(found)


def test_without_a_file():
    found = read_setup(None, {"listen": ("udp:127.0.0.1:7000",)}, ("192.0.2.0/24", "192.0.3.1"))
    assert found.exposure.listen == ("udp:127.0.0.1:7000",)
    (trunk,) = found.trunks
    assert (trunk.name, trunk.allow) == ("peers", ("192.0.2.0/24", "192.0.3.1"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "not valid TOML"),
        ("[telephone]\n", "no 'telephone'"),
        ("[phone]\nports = 1\n", "no 'ports'"),
        ("[phone]\nsrtp = 'maybe'\n", "off, optional or required"),
        ("[phone]\ntls_certificate = 'missing.pem'\n", "cannot use the certificate"),
        ("[[trunk]]\nname = 'x'\n", "needs a name and a host"),
        ("[[trunk]]\nname = 'x'\nhost = 'h'\npasword = 'y'\n", "no 'pasword'"),
        ("[[trunk]]\nname = 'x'\nhost = 'h'\npassword_env = 'NOT_SET'\n", "no NOT_SET"),
        ("[[trunk]]\nname = 'x'\nhost = 'a b'\n", "neither a host name"),
        ("[phones.alice]\n", "password_env"),
        ("[policy]\ndays = [9]\n", "days"),
        ("[policy]\nnumber = ['+33']\n", "no 'number'"),
        ("[retries]\nattempts = 0\n", "1 to 20"),
        ("[retries]\ntries = 2\n", "no 'tries'"),
        ("[campaign]\nconcurrency = 0\n", "1 to 200"),
        ("[campaign]\nvoicemail = 'x'\n", "no 'voicemail'"),
        ("[audiosocket]\nlisten = '0.0.0.0:9092'\n", "who may come in"),
        ("[chan_websocket]\nport = 1\n", "no 'port'"),
    ],
)
def test_a_setup_that_is_wrong(tmp_path, text, why):
    with pytest.raises(PhoneError, match=why):
        setup(tmp_path, text)


def test_more_than_trunks(tmp_path):
    found = setup(
        tmp_path,
        """
[phone]
disclosure = true
consent = { en = "May we record?", fr = "On enregistre ?" }
[[trunk]]
name = "pbx"
host = "192.0.2.1"
refer = ["desk"]
[retries]
attempts = 3
busy = 60
[campaign]
concurrency = 7
message = "Call us."
beep = 10
""",
    )
    assert found.disclosure is True
    assert found.consent == {"en": "May we record?", "fr": "On enregistre ?"}
    assert found.trunks[0].refer == ("desk",)
    options = found.campaign
    assert (options.concurrency, options.retries.attempts, options.retries.busy) == (7, 3, 60)
    assert (options.screen.message, options.screen.beep) == ("Call us.", 10)
    assert found.exposure is not None


def test_ways_in_that_need_no_sip_port(tmp_path):
    found = setup(tmp_path, "[audiosocket]\nlisten = '127.0.0.1:0'\n[chan_websocket]\n")
    assert [(each.name, each.port) for each in found.entrances] == [
        ("audiosocket", 0),
        ("chan_websocket", 9093),
    ]
    assert found.exposure is None


def test_a_network_that_is_none():
    with pytest.raises(PhoneError, match="--allow nobody"):
        read_setup(None, {}, ("nobody",))


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
