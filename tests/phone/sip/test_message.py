"""Messages: the torture of RFC 4475, limits, streams, and bytes that nobody meant."""

from __future__ import annotations

import contextlib
import random
import re
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.message import (
    MAX_HEADERS,
    MAX_MESSAGE,
    Framer,
    Headers,
    Request,
    Response,
    parse,
)
from vivavoce.phone.sip.uri import Uri

INVITE = """\
INVITE sip:bob@biloxi.example SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.example:5060;branch=z9hG4bK776asdhds
Max-Forwards: 70
To: Bob <sip:bob@biloxi.example>
From: Alice <sip:alice@atlanta.example>;tag=1928301774
Call-ID: a84b4c76e66710
CSeq: 314159 INVITE
Contact: <sip:alice@192.0.2.1>
Content-Length: 0

"""


def wire(text: str, body: bytes = b"") -> bytes:
    return text.replace("\n", "\r\n").encode("utf-8", "surrogateescape") + body


def changed(*changes: tuple[str, str]) -> bytes:
    text = INVITE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return wire(text)


# RFC 4475 §3.1.1.1: "a short tortuous INVITE"
TORTUOUS = """\
INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

"""


def test_the_rfcs_own_example_is_read():
    message = parse(wire(INVITE))
    assert isinstance(message, Request)
    assert (message.method, str(message.uri)) == ("INVITE", "sip:bob@biloxi.example")
    assert (message.to.display, message.from_.tag) == ("Bob", "1928301774")
    assert (message.cseq.number, message.cseq.method) == (314159, "INVITE")
    assert (message.via.host, message.via.port) == ("pc33.atlanta.example", 5060)
    assert message.contact is not None
    assert message.contact.uri.ip == "192.0.2.1"


def test_a_short_tortuous_invite():
    message = parse(wire(TORTUOUS, b"v" * 150))
    assert isinstance(message, Request)
    assert message.to.tag == "1918181833n"
    assert (message.from_.display, message.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert message.headers.get("Max-Forwards") == "0068"
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [via.transport for via in message.vias] == ["UDP", "TCP", "UDP"]
    assert [via.branch for via in message.vias] == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    assert message.headers.get("Subject") == ""
    assert message.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.headers.get("Route") == (
        "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>"
    )
    assert message.contact is not None
    assert message.contact.display == 'Quoted string ""'
    assert message.contact.param("q") == "0.33"
    assert message.body == b"v" * 150


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("intmeth", [("INVITE", "!interesting-Method0123456789_*+`.%indeed'~"),
                     ("314159 INVITE", "314159 !interesting-Method0123456789_*+`.%indeed'~")]),
        ("intmeth: the user part", [("sip:bob@", ("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?"
                                     ",/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@"))]),
        ("esc01", [("sip:bob@", "sip:sips%3Auser%40example.com@")]),
        ("escnull", [("sip:alice@atlanta", "sip:null-%00-null@atlanta")]),
        ("lwsdisp", [("Alice <sip:alice@atlanta.example>", "caller<sip:caller@example.com>")]),
        ("semiuri", [("sip:bob@", "sip:user;par=u%40example.net@")]),
        ("unksm", [("sip:bob@biloxi.example", "nobodyKnowsThisScheme:totallyopaquecontent")]),
        ("novelsc", [("sip:bob@biloxi.example", "soap.beep://192.0.2.103:3002")]),
        ("zeromf", [("Max-Forwards: 70", "Max-Forwards: 0")]),
        ("transports", [("UDP pc33", "UNKNOWN pc33")]),
        ("IPv6 (RFC 5118)", [("pc33.atlanta.example:5060", "[2001:db8::9:255]:6050")]),
        ("unicode", [("Alice <", '"Ἀλίκη" <')]),
        ("no quotes but accents", [("Alice <", "Zoé B. <")]),
        ("lower-case version", [("SIP/2.0\n", "sip/2.0\n")]),
        ("RFC 2543: no tag, no cookie", [(";tag=1928301774", ""), ("z9hG4bK", "")]),
    ],
)  # fmt: skip
def test_strange_but_lawful(name, changes):
    message = parse(changed(*changes))
    again = parse(bytes(message))
    assert list(again.headers) == [*message.headers] or "Content-Length" in again.headers
    assert again.first_line() == message.first_line()


@pytest.mark.parametrize(
    ("name", "changes", "status"),
    [
        ("clerr: body shorter than said", [("Length: 0", "Length: 9999")], 400),
        ("ncl", [("Length: 0", "Length: -999")], 400),
        ("scalar02: CSeq", [("314159", "36893488147419103232")], 400),
        ("scalar02: Max-Forwards", [("Forwards: 70", "Forwards: 300")], 400),
        ("quotbal", [("Bob <", '"Mr. J. User <')], 400),
        ("ltgtruri", [("sip:bob@biloxi.example SIP", "<sip:bob@biloxi.example> SIP")], 400),
        ("lwsruri", [("sip:bob@biloxi.example SIP", "sip:bob@biloxi.example; lr SIP")], 400),
        ("lwsstart", [("INVITE sip:bob", "INVITE  sip:bob")], 400),
        ("trws", [("SIP/2.0\nVia", "SIP/2.0  \nVia")], 400),
        ("badvers", [("SIP/2.0\nVia", "SIP/7.0\nVia")], 505),
        ("mismatch01", [("314159 INVITE", "314159 OPTIONS")], 400),
        ("badinv01", [("Contact: <sip:alice@192.0.2.1>", 'Contact: "Joe" <sip:joe@ex.org>;;;;"')], 400),
        ("multi01: CSeq", [("CSeq:", "CSeq: 5 INVITE\nCSeq:")], 400),
        ("multi01: From", [("From:", "From: <sip:other@x>;tag=1\nFrom:")], 400),
        ("mcl01", [("Content-Length: 0", "Content-Length: 0\nl: 5")], 400),
        ("insuf: no From", [("From: Alice <sip:alice@atlanta.example>;tag=1928301774\n", "")], 400),
        ("insuf: no Call-ID", [("Call-ID: a84b4c76e66710\n", "")], 400),
        ("regbadct", [("<sip:alice@192.0.2.1>", "sip:user@example.com?Route=%3Csip:x%3E")], 400),
        ("no tag", [(";tag=1928301774", "")], 400),
        ("a NUL", [("Alice", "Al\x00ice")], 400),
        ("a bare CR", [("Alice", "Al\rice")], 400),
        ("no colon", [("Max-Forwards: 70", "Max-Forwards 70")], 400),
        ("a folded first header", [("Via: SIP", " Via: SIP")], 400),
        ("an empty first Via", [("Via: SIP", "Via: , SIP")], 400),
        ("port 0", [(":5060", ":0")], 400),
        ("port too large", [(":5060", ":65536")], 400),
        ("half an IPv6 literal", [("pc33.atlanta.example:5060", "[2001:db8::1")], 400),
        ("two at signs", [("sip:bob@", "sip:bob@@")], 400),
    ],
)  # fmt: skip
def test_what_is_refused(name, changes, status):
    with pytest.raises(SipParseError) as caught:
        parse(changed(*changes))
    assert caught.value.status == status


@pytest.mark.parametrize("code", ["99", "700", "4294967301", "2x0"])
def test_a_status_out_of_range(code):
    text = INVITE.replace("INVITE sip:bob@biloxi.example SIP/2.0", f"SIP/2.0 {code} OK")
    with pytest.raises(SipParseError):
        parse(wire(text))


def test_a_reason_may_be_empty_or_in_any_script():
    start = "INVITE sip:bob@biloxi.example SIP/2.0"
    for reason in (" ", "", " = 2**3 * 5**2 но сто девяносто"):
        message = parse(wire(INVITE.replace(start, f"SIP/2.0 183{reason}")))
        assert isinstance(message, Response)
        assert message.reason == reason[1:]


def test_a_second_message_in_a_datagram_is_not_looked_at():
    message = parse(wire(INVITE) + wire(INVITE.replace("INVITE", "BYE")))
    assert isinstance(message, Request)
    assert (message.method, message.body) == ("INVITE", b"")


def test_limits():
    assert parse(changed(("Max-", "X: y\n" * (MAX_HEADERS - 8) + "Max-")))
    with pytest.raises(SipParseError, match="header lines"):
        parse(changed(("Max-", "X: y\n" * (MAX_HEADERS - 7) + "Max-")))
    with pytest.raises(SipParseError, match="bytes"):
        parse(wire(INVITE) + b" " * MAX_MESSAGE)


def test_compact_forms_are_the_long_ones():
    text = INVITE
    for long, short in [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"),
                        ("Contact", "m"), ("Content-Length", "l")]:  # fmt: skip
        text = re.sub(rf"(?m)^{long}:", f"{short}:", text)
    assert bytes(parse(wire(text))) == bytes(parse(wire(INVITE)))


def test_a_reply_copies_what_it_must():
    text = INVITE.replace("Max-", "Via: SIP/2.0/TCP 10.1.1.1;branch=z9hG4bKb\nMax-")
    request = parse(wire(text))
    assert isinstance(request, Request)
    response = request.reply(180, tag="ours")
    assert [via.branch for via in response.vias] == ["z9hG4bK776asdhds", "z9hG4bKb"]
    assert response.to.tag == "ours"
    assert response.headers.get("From") == request.headers.get("From")
    assert request.reply(100, tag="ours").to.tag is None


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb"])
def test_a_line_end_cannot_be_smuggled_into_a_header(value):
    request = Request(
        method="INFO", uri=Uri.parse("sip:a@b"), headers=Headers([("Subject", value)])
    )
    with pytest.raises(ValueError, match="line end"):
        bytes(request)


# -- streams


def test_a_stream_is_cut_wherever_it_is_read():
    one, two = wire(INVITE), wire(INVITE.replace("Length: 0", "Length: 4"), b"\r\n\r\n")
    stream = one + b"\r\n\r\n" + two + b"\r\n" + one
    for size in (1, 7, 100, len(stream)):
        framer = Framer()
        frames = [
            frame
            for start in range(0, len(stream), size)
            for frame in framer.feed(stream[start : start + size])
        ]
        assert frames == [one, b"\r\n\r\n", two, one], size


@pytest.mark.parametrize(
    "data",
    [
        wire(INVITE.replace("Content-Length: 0\n", "")),
        wire(INVITE.replace("Length: 0", "Length: 99999")),
        wire(INVITE.replace("Length: 0", "Length: x")),
        wire(INVITE.replace("Content-Length: 0", "Content-Length: 0\nContent-Length: 1")),
        b"x" * (MAX_MESSAGE + 1),
    ],
)
def test_a_stream_that_cannot_be_cut(data):
    with pytest.raises(SipParseError):
        Framer().feed(data)


# -- bytes that nobody meant


def poke(message: Request | Response) -> None:
    """Read everything that is typed."""
    for name in ("vias", "from_", "to", "cseq", "contact", "content_type"):
        getattr(message, name)
    for name in ("Route", "Record-Route", "Contact"):
        message.headers.values(name)


def mutate(data: bytes, rng: random.Random) -> bytes:
    text = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(text) + 1)
        match rng.randrange(5):
            case 0:
                text[place : place + rng.randint(1, 20)] = b""
            case 1:
                text[place:place] = rng.choice(
                    [b"\r\n", b"\r\n ", b'"', b"<", b">", b",", b";", b"@", b"[", b"%", b"\x00"]
                )
            case 2:
                text[place:place] = rng.randbytes(rng.randint(1, 4))
            case 3:
                end = place + rng.randint(1, 60)
                text[place:place] = text[place:end] * rng.randint(1, 4)
            case _:
                text[place:place] = str(10 ** rng.randint(0, 30)).encode()
    return bytes(text)


def test_mutations_give_one_error_or_a_message_and_no_memory_is_kept():
    rng = random.Random(4475)
    seeds = [wire(INVITE), wire(TORTUOUS, b"v" * 150)]

    def batch(count: int) -> int:
        good = 0
        for number in range(count):
            try:
                poke(parse(mutate(seeds[number % 2], rng)))
                good += 1
            except SipParseError:
                pass
        return good

    assert 0 < batch(2000) < 2000  # also fills the caches, which are bounded
    tracemalloc.start()
    try:
        batch(500)
        before, _ = tracemalloc.get_traced_memory()
        batch(1500)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 600_000


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_at_all(data):
    with contextlib.suppress(SipParseError):
        poke(parse(data))


@given(st.text(alphabet=' \t<>";,:@=abcSIP/2.0[]\\', max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_header_at_all(text):
    for name in ("From", "Via", "Contact", "CSeq"):
        old = re.search(rf"(?m)^{name}: (.*)$", INVITE)
        assert old is not None
        with contextlib.suppress(SipParseError):
            poke(parse(changed((old[1], text))))


@pytest.mark.parametrize(
    "filler", [" ", '"', "<", ",", ";", "\t", "\\", '" ', "<>", ";a=", "[", "%"]
)
def test_long_runs_cost_no_more_than_their_length(filler):
    import time

    started = time.process_time()
    for line in ("SIP/2.0/UDP a{}", "{}", "<sip:a@b>{}x", '"{}', "sip:{}"):
        for name in ("From", "Via", "Contact", "CSeq"):
            old = re.search(rf"(?m)^{name}: (.*)$", INVITE)
            assert old is not None
            with contextlib.suppress(SipParseError):
                poke(parse(changed((old[1], line.format(filler * (12000 // len(filler)))))))
    assert time.process_time() - started < 1.5
