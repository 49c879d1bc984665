"""The latch: who may move a call's media, and who may not."""

from vivavoce.phone.media.latch import Latch

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61000)
STRANGER = ("203.0.113.9", 5004)


def stream(latch, source, ssrc, first, count, begin, step=0.02):
    """Give a run of packets; returns how many of them were accepted."""
    return sum(
        latch.accept(source, ssrc, (first + index) & 0xFFFF, begin + index * step)
        for index in range(count)
    )


def test_the_signalled_address_is_heard_at_once():
    latch = Latch(SIGNALLED)
    assert latch.accept(SIGNALLED, 1, 1, 0.0)
    assert (latch.address, latch.moves, latch.rejected) == (SIGNALLED, 0, 0)


def test_a_nat_is_followed_after_five_packets():
    latch = Latch(SIGNALLED)
    assert stream(latch, BEHIND_NAT, 7, 65533, 100, 0.0) == 96
    assert (latch.address, latch.moves, latch.rejected) == (BEHIND_NAT, 1, 4)


def test_without_an_address_the_first_stream_is_followed():
    latch = Latch(None)
    assert stream(latch, BEHIND_NAT, 7, 1, 10, 0.0) == 6


def test_a_spray_into_a_live_call_is_never_heard():
    latch = Latch(SIGNALLED)
    stream(latch, SIGNALLED, 1, 0, 10, 0.0)
    accepted = 0
    for index in range(100):
        now = 0.2 + index * 0.02
        accepted += stream(latch, STRANGER, 666, 50 * index, 50, now, 0.0)
        assert latch.accept(SIGNALLED, 1, 10 + index, now + 0.01)
    assert (accepted, latch.rejected, latch.address) == (0, 5000, SIGNALLED)


def test_random_numbers_never_take_over_even_a_silent_stream():
    latch = Latch(SIGNALLED)
    assert not any(latch.accept(STRANGER, 666, index * 7919 & 0xFFFF, 0.1) for index in range(9999))


def test_a_stream_that_went_silent_may_move():
    latch = Latch(SIGNALLED)
    stream(latch, SIGNALLED, 1, 0, 10, 0.0)
    assert stream(latch, BEHIND_NAT, 2, 0, 50, 0.2) == 0  # one second: not yet
    assert stream(latch, BEHIND_NAT, 2, 50, 60, 2.3) == 60
    assert latch.address == BEHIND_NAT


def test_a_nat_that_rebinds_is_followed_by_its_own_ssrc():
    latch = Latch(SIGNALLED)
    stream(latch, SIGNALLED, 1, 0, 10, 0.0)
    assert stream(latch, BEHIND_NAT, 1, 10, 20, 0.2) == 16
    # What still comes from where it was is now the stranger.
    assert not latch.accept(SIGNALLED, 1, 5, 0.7)


def test_the_same_ssrc_far_away_is_no_continuation():
    latch = Latch(SIGNALLED)
    stream(latch, SIGNALLED, 1, 0, 10, 0.0)
    assert stream(latch, STRANGER, 1, 30_000, 50, 0.2) == 0


def test_the_signalled_address_takes_its_stream_back():
    latch = Latch(SIGNALLED)
    stream(latch, STRANGER, 666, 0, 10, 0.0)
    assert latch.address == STRANGER  # nobody else was there
    assert latch.accept(SIGNALLED, 1, 1, 0.3)
    assert stream(latch, STRANGER, 666, 10, 50, 0.31, 0.001) == 0


def test_authentication_goes_before_all():
    latch = Latch(SIGNALLED)
    stream(latch, SIGNALLED, 1, 0, 10, 0.0)
    assert latch.accept(BEHIND_NAT, 1, 10, 0.2, authenticated=True)
    assert latch.address == BEHIND_NAT


def test_a_new_signalled_address_begins_anew_and_the_same_does_not():
    latch = Latch(SIGNALLED)
    stream(latch, BEHIND_NAT, 7, 0, 10, 0.0)
    latch.signal(SIGNALLED)
    assert latch.address == BEHIND_NAT
    latch.signal(STRANGER)
    assert latch.address == STRANGER


def test_rtcp_comes_from_the_medias_host():
    latch = Latch(SIGNALLED)
    assert latch.accept_rtcp(("192.0.2.1", 4001))
    assert not latch.accept_rtcp(STRANGER)
