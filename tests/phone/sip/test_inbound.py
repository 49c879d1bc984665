"""Calls that come in: ringing, CANCEL at every stage, late offer, reliable ringing, no ACK."""

from __future__ import annotations

import pytest

from tests.phone.sip.network import ALICE, BOB, Host, World, media, pair
from tests.phone.sip.test_ua import OFFER, answering, clean, dial, request, statuses
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import (
    Answered,
    Decision,
    EarlyMedia,
    Ended,
    Incoming,
    Ringing,
    Send,
)
from vivavoce.phone.sip.leg import CallError
from vivavoce.phone.sip.message import Request, Response, parse


def incoming(host: Host) -> Call:
    return host.of(Incoming)[-1].call


def sends(decisions: list[Decision]) -> list[Request | Response]:
    return [parse(send.data) for send in decisions if isinstance(send, Send)]


@pytest.mark.parametrize("stage", ["before 180", "ringing", "early media"])
def test_cancel_before_the_answer(stage):
    world = World()
    alice, bob = pair(world)
    call = dial(alice)
    world.run(0.5)
    if stage != "before 180":
        sound = media(5000) if stage == "early media" else None
        bob.do(bob.ua.ring(incoming(bob), world.now, sound))
        world.run(1.0)
        assert len(alice.of(EarlyMedia)) == (stage == "early media")
    alice.do(alice.ua.hang_up(call, world.now))
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(1.2)
    assert [(e.code, e.remote) for e in bob.of(Ended)] == [(487, True)]
    assert [(e.code, e.remote) for e in alice.of(Ended)] == [(487, False)]
    assert len(world.sent("CANCEL")) == 1
    with pytest.raises(CallError, match="ended"):
        bob.ua.answer(incoming(bob), media(), world.now)
    world.run(100)
    clean(alice, bob)


def test_cancel_before_any_response_waits_for_one():
    world = World(delay=(0.2, 0.2))
    alice, bob = pair(world)
    call = dial(alice)
    alice.do(alice.ua.hang_up(call, 0.0))
    world.run(0.3)
    assert world.sent("CANCEL") == []
    world.run(100)
    assert len(world.sent("CANCEL")) == 1
    assert [e.code for e in alice.of(Ended)] == [487]
    clean(alice, bob)


def test_cancel_crosses_the_answer():
    world = World(delay=(0.2, 0.2))
    alice, bob = pair(world)
    call = dial(alice)
    world.run(1.0)
    bob.do(bob.ua.answer(incoming(bob), media(5000), world.now))
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(100)
    # The 2xx wins: it is acknowledged, and the call that nobody wants any more is ended by BYE.
    assert len(world.sent("ACK")) == 1
    assert len(world.sent("BYE", ALICE)) == 1
    assert [e.code for e in alice.of(Ended)] == [487]
    assert [e.code for e in bob.of(Ended)] == [200]
    clean(alice, bob)


def test_cancel_that_nobody_answers():
    world = World()
    alice, bob = pair(world)
    call = dial(alice)
    world.run(1.0)
    world.drop = lambda *_: True
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(34)
    assert [e.code for e in alice.of(Ended)] == [487]
    world.run(400)
    assert [e.code for e in bob.of(Ended)] == [480]  # rang for three minutes
    clean(alice, bob)


@pytest.mark.parametrize("code", [486, 603, 404, 480])
def test_refusals(code):
    world = World(loss=0.2, seed=code)
    alice, bob = pair(world)
    bob.react = lambda host, news: (
        host.ua.reject(news.call, world.now, code) if isinstance(news, Incoming) else None
    )
    dial(alice)
    world.run(100)
    assert [(e.code, e.remote) for e in alice.of(Ended)] == [(code, True)]
    assert [(e.code, e.remote) for e in bob.of(Ended)] == [(code, False)]
    clean(alice, bob)


def test_forty_seconds_of_ringing():
    world = World()
    alice, bob = pair(world)
    bob.react = answering(40.0)
    dial(alice)
    world.run(41)
    assert len(alice.of(Answered)) == 1
    assert len(alice.of(Ringing)) == 1
    alice.do(alice.ua.close(world.now))
    world.run(200)
    clean(alice, bob)


def test_nobody_answers_in_time():
    world = World()
    alice, bob = pair(world)
    dial(alice, ring_time=20)
    world.run(0.5)
    bob.do(bob.ua.ring(incoming(bob), world.now))
    world.run(100)
    assert [e.code for e in alice.of(Ended)] == [408]
    assert [e.code for e in bob.of(Ended)] == [487]
    clean(alice, bob)


def test_an_answer_that_is_never_acknowledged_is_repeated_and_then_ended():
    world = World()
    alice, bob = pair(world)
    bob.react = answering()
    world.drop = lambda message, *_: isinstance(message, Request) and message.method == "ACK"
    dial(alice)
    world.run(32)
    assert 8 <= len(world.answered(200, "INVITE")) <= 12
    assert len(world.sent("ACK")) == len(world.answered(200, "INVITE"))  # each one is acknowledged
    world.run(100)
    assert [e.code for e in bob.of(Ended)] == [408]
    assert len(world.sent("BYE", BOB)) == 1
    assert [e.code for e in alice.of(Ended)] == [200]
    clean(alice, bob)


def test_hanging_up_waits_for_the_ack():
    world = World(delay=(0.2, 0.2))
    alice, bob = pair(world)
    dial(alice)
    world.run(0.5)
    bob.do(bob.ua.answer(incoming(bob), media(5000), world.now))
    bob.do(bob.ua.hang_up(incoming(bob), world.now))
    assert world.sent("BYE") == []
    world.run(100)
    assert len(world.sent("BYE", BOB)) == 1
    assert [e.code for e in alice.of(Ended)] == [200]
    clean(alice, bob)


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_late_offer(loss):
    world = World(loss=loss, seed=9)
    alice, bob = pair(world)
    bob.react = answering()
    call = dial(alice, late_offer=True)
    world.run(40)
    assert world.sent("INVITE")[0].body == b""
    assert world.answered(200, "INVITE")[0].body
    assert world.sent("ACK")[0].body
    assert alice.of(Answered)[0].plan.remote == ("192.0.2.8", 5000)
    assert bob.of(Answered)[0].plan.remote == ("192.0.2.9", 40000)
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(200)
    clean(alice, bob)


def test_a_late_offer_without_an_answer_ends_the_call():
    world = World()
    alice, _ = pair(world)
    invite = request(call="late", tag="t", branch="l")
    (_, news) = alice.ua.receive(invite, BOB, 0.0)
    assert isinstance(news, Incoming)
    alice.ua.answer(news.call, media(), 0.1)
    ack = request("ACK", f";tag={news.call.local_tag}", call="late", tag="t")
    decisions = alice.ua.receive(ack, BOB, 0.2)
    assert [e.code for e in decisions if isinstance(e, Ended)] == [488]
    assert [m.method for m in sends(decisions) if isinstance(m, Request)] == ["BYE"]


@pytest.mark.parametrize("loss", [0.0, 0.25])
@pytest.mark.parametrize("late", [False, True])
def test_reliable_early_media_between_two_of_ours(loss, late):
    world = World(loss=loss, seed=11)
    alice, bob = pair(world)

    def react(host: Host, news: Decision) -> list[Decision] | None:
        if not isinstance(news, Incoming):
            return None
        call = news.call
        world.at(
            world.now + 0.3,
            lambda: host.do(host.ua.answer(call, media(5000, "192.0.2.8"), world.now)),
        )
        return host.ua.ring(call, world.now, media(5000, "192.0.2.8"))

    bob.react = react
    call = dial(alice, late_offer=late)
    world.run(60)
    assert len(alice.of(EarlyMedia)) == 1
    assert alice.of(EarlyMedia)[0].plan.remote == ("192.0.2.8", 5000)
    assert len(world.sent("PRACK")) >= 1
    assert len(alice.of(Answered)) == len(bob.of(Answered)) == 1
    # The answer waited for the PRACK: what it agreed on must not be overtaken.
    order = [
        m.cseq.method for *_, m in world.carried if isinstance(m, Response) and m.status == 200
    ]
    assert order.index("PRACK") < order.index("INVITE")
    alice.do(alice.ua.hang_up(call, world.now))
    world.run(200)
    clean(alice, bob)


def test_required_reliable_ringing_that_is_never_acknowledged():
    alice, _ = pair(World())
    data = request("INVITE", "", "Require: 100rel", "Content-Type: application/sdp", body=OFFER)
    news = alice.ua.receive(data, BOB, 0.0)[-1]
    assert isinstance(news, Incoming)
    (ringing,) = sends(alice.ua.ring(news.call, 0.0))
    assert ringing.headers.get("Require") == "100rel"
    rseq = ringing.headers.get("RSeq")
    wrong = request(
        "PRACK", f";tag={news.call.local_tag}", f"RAck: {int(rseq or 0) + 1} 1 INVITE",
        call=news.call.call_id, tag=news.call.remote.tag[1:], cseq=2,
    )  # fmt: skip
    assert statuses(alice.ua.receive(wrong, BOB, 0.1)) == [481]
    now, repeats, ended = 0.1, 0, []
    while alice.ua.next is not None and now < 40 and not ended:
        now = alice.ua.next
        decisions = alice.ua.tick(now)
        repeats += sum(m.headers.get("RSeq") == rseq for m in sends(decisions))
        ended = [d for d in decisions if isinstance(d, Ended)]
    assert repeats == 6  # 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s
    assert ended[0].code == 504
    assert ALICE.port == 5060
