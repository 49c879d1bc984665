"""Offer and answer: the tables of RFC 3264, hold, SRTP, and descriptions that nobody meant."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.phone.sip.network import media, tokens
from vivavoce.phone.sip import sdp
from vivavoce.phone.sip.sdp import G722, OPUS, PCMA, PCMU, SdpError
from vivavoce.phone.sip.session import LocalMedia, Session, Srtp

HEAD = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n"


def session(**options) -> Session:
    draw = tokens(5)
    return Session(media(**options), 77, lambda count: bytes.fromhex(draw(count)))


def lines(body: bytes, start: str) -> list[str]:
    return [line for line in body.decode().split("\r\n") if line.startswith(start)]


def offer(text: str) -> bytes:
    return (HEAD + text.replace("\n", "\r\n")).encode()


def test_two_of_ours_agree():
    ours, theirs = session(codecs=(PCMA, PCMU)), session(port=5004, host="198.51.100.7")
    plan, answer = theirs.offered(ours.offer())
    mirror = ours.answered(answer)
    assert plan.remote == ("192.0.2.9", 40000)
    assert mirror.remote == ("198.51.100.7", 5004)
    assert plan.codec.name == mirror.codec.name == "PCMU"  # the answerer's taste
    assert (plan.dtmf, plan.receive_dtmf, plan.ptime) == (101, 101, 20)
    assert plan.sends
    assert plan.receives
    assert ours.stable
    assert theirs.stable


def test_dynamic_numbers_are_the_offerers():
    body = offer(
        "m=audio 9000 RTP/AVP 96 9 100\na=rtpmap:96 opus/48000/2\na=rtpmap:100 telephone-event/8000\n"
        "a=ptime:40\n"
    )
    plan, answer = session(codecs=(OPUS, G722)).offered(body)
    assert (plan.codec.name, plan.codec.payload, plan.receive_payload) == ("opus", 96, 96)
    assert (plan.dtmf, plan.ptime) == (100, 40)
    assert lines(answer, "m=") == ["m=audio 40000 RTP/AVP 96 100"]


@pytest.mark.parametrize(
    ("line", "answer", "sends", "receives"),
    [
        ("a=sendrecv", "a=sendrecv", True, True),
        ("a=sendonly", "a=recvonly", False, True),
        ("a=recvonly", "a=sendonly", True, False),
        ("a=inactive", "a=inactive", False, False),
        ("c=IN IP4 0.0.0.0", "a=recvonly", False, True),
    ],
)
def test_hold_in_every_dress(line, answer, sends, receives):
    plan, body = session().offered(offer(f"m=audio 9000 RTP/AVP 0\n{line}\n"))
    assert lines(body, f"{answer}") == [answer]
    assert (plan.sends, plan.receives) == (sends, receives)


def test_both_hold():
    ours = session()
    ours.holding = True
    plan, body = ours.offered(offer("m=audio 9000 RTP/AVP 0\na=sendonly\n"))
    assert lines(body, "a=in") == ["a=inactive"]
    assert not plan.sends
    assert not plan.receives


def test_extra_media_are_refused_and_keep_their_place():
    ours = session()
    _, body = ours.offered(
        offer(
            "m=video 9002 RTP/AVP 31\nm=audio 0 RTP/AVP 0\nm=audio 9000 RTP/AVP 0\n"
            "m=image 9004 udptl t38\n"
        )
    )
    assert [line.split()[1] for line in lines(body, "m=")] == ["0", "0", "40000", "0"]
    assert [line.split()[1] for line in lines(ours.offer(), "m=")] == ["0", "0", "40000", "0"]


@pytest.mark.parametrize(
    "text",
    [
        "m=video 9000 RTP/AVP 31\n",
        "m=audio 9000 RTP/AVP 3 18\n",
        "m=audio 0 RTP/AVP 0\n",
        "m=audio 9000 RTP/SAVP 0\n",
        "m=audio 9000 UDP/TLS/RTP/SAVPF 0\n",
        "",
    ],
)
def test_nothing_to_agree_on(text):
    ours = session()
    with pytest.raises(SdpError):
        ours.offered(offer(text))
    assert ours.stable


def test_a_name_in_the_connection_is_never_a_destination():
    plan, _ = session().offered(offer("m=audio 9000 RTP/AVP 0\nc=IN IP4 media.example\n"))
    assert plan.remote is None


def test_the_version_rises_with_changes_only():
    ours, theirs = session(), session(port=5004)
    versions = []
    for holding in (False, False, True, False):
        ours.holding = holding
        body = ours.offer(full=False)
        ours.answered(theirs.offered(body)[1])
        versions.append(int(lines(body, "o=")[0].split()[2]))
    assert versions == [0, 1, 2, 3]  # the second offers one codec only, the one in use
    body = ours.offer(full=False)
    assert int(lines(body, "o=")[0].split()[2]) == 3


def test_numbers_stay_what_they_were_and_never_collide():
    ours = session(codecs=(OPUS, PCMU), dtmf=96)
    ours.offered(offer("m=audio 9000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n"))
    described = sdp.parse(ours.offer()).media[0]
    numbers = [codec.payload for codec in described.codecs]
    assert len(set(numbers)) == len(numbers)
    opus = next(codec for codec in described.codecs if codec.name == "opus")
    assert opus.payload == 96


def test_answers_that_answer_nothing():
    for text in (
        "m=audio 0 RTP/AVP 0\n",
        "m=audio 9000 RTP/AVP 18\n",
        "m=audio 9000 RTP/AVP 0\nm=video 0 RTP/AVP 31\n",
        "",
    ):
        ours = session()
        ours.offer()
        with pytest.raises(SdpError):
            ours.answered(offer(text))
        assert ours.stable


def test_offers_do_not_cross():
    ours = session()
    ours.offer()
    with pytest.raises(SdpError, match="crosses"):
        ours.offered(offer("m=audio 9000 RTP/AVP 0\n"))
    ours.rollback()
    assert ours.offered(offer("m=audio 9000 RTP/AVP 0\n"))


# -- SDES


@pytest.mark.parametrize(
    ("ours", "theirs", "encrypted"),
    [
        (Srtp.OFF, Srtp.OFF, False),
        (Srtp.OFF, Srtp.OPTIONAL, False),
        (Srtp.OPTIONAL, Srtp.OFF, False),
        (Srtp.OPTIONAL, Srtp.OPTIONAL, True),
        (Srtp.REQUIRED, Srtp.OPTIONAL, True),
        (Srtp.REQUIRED, Srtp.REQUIRED, True),
        (Srtp.REQUIRED, Srtp.OFF, None),
        (Srtp.OFF, Srtp.REQUIRED, None),
    ],
)
def test_srtp(ours, theirs, encrypted):
    one, two = session(srtp=ours), session(port=5004, srtp=theirs)
    if encrypted is None:
        with pytest.raises(SdpError):
            two.offered(one.offer())
        return
    there, answer = two.offered(one.offer())
    here = one.answered(answer)
    assert (here.send_key is not None) is encrypted
    if encrypted:
        assert here.send_key is not None
        assert here.receive_key is not None
        assert here.send_key == there.receive_key
        assert here.receive_key == there.send_key
        # The key stays while the session lasts: a refresh restarts no stream.
        assert two.offered(one.offer(full=False))[0].receive_key == there.receive_key
        assert repr(here.send_key.key) not in repr(here)


KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"  # RFC 4568's example


def test_a_suite_that_we_cannot_do_is_passed_over():
    body = offer(
        "m=audio 9000 RTP/SAVP 0\n"
        f"a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4\n"
        f"a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4\n"
        f"a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{KEY[:-8]}\n"
        f"a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20 WSH=60\n"
    )
    plan, answer = session(srtp=Srtp.OPTIONAL).offered(body)
    assert plan.receive_key is not None
    assert (plan.receive_key.tag, plan.receive_key.suite) == (4, "AES_CM_128_HMAC_SHA1_32")
    assert lines(answer, "a=crypto")[0].startswith("a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:")


# -- bytes that nobody meant


@pytest.mark.parametrize(
    "body",
    [b"", b"v=1\r\n", b"v=0\r\nm=audio\r\n", b"v=0\r\no=x\r\n", b"v=0\r\nnonsense\r\n",
     HEAD.encode() + b"m=audio 70000 RTP/AVP 0\r\n", HEAD.encode() + b"c=IN IP4\r\n",
     HEAD.encode() + b"m=audio 1 RTP/AVP 0\r\n" * 17, b"v=0\r\n" + b"a=x\r\n" * 600],
)  # fmt: skip
def test_malformed_descriptions(body):
    with pytest.raises(SdpError):
        sdp.parse(body)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_description_at_all(data):
    body = bytearray(
        offer(
            "m=audio 9000 RTP/AVP 0 96 101\na=rtpmap:96 opus/48000/2\na=fmtp:101 0-15\n"
            f"a=rtpmap:101 telephone-event/8000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n"
        )
    )
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(SdpError):
        session(srtp=Srtp.OPTIONAL).offered(bytes(body))


def test_media_that_make_no_sense():
    for wrong in ({"host": "pbx.example"}, {"port": 0}, {"codecs": ()}, {"ptime": 5}):
        with pytest.raises(ValueError, match=r"media|literal"):
            LocalMedia(**{"host": "192.0.2.1", "port": 4000, **wrong})
