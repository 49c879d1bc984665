"""Configurations, and those that are refused."""

from __future__ import annotations

import pytest

from tests.phone.peers import HERE
from vivavoce.phone import Exposure, PhoneError, Trunk
from vivavoce.phone.exposure import guard, listener, place
from vivavoce.phone.sip.decisions import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", Address("udp", "127.0.0.1", 5060)),
        ("tls:127.0.0.1", Address("tls", "127.0.0.1", 5061)),
        ("tcp:[::1]:7", Address("tcp", "::1", 7)),
        ("::1", Address("udp", "::1", 5060)),
    ],
)
def test_listeners(text, address):
    assert listener(text) == address
    assert listener(place(address)) == address


@pytest.mark.parametrize("text", ["", "udp:", "example.com:5060", "127.0.0.1:x", "sctp:127.0.0.1"])
def test_what_is_no_listener(text):
    with pytest.raises(PhoneError, match="listen on"):
        listener(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "[::]", "10.0.0.1"])
def test_an_open_door_is_refused(host):
    exposure = Exposure(listen=(f"udp:{host}:5060",))
    with pytest.raises(PhoneError, match="without knowing who may call"):
        guard(exposure, [])
    guard(exposure, [Trunk("carrier", "sip.example.com")])
    guard(Exposure(listen=(f"udp:{host}:5060",), phones={"a": "b"}), [])


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_the_whole_internet_is_no_allow_list(network):
    with pytest.raises(PhoneError, match="whole internet"):
        guard(Exposure(), [Trunk("t", HERE, allow=(network,))])


@pytest.mark.parametrize(
    "options",
    [
        {"listen": ()},
        {"listen": ("tls:127.0.0.1:0",)},
        {"public": "example.com"},
        {"max_calls": 0},
        {"rtp": range(1)},
        {"silence_limit": 0},
        {"codecs": ("SPEEX",)},
    ],
    ids=str,
)
def test_an_exposure_that_makes_no_sense(options):
    with pytest.raises(PhoneError):
        Exposure(**options)


def test_passwords_are_not_shown():
    assert "secret" not in repr(Exposure(phones={"alice": "secret"}))


@pytest.mark.parametrize(
    "options", [{"public": "name"}, {"codecs": ()}, {"codecs": ("SPEEX",)}], ids=str
)
def test_a_trunk_that_makes_no_sense(options):
    with pytest.raises(ValueError, match="trunk 't'"):
        Trunk("t", HERE, **options)
