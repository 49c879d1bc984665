"""Offers and answers, without a network: what browsers send, and what they get."""

from __future__ import annotations

import pytest
from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from aiortc.sdp import SessionDescription, candidate_from_sdp
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.web.sdp import Local, OfferError, read_candidate, read_offer, write_answer

# As Chromium makes it for pipecat's client: audio, camera, screen and data on one connection.
CHROME = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2 3
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=ice-options:trickle
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:- 5a4e
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F
a=setup:actpass
a=mid:1
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F
a=setup:actpass
a=mid:2
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F
a=setup:actpass
a=mid:3
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n")
LOCAL = Local(
    username="abcd",
    password="efghijklmnopqrstuvwxyz",
    candidates=(candidate_from_sdp("1 1 udp 2130706431 192.0.2.1 4000 typ host"),),
    fingerprints=(RTCDtlsFingerprint("sha-256", "AA:BB"),),
    role="client",
    ssrc=1234,
    cname="us",
)


def test_a_browsers_offer_is_read():
    offer = read_offer(CHROME)
    assert [section.use for section in offer.sections] == ["audio", "", "", "data"]
    assert offer.opus == 111
    assert offer.events == (110, 48_000)
    assert offer.sends
    assert offer.receives
    assert offer.sctp_port == 5000
    assert (offer.username, offer.role, offer.ours) == ("EsAw", "auto", "client")
    assert not offer.complete


def test_an_answer_has_as_many_lines_and_refuses_the_pictures():
    answer = SessionDescription.parse(write_answer(read_offer(CHROME), LOCAL))
    assert [media.kind for media in answer.media] == ["audio", "video", "video", "application"]
    assert [media.port for media in answer.media] == [9, 0, 0, 9]
    assert [str(each) for each in answer.group[0].items] == ["0", "3"]
    audio, data = answer.media[0], answer.media[3]
    assert audio.direction == "sendrecv"
    assert audio.rtcp_mux
    assert [codec.payloadType for codec in audio.rtp.codecs] == [111, 110]
    assert audio.ssrc[0].ssrc == 1234
    assert audio.dtls.role == data.dtls.role == "client"
    assert len(audio.ice_candidates) == 1
    assert data.sctp_port == 5000


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_who_has_no_microphone_still_hears(theirs, ours):
    offer = read_offer(CHROME.replace("a=sendrecv", f"a={theirs}", 1))
    assert SessionDescription.parse(write_answer(offer, LOCAL)).media[0].direction == ours
    assert offer.sends == (theirs == "sendonly")


def test_roles():
    assert read_offer(CHROME.replace("setup:actpass", "setup:active")).ours == "server"
    assert read_offer(CHROME.replace("setup:actpass", "setup:passive")).ours == "client"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=mid:3", "a=mid:0"),
        ("a=mid:0", "a=mid:" + "x" * 99),
        ("m=audio 9", "m=audio 9 9"),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:"),
        ("sha-256 D2", "md5 D2"),
        ("a=setup:actpass", "a=setup:whatever"),
    ],
)
def test_a_broken_offer_is_told_so(old, new):
    with pytest.raises(OfferError):
        read_offer(CHROME.replace(old, new))


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text):
    with pytest.raises(OfferError):
        read_offer(text)


@given(st.integers(0, len(CHROME) - 1), st.integers(1, 60), st.text(max_size=5))
def test_no_change_of_an_offer_breaks_the_reader(at, count, text):
    try:
        offer = read_offer(CHROME[:at] + text + CHROME[at + count :])
    except OfferError:
        return
    assert write_answer(offer, LOCAL).endswith("\r\n")


def test_candidates():
    text = "candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx raddr 0.0.0.0 rport 0"
    assert read_candidate(text).port == 46_154
    assert read_candidate("") is None
    assert read_candidate("a=" + text).ip == "192.0.2.7"
    with pytest.raises(OfferError):
        read_candidate("candidate:nonsense")
