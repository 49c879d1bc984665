"""Transactions: every timer of RFC 3261 §17 and RFC 6026, over UDP and over TCP."""

from __future__ import annotations

import pytest

from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.message import Message, Request, Response, parse
from vivavoce.phone.sip.timers import Alarms, Repeater, Timers
from vivavoce.phone.sip.transaction import ClientTransaction, ServerTransaction, State, server_key

UDP, TCP = Address("udp", "192.0.2.1", 5060), Address("tcp", "192.0.2.1", 5060)


def request(method: str = "INVITE", branch: str = "z9hG4bKa", tag: str = "") -> Request:
    message = parse(
        (
            f"{method} sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch={branch}\r\n"
            f"Route: <sip:192.0.2.5;lr>\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>{tag}\r\n"
            f"Call-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


class Bench:
    def __init__(self, method: str, address: Address, *, server: bool = False) -> None:
        self.alarms, self.now = Alarms(), 0.0
        self.sent: list[tuple[float, Message]] = []
        self.got: list[tuple[float, int]] = []
        self.closed: list[float] = []
        self.request = request(method)

        def send(message: Message) -> None:
            self.sent.append((self.now, message))

        def close(_key: object) -> None:
            self.closed.append(self.now)

        if server:
            self.server = ServerTransaction(
                self.request, address, self.alarms, Timers(), send, close
            )
        else:
            self.client = ClientTransaction(
                self.request, address, self.alarms, Timers(), send, self.deliver, close
            )
            self.client.start(0.0)

    def deliver(self, response: Response, now: float) -> None:
        self.got.append((now, response.status))

    def run(self, until: float) -> None:
        while (when := self.alarms.next) is not None and when <= until:
            self.now = when
            self.alarms.ring(when)
        self.now = until

    def take(self, status: int) -> None:
        self.client.receive(self.request.reply(status, tag="t"), self.now)

    def times(self) -> list[float]:
        return [when for when, _ in self.sent]


@pytest.mark.parametrize(
    ("method", "times"),
    [
        ("INVITE", [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]),
        ("BYE", [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]),
    ],
)
def test_silence(method, times):
    bench = Bench(method, UDP)
    bench.run(100)
    assert bench.times() == times
    assert bench.got == [(32, 408)]
    assert bench.closed == [32]
    reliable = Bench(method, TCP)
    reliable.run(100)
    assert reliable.times() == [0]
    assert reliable.got == [(32, 408)]


def test_a_provisional_response_stops_an_invite_and_slows_the_others():
    bench = Bench("INVITE", UDP)
    bench.take(180)
    bench.run(300)
    assert bench.times() == [0]
    assert bench.closed == []
    other = Bench("BYE", UDP)
    other.take(100)
    other.run(100)
    assert other.times() == [0, 4, 8, 12, 16, 20, 24, 28]
    assert other.got[-1] == (32, 408)


def test_a_refused_invite_is_acknowledged_each_time():
    bench = Bench("INVITE", UDP)
    bench.take(486)
    bench.run(5)
    bench.take(486)
    assert [m.cseq.method for _, m in bench.sent] == ["INVITE", "ACK", "ACK"]
    ack = bench.sent[1][1]
    assert ack.to.tag == "t"
    assert ack.via == bench.request.via
    assert ack.headers.get("Route") == "<sip:192.0.2.5;lr>"
    assert bench.got == [(0, 486)]
    bench.run(100)
    assert bench.closed == [32]  # timer D
    reliable = Bench("INVITE", TCP)
    reliable.take(486)
    reliable.run(0)
    assert reliable.closed == [0]


def test_every_2xx_is_passed_up_until_timer_m():
    bench = Bench("INVITE", UDP)
    for _ in range(3):
        bench.take(200)
    bench.take(486)
    assert [status for _, status in bench.got] == [200, 200, 200]
    assert len(bench.sent) == 1
    bench.run(100)
    assert bench.closed == [32]


def test_a_final_response_is_passed_up_once():
    bench = Bench("BYE", UDP)
    bench.take(200)
    bench.take(200)
    bench.run(100)
    assert bench.got == [(0, 200)]
    assert bench.closed == [5]  # timer K
    assert bench.client.state is State.TERMINATED


def test_a_broken_transport():
    bench = Bench("INVITE", UDP)
    bench.client.fail(1.0)
    bench.client.fail(1.0)
    bench.run(100)
    assert bench.got == [(1.0, 503)]


# -- server


@pytest.mark.parametrize("ack_at", [None, 1.0])
def test_a_refusal_is_repeated_until_its_ack(ack_at):
    bench = Bench("INVITE", UDP, server=True)
    bench.server.respond(bench.request.reply(486), 0.0)
    if ack_at is None:
        bench.run(100)
        assert bench.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert bench.closed == [32]  # timer H
    else:
        bench.run(ack_at)
        bench.server.acknowledge(ack_at)
        bench.server.repeat()
        bench.run(100)
        assert bench.times() == [0, 0.5]
        assert bench.closed == [ack_at + 5]  # timer I


def test_repetitions_get_the_last_response_but_never_a_2xx():
    bench = Bench("INVITE", UDP, server=True)
    bench.server.repeat()
    bench.server.respond(bench.request.reply(100), 0.0)
    bench.server.respond(bench.request.reply(180), 0.0)
    bench.server.repeat()
    bench.server.respond(bench.request.reply(200), 0.0)
    bench.server.repeat()
    bench.server.respond(bench.request.reply(486), 0.0)
    assert [m.status for _, m in bench.sent if isinstance(m, Response)] == [100, 180, 180, 200]
    bench.run(100)
    assert bench.closed == [32]  # timer L


def test_other_requests_are_answered_again_for_timer_j():
    for address, end in ((UDP, 32), (TCP, 0)):
        bench = Bench("BYE", address, server=True)
        bench.server.respond(bench.request.reply(200), 0.0)
        bench.server.repeat()
        assert len(bench.sent) == 2
        bench.run(100)
        assert bench.closed == [end]


def test_what_belongs_together():
    invite = request()
    assert server_key(invite) == server_key(request("ACK"))
    assert server_key(invite) == server_key(request("CANCEL"), "INVITE")
    assert server_key(invite) != server_key(request("CANCEL"))
    assert server_key(invite) != server_key(request(branch="z9hG4bKb"))
    old = request(branch="1")
    assert server_key(old) == server_key(request("ACK", branch="1", tag=";tag=x"))
    assert server_key(old) != server_key(request(branch="2"))


# -- alarms


def test_cancelled_alarms_are_let_go():
    alarms = Alarms()
    for number in range(1000):
        alarms.at(1e6 + number, lambda _now: None).cancel()
    assert len(alarms) == 0
    assert len(alarms._heap) <= 128
    assert alarms.next is None


@pytest.mark.parametrize(
    ("cap", "times"),
    [(4.0, [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]),
     (None, [0.5, 1.5, 3.5, 7.5, 15.5, 31.5])],
)  # fmt: skip
def test_a_repeater_ends(cap, times):
    alarms, sent, ended = Alarms(), [], []
    clock = [0.0]
    Repeater(alarms, Timers(), lambda: sent.append(clock[0]), ended.append, now=0.0, cap=cap)
    while alarms.next is not None:
        clock[0] = alarms.next
        alarms.ring(clock[0])
    assert sent == times
    assert ended == [32]
