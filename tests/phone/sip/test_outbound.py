"""Calls of ours: forks, challenges, fail-over, refusals, session intervals."""

from __future__ import annotations

from tests.phone.sip.network import ALICE, BOB, World, media, tokens
from tests.phone.sip.test_ua import OFFER, dial
from vivavoce.phone.sip.auth import Credentials
from vivavoce.phone.sip.decisions import (
    Answered,
    Decision,
    EarlyMedia,
    Ended,
    Ringing,
    Send,
)
from vivavoce.phone.sip.message import Request, Response, parse
from vivavoce.phone.sip.outbound import Outbound
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.sip.ua import UserAgent


class Line:
    """One call of ours whose far end is written by the test, word for word."""

    def __init__(self, **options) -> None:
        credentials = options.pop("credentials", None)
        self.ua = UserAgent(
            [ALICE], [Trunk("bob", BOB.host, user="alice", credentials=credentials)],
            token=tokens(1), **options,
        )  # fmt: skip
        self.now = 0.0
        self.call: Outbound
        self.call, decisions = self.ua.dial("bob", "100", media(), 0.0)
        self.news: list[Decision] = []
        self.sent: list[Request] = []
        self.take(decisions)

    def take(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Send):
                message = parse(decision.data)
                if isinstance(message, Request):
                    self.sent.append(message)
            else:
                self.news.append(decision)

    def invite(self) -> Request:
        return [request for request in self.sent if request.method == "INVITE"][-1]

    def reply(
        self, status: int, tag: str = "t", *headers: tuple[str, str], sdp: str = "",
        to: Request | None = None, contact: str = "<sip:b@192.0.2.2>",
    ) -> None:  # fmt: skip
        response = (to or self.invite()).reply(status, tag=tag)
        if contact:
            response.headers.add("Contact", contact)
        for name, value in headers:
            response.headers.add(name, value)
        if sdp:
            response.headers.add("Content-Type", "application/sdp")
            response.body = sdp.encode()
        self.now += 0.01
        self.take(self.ua.receive(bytes(response), BOB, self.now))

    def methods(self) -> list[str]:
        return [request.method for request in self.sent]

    def of(self, kind):
        return [news for news in self.news if isinstance(news, kind)]


def test_forks_ring_the_first_answer_wins_and_the_others_are_ended():
    line = Line()
    line.reply(180, "one")
    line.reply(183, "two", sdp=OFFER)
    line.reply(183, "three", sdp=OFFER.replace("9000", "9002"))
    assert [e.plan.remote[1] for e in line.of(EarlyMedia)] == [9000, 9002]
    line.reply(200, "two", sdp=OFFER)
    assert line.of(Answered)[0].plan.remote == ("192.0.2.2", 9000)
    line.reply(200, "one", sdp=OFFER, contact="<sip:c@192.0.2.3>")
    line.reply(200, "four", sdp=OFFER, contact="<sip:d@192.0.2.4>")
    ended = [(r.method, r.to.tag, str(r.uri)) for r in line.sent[1:]]
    assert ended == [
        ("ACK", "two", "sip:b@192.0.2.2"),
        ("ACK", "one", "sip:c@192.0.2.3"), ("BYE", "one", "sip:c@192.0.2.3"),
        ("ACK", "four", "sip:d@192.0.2.4"), ("BYE", "four", "sip:d@192.0.2.4"),
    ]  # fmt: skip
    assert line.of(Ended) == []
    line.reply(200, "two", sdp=OFFER)  # lost ACK
    assert line.methods()[-1] == "ACK"
    assert len(line.of(Answered)) == 1


def test_the_answer_may_have_come_early_only():
    line = Line()
    line.reply(183, "one", ("Require", "100rel"), ("RSeq", "7"), sdp=OFFER)
    assert line.methods() == ["INVITE", "PRACK"]
    assert line.sent[1].headers.get("RAck") == "7 1 INVITE"
    line.reply(183, "one", ("Require", "100rel"), ("RSeq", "7"), sdp=OFFER)  # a repetition
    line.reply(183, "one", ("Require", "100rel"), ("RSeq", "9"), sdp=OFFER)  # one too far
    assert line.methods() == ["INVITE", "PRACK"]
    line.reply(200, "one")
    assert line.of(Answered)[0].plan.remote == ("192.0.2.2", 9000)


def test_an_answer_that_cannot_be_used_is_acknowledged_and_ended():
    for body in ("", "v=1", OFFER.replace(" 0\r\n", " 18\r\n").replace("0 18", "0 18")):
        line = Line()
        line.reply(200, "t", sdp=body.replace("RTP/AVP 0", "RTP/AVP 18"))
        assert line.methods() == ["INVITE", "ACK", "BYE"]
        assert [e.code for e in line.of(Ended)] == [488]


def test_a_2xx_without_a_contact():
    line = Line()
    line.reply(200, "t", sdp=OFFER, contact="")
    assert [e.code for e in line.of(Ended)] == [502]


CHALLENGE = 'Digest realm="r", nonce="n{}", qop="auth", algorithm=MD5'


def test_407_then_the_ack_of_the_2xx_has_the_credentials_too():
    line = Line(credentials=Credentials("alice", "x"))
    line.reply(407, "c", ("Proxy-Authenticate", CHALLENGE.format(1)))
    assert line.methods() == ["INVITE", "ACK", "INVITE"]
    assert [r.cseq.number for r in line.sent] == [1, 1, 2]
    assert line.sent[2].call_id == line.sent[0].call_id
    assert line.sent[2].via.branch != line.sent[0].via.branch
    line.reply(200, "t", sdp=OFFER)
    assert line.sent[3].headers.get("Proxy-Authorization")


def test_a_wrong_password_is_said_once_and_a_stale_nonce_mended():
    line = Line(credentials=Credentials("alice", "x"))
    line.reply(407, "c", ("Proxy-Authenticate", CHALLENGE.format(1)))
    line.reply(407, "c", ("Proxy-Authenticate", CHALLENGE.format(2) + ", stale=TRUE"))
    line.reply(407, "c", ("Proxy-Authenticate", CHALLENGE.format(3)))
    assert line.methods().count("INVITE") == 3
    assert [e.code for e in line.of(Ended)] == [407]


def test_422_raises_the_interval():
    line = Line()
    line.reply(422, "c", ("Min-SE", "3600"))
    assert line.invite().headers.get("Session-Expires") == "3600"
    assert line.invite().headers.get("Min-SE") == "3600"
    line.reply(422, "c", ("Min-SE", "3600"))
    assert [e.code for e in line.of(Ended)] == [422]


def test_3xx_is_told_and_never_followed():
    line = Line()
    line.reply(302, "c", contact="<sip:premium@198.51.100.1>")
    assert line.methods() == ["INVITE", "ACK"]
    assert [e.code for e in line.of(Ended)] == [302]


def test_the_route_is_recorded_both_ways():
    line = Line()
    routes = ("Record-Route", "<sip:192.0.2.20;lr>, <sip:192.0.2.21;lr>")
    line.reply(200, "t", routes, sdp=OFFER)
    assert line.sent[1].headers.all("Route") == ["<sip:192.0.2.21;lr>", "<sip:192.0.2.20;lr>"]


def test_nobody_is_there():
    world = World()
    alice = world.host(ALICE, [Trunk("bob", BOB.host)])
    dial(alice)
    world.run(40)
    assert [e.code for e in alice.of(Ended)] == [408]
    times = [when for when, *_ in world.carried]
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert alice.of(Ringing) == []


def test_a_response_with_two_vias_is_not_ours():
    line = Line()
    response = line.invite().reply(200, tag="t")
    response.headers.add("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother")
    assert isinstance(response, Response)
    assert line.ua.receive(bytes(response), BOB, 1.0) == []
