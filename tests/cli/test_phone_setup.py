"""What a telephone's file says, and the command line over it."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from vivavoce.cli.phone_setup import read_phone
from vivavoce.phone import PhoneError, Srtp

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
    return read_phone(path, flags or {}, allow)


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
    found = read_phone(None, {"listen": ("udp:127.0.0.1:7000",)}, ("192.0.2.0/24", "192.0.3.1"))
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
        read_phone(None, {}, ("nobody",))
