"""Changes within a call: hold, glare, UPDATE, refusals, session timers."""

from __future__ import annotations

import pytest

from tests.phone.sip.network import ALICE, BOB, Host, World, media, pair
from tests.phone.sip.test_ua import answering, clean, dial
from vivavoce.phone.sip.call import Call
from vivavoce.phone.sip.decisions import ChangeRefused, Ended, Incoming, MediaChanged
from vivavoce.phone.sip.leg import CallError
from vivavoce.phone.sip.message import Request
from vivavoce.phone.sip.refresh import SessionTimer


def talking(world: World, **options) -> tuple[Host, Host, Call, Call]:
    alice, bob = world.host(ALICE, TO_BOB, **options), world.host(BOB, TO_ALICE, **options)
    bob.react = answering(0.1)
    call = dial(alice)
    world.run(world.now + 30 if world.loss else 1.0)
    return alice, bob, call, bob.of(Incoming)[0].call


_alice, _bob = pair(World())
TO_BOB, TO_ALICE = list(_alice.ua._trunks.values()), list(_bob.ua._trunks.values())


def over(world: World, alice: Host, bob: Host) -> None:
    alice.do(alice.ua.close(world.now))
    world.run(world.now + 200)
    clean(alice, bob)


@pytest.mark.parametrize("loss", [0.0, 0.25])
def test_hold_and_resume(loss):
    world = World(loss=loss, seed=5)
    alice, bob, call, _ = talking(world)
    alice.do(alice.ua.hold(call, world.now))
    world.run(world.now + 20)
    assert (bob.of(MediaChanged)[0].plan.sends, bob.of(MediaChanged)[0].plan.receives) == (
        False, True,
    )  # fmt: skip
    assert (call.plan.sends, call.plan.receives) == (True, False)
    alice.do(alice.ua.resume(call, world.now))
    world.run(world.now + 20)
    assert bob.of(MediaChanged)[1].plan.sends
    assert (call.plan.sends, call.plan.receives) == (True, True)
    over(world, alice, bob)


def test_glare_is_solved_by_waiting():
    world = World(delay=(0.1, 0.1))
    alice, bob, call, theirs = talking(world)
    alice.do(alice.ua.hold(call, world.now))
    bob.do(bob.ua.hold(theirs, world.now))
    world.run(20)
    assert len(world.answered(491)) == 2
    assert (call.plan.sends, call.plan.receives) == (False, False)
    assert (theirs.plan.sends, theirs.plan.receives) == (False, False)
    # Who made the Call-ID waited 2.1 to 4 s, the other up to 2 s.
    again = [(when, origin) for when, origin, _, m in world.carried
             if isinstance(m, Request) and m.method == "INVITE" and when > 1.5]  # fmt: skip
    assert [origin for _, origin in again][-1] == ALICE
    over(world, alice, bob)


def test_a_change_waits_for_the_one_before():
    world = World(delay=(0.2, 0.2))
    alice, bob, call, _ = talking(world)
    alice.do(alice.ua.hold(call, world.now))
    alice.do(alice.ua.resume(call, world.now))
    assert len(world.sent("INVITE")) == 2
    world.run(10)
    assert len(world.sent("INVITE")) == 3
    assert call.plan.receives
    over(world, alice, bob)


def test_update_moves_the_media():
    world = World()
    alice, bob, call, _ = talking(world)
    alice.do(alice.ua.update(call, world.now, media(41000, "192.0.2.99")))
    world.run(3)
    assert len(world.sent("UPDATE")) == 1
    assert bob.of(MediaChanged)[0].plan.remote == ("192.0.2.99", 41000)
    over(world, alice, bob)


def test_a_change_that_is_refused_changes_nothing():
    world = World()
    alice, bob, call, theirs = talking(world)
    before = call.plan
    theirs._session.local = media(5000, codecs=(media().codecs[1],))  # PCMA only, from now on
    alice.do(alice.ua.hold(call, world.now))
    world.run(3)
    assert [c.code for c in alice.of(ChangeRefused)] == [488]
    assert call.plan == before
    assert bob.of(MediaChanged) == []
    over(world, alice, bob)


def test_a_far_end_that_has_forgotten_the_call():
    world = World()
    alice, bob, call, theirs = talking(world)
    bob.ua._calls.clear()
    alice.do(alice.ua.hold(call, world.now))
    world.run(3)
    assert [(e.code, e.remote) for e in alice.of(Ended)] == [(481, True)]
    theirs.end(200, "", world.now, remote=False)
    world.run(200)


def test_nothing_changes_before_the_answer():
    world = World()
    alice, _ = pair(world)
    call = dial(alice)
    with pytest.raises(CallError, match="setup"):
        alice.ua.hold(call, 0.0)


# -- session timers


@pytest.mark.parametrize("update", [True, False])
def test_a_call_is_kept_alive(update):
    world = World(loss=0.1, seed=3)
    timer = SessionTimer(expires=120, minimum=90)
    alice, bob, call, theirs = talking(world, session_timer=timer)
    if not update:
        call._allowed.discard("UPDATE")
        theirs._allowed.discard("UPDATE")
    world.run(1000)
    assert alice.of(Ended) == bob.of(Ended) == []
    assert alice.of(MediaChanged) == bob.of(MediaChanged) == []
    count = len({m.cseq for m in world.sent("UPDATE" if update else "INVITE")})
    assert 14 <= count <= 18
    over(world, alice, bob)


@pytest.mark.parametrize("dead", [ALICE, BOB])
def test_a_far_end_that_vanished_is_noticed(dead):
    world = World()
    timer = SessionTimer(expires=120, minimum=90)
    alice, bob, _, _ = talking(world, session_timer=timer)
    world.drop = lambda _message, source, to: dead in {source, to}
    world.run(125)
    alive = bob if dead == ALICE else alice
    assert [(e.code, e.remote) for e in alive.of(Ended)] == [(408, True)]
    world.run(400)
    clean(alive)


def test_too_short_an_interval_is_raised():
    world = World()
    alice = world.host(ALICE, TO_BOB, session_timer=SessionTimer(expires=100, minimum=90))
    bob = world.host(BOB, TO_ALICE, session_timer=SessionTimer(expires=900, minimum=300))
    bob.react = answering(0.1)
    dial(alice)
    world.run(2)
    assert len(world.answered(422)) == 1
    assert world.sent("INVITE")[1].headers.get("Min-SE") == "300"
    assert world.answered(200, "INVITE")[0].headers.get("Session-Expires") == "300;refresher=uac"
    over(world, alice, bob)
