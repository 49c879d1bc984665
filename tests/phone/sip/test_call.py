"""Within a call: DTMF by INFO, transfers both ways with every outcome, BYE."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.phone.sip.network import ALICE, BOB, Host, World
from tests.phone.sip.test_change import TO_ALICE, TO_BOB, over, talking
from tests.phone.sip.test_ua import answering, dial, request, statuses
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import (
    Dtmf,
    Ended,
    Incoming,
    Outcome,
    TransferAsked,
    Transferred,
)
from vivavoce.phone.sip.leg import CallError
from vivavoce.phone.sip.uri import Uri

ELSEWHERE = Uri.parse("sip:200@192.0.2.50")


def transferable(world: World) -> tuple[Host, Host, Call, Call]:
    alice = world.host(ALICE, TO_BOB)
    bob = world.host(BOB, [replace(TO_ALICE[0], refer=("*",))])
    bob.react = answering(0.1)
    call = dial(alice)
    world.run(2)
    return alice, bob, call, bob.of(Incoming)[0].call


def test_digits_by_info():
    world = World(loss=0.2, seed=2)
    alice, bob, call, theirs = talking(world)
    for digit in "1#D":
        alice.do(alice.ua.send_dtmf_info(call, digit, world.now))
        world.run(world.now + 10)
    bob.do(bob.ua.send_dtmf_info(theirs, "*", world.now, 250))
    world.run(world.now + 10)
    assert [(d.digit, d.duration) for d in bob.of(Dtmf)] == [("1", 160), ("#", 160), ("D", 160)]
    assert [(d.digit, d.duration) for d in alice.of(Dtmf)] == [("*", 250)]
    with pytest.raises(CallError, match="'E'"):
        alice.ua.send_dtmf_info(call, "E", world.now)
    over(world, alice, bob)


@pytest.mark.parametrize(
    ("kind", "body", "status", "digit"),
    [
        ("application/dtmf-relay", "Signal= 5\r\nDuration=100", 200, "5"),
        ("application/dtmf-relay", "Duration=100\nsignal=*\n", 200, "*"),
        ("application/dtmf", "9", 200, "9"),
        ("application/dtmf-relay", "Signal=\r\n" * 900, 200, None),
        ("application/dtmf", "nine", 200, None),
        ("text/plain", "5", 415, None),
        ("application/dtmf", "", 200, None),
    ],
)
def test_info_in_every_dress(kind, body, status, digit):
    world = World()
    alice, bob, call, _ = talking(world)
    data = request(
        "INFO",
        f";tag={call.local_tag}",
        f"Content-Type: {kind}",
        body=body,
        call=call.call_id,
        cseq=5,
    ).replace(b"From: <sip:x@y>;tag=f", f"From: <sip:x@y>;tag={call.remote.tag};old=".encode())
    decisions = alice.ua.receive(data, BOB, world.now)
    assert statuses(decisions) == [status]
    assert [d.digit for d in decisions if isinstance(d, Dtmf)] == ([digit] if digit else [])
    over(world, alice, bob)


def test_refer_is_refused_unless_the_trunk_allows_it():
    world = World()
    alice, bob, call, _ = talking(world)
    alice.do(alice.ua.refer(call, ELSEWHERE, world.now))
    world.run(3)
    assert len(world.answered(603)) == 1
    assert [(t.outcome, t.code) for t in alice.of(Transferred)] == [(Outcome.REFUSED, 603)]
    assert bob.of(TransferAsked) == []
    over(world, alice, bob)


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.DONE), (486, Outcome.FAILED)])
def test_the_outcome_of_a_transfer_is_told(status, outcome):
    world = World()
    alice, bob, call, theirs = transferable(world)
    alice.do(alice.ua.refer(call, ELSEWHERE, world.now))
    with pytest.raises(CallError, match="under way"):
        alice.ua.refer(call, ELSEWHERE, world.now)
    world.run(3)
    assert bob.of(TransferAsked)[0].target == ELSEWHERE
    assert alice.of(Transferred) == []
    bob.do(bob.ua.report_transfer(theirs, 180, world.now))
    bob.do(bob.ua.report_transfer(theirs, status, world.now))
    world.run(5)
    assert [(t.outcome, t.code) for t in alice.of(Transferred)] == [(outcome, status)]
    assert [m.body.split()[1] for m in world.sent("NOTIFY")] == [
        b"100",
        b"180",
        str(status).encode(),
    ]
    with pytest.raises(CallError, match="no transfer"):
        bob.ua.report_transfer(theirs, 200, world.now)
    over(world, alice, bob)


def test_a_transfer_whose_outcome_is_never_told():
    world = World()
    alice, bob, call, _ = transferable(world)
    alice.do(alice.ua.refer(call, ELSEWHERE, world.now))
    world.run(190)
    assert [t.outcome for t in alice.of(Transferred)] == [Outcome.UNKNOWN]
    over(world, alice, bob)


def test_a_far_end_that_hangs_up_once_it_has_accepted_the_transfer():
    world = World()
    alice, bob, call, theirs = transferable(world)
    alice.do(alice.ua.refer(call, ELSEWHERE, world.now))
    world.run(3)
    bob.do(bob.ua.hang_up(theirs, world.now))
    world.run(4)
    assert [type(news) for news in alice.news][-2:] == [Transferred, Ended]
    over(world, alice, bob)


def test_both_hang_up_at_once():
    world = World(delay=(0.2, 0.2))
    alice, bob, call, theirs = talking(world)
    alice.do(alice.ua.hang_up(call, world.now))
    bob.do(bob.ua.hang_up(theirs, world.now))
    world.run(3)
    assert len(alice.of(Ended)) == len(bob.of(Ended)) == 1
    over(world, alice, bob)


def test_a_request_that_is_out_of_order_or_of_another_tag():
    world = World()
    alice, bob, call, _ = talking(world)
    tag = f"tag={call.remote.tag};old=".encode()
    for number, (cseq, right) in enumerate([(9, True), (8, True), (10, False)]):
        data = request(
            "INFO", f";tag={call.local_tag}", call=call.call_id, cseq=cseq, branch=f"o{number}"
        )
        if right:
            data = data.replace(b"tag=f", tag)
        expected = [200, 500, 481][number]
        assert statuses(alice.ua.receive(data, BOB, world.now)) == [expected]
    over(world, alice, bob)
