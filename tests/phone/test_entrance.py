"""Who may come in by another way than SIP."""

from __future__ import annotations

import pytest

from vivavoce.phone.audiosocket import AudioSocket
from vivavoce.phone.chan_websocket import ChanWebSocket
from vivavoce.phone.entrance import Door
from vivavoce.phone.exposure import PhoneError
from vivavoce.pipelines.load import Gate


def full_gate():
    gate = Gate()
    for at in range(200):
        gate.strain.look(at * 0.02, late=0.5, loop=at * 0.02, process=at * 0.02)
    return gate


def test_this_machine_alone_unless_told():
    door = Door("x", "127.0.0.1:1", ())
    assert door.admits("127.0.0.1")
    assert door.admits("127.1.2.3")
    assert door.admits("::ffff:127.0.0.1")
    assert not door.admits("10.0.0.1")
    assert not door.admits("somebody")
    allowed = Door("x", "0.0.0.0:1", ["10.0.0.0/24", "2001:db8::1"])
    assert allowed.admits("10.0.0.7")
    assert allowed.admits("2001:db8::1")
    assert not allowed.admits("127.0.0.1")
    assert not allowed.admits("10.0.1.7")


@pytest.mark.parametrize("kind", [AudioSocket, ChanWebSocket])
@pytest.mark.parametrize(
    ("listen", "allow", "why"),
    [
        ("0.0.0.0:9092", (), "who may come in"),
        ("0.0.0.0:9092", ("0.0.0.0/0",), "whole internet"),
        ("10.0.0.1:9092", ("pbx",), "neither an address"),
        ("localhost:9092", (), "ADDRESS:PORT"),
        ("127.0.0.1", (), "ADDRESS:PORT"),
        ("127.0.0.1:x", (), "port is 0 to 65535"),
    ],
)
def test_doors_that_stand_open_or_make_no_sense(kind, listen, allow, why):
    with pytest.raises(PhoneError, match=why):
        kind(listen, allow=allow)


def test_calls_come_in_while_there_is_room(caplog):
    door = Door("x", "127.0.0.1:1", max_calls=2)
    assert not door.full()
    with door.call(), door.call():
        assert door.full() == "there are 2"
        assert "x: a call is refused: there are 2" in caplog.text
    assert not door.full()
    with pytest.raises(ZeroDivisionError), door.call():
        raise ZeroDivisionError
    assert door.calls == 0


def test_what_is_measured_refuses_calls_too():
    door = Door("x", "127.0.0.1:1")
    door.gate = full_gate()
    assert "ms late" in door.full()
    with door.call():
        assert door.calls == 1
