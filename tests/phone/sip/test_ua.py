"""Two of our user agents, and packets of strangers, over a network in virtual time."""

from __future__ import annotations

import random

import pytest

from tests.phone.sip.network import ALICE, BOB, Host, World, media, pair, tokens
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import (
    Address,
    Answered,
    Decision,
    Ended,
    Incoming,
    Resolve,
    Ringing,
    Send,
)
from vivavoce.phone.sip.message import Request, parse
from vivavoce.phone.sip.resolve import Records, Srv
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.ua import UserAgent


def answering(after: float = 1.0):
    """Bob rings, and answers after some seconds unless it is over by then."""

    def react(host: Host, decision: Decision) -> list[Decision] | None:
        if not isinstance(decision, Incoming):
            return None
        call = decision.call

        def answer() -> None:
            if call in host.ua.calls:
                host.do(host.ua.answer(call, media(5000, "192.0.2.8"), host.world.now))

        host.world.at(host.world.now + after, answer)
        return host.ua.ring(call, host.world.now)

    return react


def dial(host: Host, trunk: str = "bob", number: str = "100", **options) -> Call:
    call, decisions = host.ua.dial(trunk, number, media(), host.world.now, **options)
    host.do(decisions)
    return call


def clean(*hosts: Host) -> None:
    for host in hosts:
        assert host.ua.calls == []
        assert host.ua.pending == 0
        assert len(host.ua._exchange.alarms) == 0
        assert not host.ua._admission._lent


def test_a_whole_call():
    world = World()
    alice, bob = pair(world)
    bob.react = answering()
    call = dial(alice, display='Zoé "Z"')
    world.run(3)
    assert [type(news) for news in alice.news] == [Ringing, Answered]
    assert alice.of(Answered)[0].plan.remote == ("192.0.2.8", 5000)
    assert bob.of(Incoming)[0].call.remote.display == 'Zoé "Z"'
    assert bob.of(Incoming)[0].call.invite.uri.user == "100"
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(100)
    assert [(e.code, e.remote) for e in alice.of(Ended)] == [(200, False)]
    assert [(e.code, e.remote) for e in bob.of(Ended)] == [(200, True)]
    assert len(world.sent("INVITE")) == len(world.sent("ACK")) == len(world.sent("BYE")) == 1
    clean(alice, bob)


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_calls_over_a_network_that_loses_a_quarter_each_way(seed):
    world = World(seed=seed, loss=0.25, twice=0.1, delay=(0.005, 0.6))
    alice, bob = pair(world)
    bob.react = answering(2.0)

    def talk(host: Host, decision: Decision) -> None:
        if isinstance(decision, Answered):
            # Every other call is ended by Bob, the one who was called.
            side = alice if len(alice.of(Answered)) % 2 else bob
            other = next(
                (c for c in side.ua.calls if c.call_id == decision.call.call_id), decision.call
            )
            world.at(world.now + 5, lambda: side.do(side.ua.hang_up(other, world.now)))

    alice.react = talk
    for number in range(50):
        world.at(number * 0.1, lambda: dial(alice, ring_time=120))
    world.run(500)
    assert len(alice.of(Answered)) == len(bob.of(Answered)) == 50
    assert len({e.call.id for e in alice.of(Ended)}) == len(alice.of(Ended)) == 50
    assert {e.code for e in alice.of(Ended)} | {e.code for e in bob.of(Ended)} == {200}
    clean(alice, bob)


def test_options_unknown_methods_and_strays():
    world = World()
    alice, _ = pair(world)
    for method, extra, status in [
        ("OPTIONS", "", 200), ("MESSAGE", "", 405), ("REGISTER", "", 405), ("BYE", ";tag=x", 481),
        ("INFO", "", 481), ("CANCEL", "", 481), ("OPTIONS", ";tag=x", 481),
    ]:  # fmt: skip
        sends = alice.ua.receive(request(method, extra), BOB, 0.0)
        assert [parse(send.data).status for send in sends if isinstance(send, Send)] == [status]


COUNT = iter(range(10**6))


def request(method: str = "INVITE", to: str = "", *headers: str, body: str = "", **parts) -> bytes:
    number = next(COUNT)
    lines = [
        f"{method} {parts.get('uri', 'sip:100@192.0.2.1')} SIP/2.0",
        f"Via: SIP/2.0/UDP {parts.get('via', '192.0.2.2')};branch=z9hG4bK{parts.get('branch', number)}",
        f"From: <sip:x@y>;tag=f{parts.get('tag', number)}",
        f"To: <sip:100@z>{to}",
        f"Call-ID: {parts.get('call', number)}",
        f"CSeq: {parts.get('cseq', 1)} {method}",
        f"Contact: {parts.get('contact', '<sip:x@192.0.2.2>')}",
        *headers,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


OFFER = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    "m=audio 9000 RTP/AVP 0\r\n"
)


def statuses(decisions: list[Decision]) -> list[int]:
    return [parse(send.data).status for send in decisions if isinstance(send, Send)]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (lambda: request("INVITE", "", "Require: foo, 100rel", body=OFFER), 420),
        (lambda: request("INVITE", "", "Content-Type: text/plain", body="hi"), 415),
        (lambda: request("INVITE", "", "Content-Type: application/sdp", body="v=1"), 488),
        (lambda: request(body=OFFER.replace("audio", "video")), 488),
        (lambda: request(uri="soap:x"), 416),
        (lambda: request("INVITE", "", "Supported: timer", "Session-Expires: 30"), 422),
        (lambda: request(contact=""), 400),
        (lambda: request().replace(b"SIP/2.0\r\nVia", b"SIP/9.0\r\nVia"), 505),
        (lambda: request().replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"), 400),
    ],
)
def test_requests_that_are_refused(data, status):
    alice, _ = pair(World())
    assert statuses(alice.ua.receive(data(), BOB, 0.0)) == [status]
    assert alice.ua.calls == []


def test_a_retransmitted_invite_is_one_call_and_a_forked_one_is_a_loop():
    alice, _ = pair(World())
    one = request(branch="a", call="c", tag="t")
    assert len([d for d in alice.ua.receive(one, BOB, 0.0) if isinstance(d, Incoming)]) == 1
    assert statuses(alice.ua.receive(one, BOB, 0.5)) == [100]
    other = request(branch="b", call="c", tag="t")
    assert statuses(alice.ua.receive(other, BOB, 0.6)) == [482]
    assert len(alice.ua.calls) == 1


def test_most_calls_at_once():
    trunk = Trunk("bob", BOB.host, max_calls=2)
    ua = UserAgent([ALICE], [trunk, Trunk("eve", "192.0.2.3")], max_calls=3, token=tokens(1))
    eve = Address("udp", "192.0.2.3", 5060)
    answers = [statuses(ua.receive(request(), BOB, 0.0)) for _ in range(3)]
    answers += [statuses(ua.receive(request(), eve, 0.0)) for _ in range(2)]
    assert answers == [[100], [100], [486], [100], [503]]


# -- strangers


def test_a_stranger_is_not_answered_whatever_he_says():
    alice, _ = pair(World())
    eve = Address("udp", "198.51.100.66", 5060)
    for data in (request(), request("OPTIONS"), b"garbage", b"\r\n\r\n", request("REGISTER")):
        assert alice.ua.receive(data, eve, 0.0) == []
    assert alice.ua.pending == 0
    assert alice.ua._admission.dropped == 5


def test_the_answer_goes_to_where_the_packet_came_from():
    alice, _ = pair(World())
    source = Address("udp", BOB.host, 61234)
    for via in ("10.0.0.9:5070;rport", "evil.example;rport", "198.51.100.1", "localhost"):
        (send,) = alice.ua.receive(request("OPTIONS", via=via), source, 0.0)
        assert isinstance(send, Send)
        assert send.to == source
        answer = parse(send.data).via
        assert dict(answer.params)["received"] == BOB.host
        assert dict(answer.params).get("rport") in {None, "61234"}


def test_no_name_from_a_packet_is_ever_looked_up_or_sent_to():
    world = World()
    alice, _ = pair(world)
    host = "evil.example"
    data = request(
        "INVITE", "", f"Record-Route: <sip:{host};lr>", "Content-Type: application/sdp",
        contact=f"<sip:x@{host}>", via=host, body=OFFER.replace("192.0.2.2", host),
    )  # fmt: skip
    decisions = alice.ua.receive(data, BOB, 0.0)
    (incoming,) = [d for d in decisions if isinstance(d, Incoming)]
    decisions += alice.ua.answer(incoming.call, media(), 1.0)
    tag = incoming.call.local_tag
    ack = request(
        "ACK", f";tag={tag}", call=incoming.call.call_id, tag=incoming.call.remote.tag[1:]
    )
    decisions += alice.ua.receive(ack, BOB, 1.1)
    decisions += alice.ua.hang_up(incoming.call, 2.0)
    assert [d for d in decisions if isinstance(d, Resolve)] == []
    sends = [d for d in decisions if isinstance(d, Send)]
    assert {send.to for send in sends} == {BOB}
    assert isinstance(parse(sends[-1].data), Request)
    assert incoming.call.plan is not None
    assert incoming.call.plan.remote is None


def test_a_scanner_gets_no_reply_and_a_phone_a_challenge():
    ua = UserAgent([ALICE], phones={"anna": "secret"}, token=tokens(2))
    phone = Address("udp", "198.51.100.7", 40000)
    assert ua.receive(request("OPTIONS", "", "User-Agent: friendly-scanner"), phone, 0.0) == []
    assert statuses(ua.receive(request(), phone, 0.0)) == [401]
    assert ua.pending == 0  # a flood of strangers leaves nothing behind
    assert ua.receive(request("BYE", ";tag=guessed"), phone, 0.0) == []


@pytest.mark.parametrize(("password", "works"), [("secret", True), ("wrong", False)])
def test_a_phone_calls_with_its_password(password, works):
    from vivavoce.phone.sip.auth import Credentials

    world = World()
    server = world.host(BOB, phones={"anna": "secret"})
    server.react = answering()
    trunk = Trunk("pbx", BOB.host, user="anna", credentials=Credentials("anna", password))
    phone = world.host(ALICE, [trunk])
    call = dial(phone, "pbx")
    world.run(5)
    assert len(world.sent("INVITE")) == 2
    if works:
        assert server.of(Incoming)[0].call.user == "anna"
        phone.do(phone.ua.hang_up(call, world.now))
    else:
        assert [e.code for e in phone.of(Ended)] == [401]
    world.run(200)
    assert len(phone.of(Ended)) == 1
    clean(phone, server)


def test_a_flood_changes_nothing_and_leaves_nothing():
    ua = UserAgent([ALICE], [Trunk("bob", BOB.host)], phones={"anna": "secret"}, token=tokens(3))
    eve = Address("udp", "198.51.100.66", 5060)
    answered = sum(len(ua.receive(request(), eve, n / 500)) for n in range(1000))
    assert answered <= 60  # 40 at once and 10 a second
    assert ua.pending == 0
    assert len(ua.receive(request(), BOB, 2.0)) == 2


def test_mutated_packets_never_raise_and_leave_nothing():
    from tests.phone.sip.test_message import mutate

    rng = random.Random(7)
    alice, _ = pair(World())
    now = 0.0
    for number in range(1500):
        data = request(
            rng.choice(["INVITE", "BYE", "OPTIONS", "CANCEL", "ACK", "PRACK", "UPDATE", "REFER"]),
            rng.choice(["", ";tag=x"]),
            "Content-Type: application/sdp", "Record-Route: <sip:192.0.2.2;lr>",
            "Require: 100rel", "Session-Expires: 1800;refresher=uac",
            body=OFFER, branch=rng.randrange(50), call=rng.randrange(20),
        )  # fmt: skip
        now += 0.01
        for decision in alice.ua.receive(mutate(data, rng), BOB, now):
            if isinstance(decision, Incoming):
                if number % 2:
                    alice.ua.ring(decision.call, now, media())
                if decision.call in alice.ua.calls:
                    alice.ua.answer(decision.call, media(), now)
        alice.ua.tick(now)
    for _ in range(2000):
        if alice.ua.next is None:
            break
        now = max(now, alice.ua.next)
        alice.ua.tick(now)
    clean(alice)


# -- trunks by name


def test_a_trunk_by_name_is_looked_up_once_and_fails_over():
    world = World()
    bob = world.host(BOB, [Trunk("alice", ALICE.host)])
    bob.react = answering()
    alice = world.host(ALICE, [Trunk("carrier", "sip.carrier.example", user="alice")])
    first, second = dial(alice, "carrier"), dial(alice, "carrier")
    (resolve,) = alice.of(Resolve)
    assert (resolve.host, resolve.port, resolve.transport) == ("sip.carrier.example", None, "udp")
    records = Records(
        srv={
            "_sip._udp.sip.carrier.example": (
                Srv(1, 0, 5060, "dead.example"),
                Srv(2, 0, 5060, "live.example"),
            )
        },
        addresses={"dead.example": ("192.0.2.77",), "live.example": (BOB.host,)},
    )
    alice.do(alice.ua.resolved("carrier", records, world.now))
    world.run(40)
    assert {to.host for _, origin, to, _ in world.carried if origin == ALICE} == {
        "192.0.2.77", BOB.host,
    }  # fmt: skip
    assert len(alice.of(Answered)) == 2
    # One that asks after the other was found dead tries it all the same: it may be back.
    for call in (first, second):
        alice.do(alice.ua.hang_up(call, world.now))
    world.run(200)
    clean(alice, bob)


def test_a_name_that_is_not_found():
    world = World()
    alice = world.host(ALICE, [Trunk("carrier", "sip.carrier.example")])
    dial(alice, "carrier")
    world.run(11)
    assert [e.code for e in alice.of(Ended)] == [503]
    clean(alice)


def test_a_transport_that_breaks_fails_over_at_once():
    ua = UserAgent([Address("tcp", "192.0.2.1", 5060)], [
        Trunk("carrier", "c.example", transport="tcp")
    ], token=tokens(1))  # fmt: skip
    _, decisions = ua.dial("carrier", "1", media(), 0.0)
    addresses = {"c.example": ("192.0.2.50", "192.0.2.51")}
    decisions += ua.resolved("carrier", Records(addresses=addresses), 0.0)
    (send,) = [d for d in decisions if isinstance(d, Send)]
    assert (send.to, send.otherwise) == (Address("tcp", "192.0.2.50", 5060),) * 2
    (again,) = [d for d in ua.failed(send.to, 1.0) if isinstance(d, Send)]
    assert again.to.host == "192.0.2.51"
    (ended,) = [d for d in ua.failed(again.to, 2.0, "it is gone") if isinstance(d, Ended)]
    assert (ended.code, ended.reason) == (503, "it is gone")


def test_closing_ends_calls_and_takes_no_new_ones():
    world = World()
    alice, bob = pair(world)
    bob.react = answering()
    dial(alice)
    world.run(3)
    alice.do(alice.ua.close(world.now))
    alice.do(alice.ua.close(world.now))
    assert [e.code for e in alice.of(Ended)] == [200]
    assert statuses(alice.ua.receive(request(), BOB, world.now)) == [503]
    with pytest.raises(ValueError, match="most calls"):
        dial(alice)
    world.run(200)
    clean(alice, bob)


def test_configurations_that_do_not_hold_together():
    with pytest.raises(ValueError, match="tls listener"):
        UserAgent([ALICE], [Trunk("t", "192.0.2.1", transport="tls")])
    with pytest.raises(ValueError, match="local address"):
        UserAgent([])
    for wrong in ({"host": "no host"}, {"transport": "sctp"}, {"port": 0}, {"register": True}):
        with pytest.raises(ValueError, match="trunk 't'"):
            Trunk(**{"name": "t", "host": "h.example", **wrong})


def test_ipv6_all_the_way():
    one, two = Address("udp", "2001:db8::1", 5060), Address("udp", "2001:db8::2", 5060)
    world = World()
    alice = world.host(one, [Trunk("bob", two.host)])
    bob = world.host(two, [Trunk("alice", one.host)])
    bob.react = answering()
    call = dial(alice)
    world.run(3)
    assert "[2001:db8::1]" in str(world.sent("INVITE")[0].via)
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(100)
    assert [e.code for e in bob.of(Ended)] == [200]
    clean(alice, bob)
    assert str(world.sent("INVITE")[0].to.uri) == "sip:100@[2001:db8::2]"
