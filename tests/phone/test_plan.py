from __future__ import annotations

from dataclasses import replace

import pytest

from vivavoce.phone.media.session import MediaSession
from vivavoce.phone.plan import differs, media_of
from vivavoce.phone.sip.sdp import G722, OPUS, PCMA, PCMU, Crypto, MediaPlan

PLAN = MediaPlan(("192.0.2.1", 4000), PCMU, 0, 101, 101, 20, sends=True, receives=True)
KEY = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(30))


def test_g711_hears_both_laws_and_sends_the_one_agreed_on():
    config = media_of(replace(PLAN, codec=PCMA, receive_payload=8))
    assert list(config.codecs.items()) == [(8, "PCMA"), (0, "PCMU")]
    assert MediaSession(config).rate == 8000


def test_numbers_that_differ_by_direction():
    plan = replace(PLAN, codec=replace(OPUS, payload=96), receive_payload=111, receive_dtmf=97)
    config = media_of(plan)
    assert config.codecs == {96: "opus", 111: "opus"}
    assert (config.event_type, config.heard_event_type) == (101, 97)
    assert MediaSession(config).rate == 16_000


def test_an_event_may_have_the_number_of_the_other_law():
    config = media_of(replace(PLAN, dtmf=8, receive_dtmf=8))
    assert dict(config.codecs) == {0: "PCMU"}


def test_keys_and_packet_length():
    config = media_of(replace(PLAN, send_key=KEY, receive_key=replace(KEY, tag=2), ptime=30))
    assert config.local_crypto is not None
    assert config.remote_crypto is not None
    assert (config.local_crypto.tag, config.remote_crypto.tag, config.ptime) == (1, 2, 0.03)


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"sends": False}, False),
        ({"receives": False}, False),
        ({"remote": ("192.0.2.2", 1)}, False),
        ({"codec": G722}, True),
        ({"dtmf": None}, True),
        ({"ptime": 30}, True),
        ({"send_key": KEY, "receive_key": KEY}, True),
    ],
    ids=str,
)
def test_what_needs_another_session(change, other):
    assert differs(PLAN, replace(PLAN, **change)) is other
