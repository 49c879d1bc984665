"""URIs: the examples of RFC 3261 §19.1.3, IPv6, tel, and what is no destination."""

from __future__ import annotations

import pytest

from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.uri import Uri, ip_literal


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@atlanta.com",
        "sip:alice:secretword@atlanta.com;transport=tcp",
        "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.com;user=phone",
        "sips:1212@gateway.com",
        "sip:alice@192.0.2.4",
        "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
        "sip:alice;day=tuesday@atlanta.com",
        "sip:[2001:db8::10]:5070",
        "sip:user@[2001:db8::1];transport=udp",
        "tel:+33123456789",
        "tel:7042;phone-context=example.com",
        "mailto:a@b",
    ],
)
def test_the_rfcs_examples_survive_the_round_trip(text):
    assert str(Uri.parse(text)) == text


def test_the_parts():
    uri = Uri.parse("sips:Bob@[2001:DB8::1]:5071;lr;transport=tls?x=y")
    assert (uri.user, uri.host, uri.port) == ("Bob", "2001:db8::1", 5071)
    assert (uri.param("lr"), uri.param("transport"), uri.param("no")) == ("", "tls", None)
    assert uri.secure
    assert str(uri.bare()) == "sips:Bob@[2001:db8::1]:5071;lr;transport=tls"


@pytest.mark.parametrize(
    "text",
    ["", "sip:", "sip", "sip:@b", "sip:a@", "sip:a@b:", "sip:a@b:99999", "sip:a b@c", "sip:a@[::1",
     "sip:a@[::1]x", "sip:a@[fe80::1%25eth0]", "sip:a%4@b", "sip:a@b;=x", 'sip:a@b;x="y', "tel:",
     "sip:a@b@c", "1sip:a@b", "sip:a@b<c", "sip:-@[1.2.3.4]"],
)  # fmt: skip
def test_malformed(text):
    with pytest.raises(SipParseError):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("::ffff:192.0.2.1", "::ffff:c000:201"),
        ("pbx.example", None),
        ("127.1", None),
        ("0x7f.1", None),
        ("2130706433", None),
        ("192.0.2.01", None),
        ("fe80::1%eth0", None),
        ("localhost", None),
    ],
)
def test_only_a_whole_literal_is_an_address(host, literal):
    assert ip_literal(host) == literal
