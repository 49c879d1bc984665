"""Dialogs: route sets both ways, order, and where requests go."""

from __future__ import annotations

import pytest

from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.dialog import Dialog, route_to
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.message import Request, Response, parse
from vivavoce.phone.sip.uri import Uri

FLOW = Address("udp", "203.0.113.5", 5060)
ROUTES = "Record-Route: <sip:203.0.113.7;lr>, <sip:203.0.113.8:5070;lr>\n"


def invite(extra: str = "", contact: str = "Contact: <sip:alice@203.0.113.5:5062>\n") -> Request:
    text = (
        "INVITE sip:bob@203.0.113.9 SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1\n"
        f"From: <sip:alice@a>;tag=a\nTo: <sip:bob@b>\nCall-ID: c\nCSeq: 7 INVITE\n{contact}{extra}\n"
    )
    message = parse(text.replace("\n", "\r\n").encode())
    assert isinstance(message, Request)
    return message


def accepted(request: Request, extra: str = "") -> Response:
    response = request.reply(200, tag="b")
    text = (
        bytes(response)
        .decode()
        .replace("Content-Length", f"Contact: <sip:bob@203.0.113.9>\r\n{extra}Content-Length")
    )
    message = parse(text.encode())
    assert isinstance(message, Response)
    return message


def test_the_callees_routes_are_in_the_requests_order():
    dialog = Dialog.as_callee(invite(ROUTES), "b", FLOW)
    request = dialog.request("BYE")
    assert [uri.uri.host for uri in dialog.routes] == ["203.0.113.7", "203.0.113.8"]
    assert request.headers.all("Route") == ["<sip:203.0.113.7;lr>", "<sip:203.0.113.8:5070;lr>"]
    assert str(request.uri) == "sip:alice@203.0.113.5:5062"
    assert dialog.destination()[0] == Address("udp", "203.0.113.7", 5060)


def test_the_callers_routes_are_turned_round():
    request = invite()
    dialog = Dialog.as_caller(request, accepted(request, ROUTES.replace("\n", "\r\n")), FLOW)
    assert [uri.uri.host for uri in dialog.routes] == ["203.0.113.8", "203.0.113.7"]
    assert dialog.destination()[0] == Address("udp", "203.0.113.8", 5070)
    assert dialog.request("BYE").cseq.number == 8


def test_a_strict_router_gets_itself_in_the_request_line():
    dialog = Dialog.as_callee(invite("Record-Route: <sip:203.0.113.7>\n"), "b", FLOW)
    request = dialog.request("BYE")
    assert str(request.uri) == "sip:203.0.113.7"
    assert request.headers.all("Route") == ["<sip:alice@203.0.113.5:5062>"]


def test_requests_in_order_only():
    dialog = Dialog.as_callee(invite(), "b", FLOW)
    late, new = invite(), invite()
    new.headers.set("CSeq", "9 INVITE")
    assert not dialog.in_order(late)
    assert dialog.in_order(new)
    assert not dialog.in_order(new)


def test_without_a_contact_there_is_no_dialog():
    with pytest.raises(SipParseError, match="Contact"):
        Dialog.as_callee(invite(contact=""), "b", FLOW)


TCP = Address("tcp", "203.0.113.5", 50123)
TLS = Address("tls", "203.0.113.5", 50123)


@pytest.mark.parametrize(
    ("uri", "flow", "expected"),
    [
        ("sip:a@203.0.113.6", FLOW, Address("udp", "203.0.113.6", 5060)),
        ("sip:a@203.0.113.6:5080;transport=tcp", FLOW, Address("tcp", "203.0.113.6", 5080)),
        ("sip:a@host.example", FLOW, FLOW),
        ("sip:a@localhost:22", FLOW, FLOW),
        ("sip:a@127.1", FLOW, FLOW),
        ("sip:a@127.0.0.1", FLOW, FLOW),
        ("sip:a@10.0.0.3:5060", Address("udp", "8.8.8.8", 6000), Address("udp", "8.8.8.8", 6000)),
        ("sip:a@169.254.169.254:80", Address("udp", "8.8.8.8", 6), Address("udp", "8.8.8.8", 6)),
        ("sip:a@224.0.0.1", FLOW, FLOW),
        ("sip:a@0.0.0.0", FLOW, FLOW),
        ("sip:a@255.255.255.255", FLOW, FLOW),
        ("sip:a@[2001:db8::1]", FLOW, FLOW),
        ("sip:a@203.0.113.6;transport=ws", FLOW, FLOW),
        ("sip:a@203.0.113.5", TCP, TCP),
        ("sip:a@203.0.113.5;transport=udp", TLS, TLS),
        ("sips:a@203.0.113.6", TCP, Address("tls", "203.0.113.6", 5061)),
        ("tel:+331", FLOW, FLOW),
    ],
)  # fmt: skip
def test_only_literals_that_make_sense_are_destinations(uri, flow, expected):
    if flow is FLOW and "127.0.0.1" in uri:
        flow = expected = Address("udp", "8.8.4.4", 5060)
    assert route_to(Uri.parse(uri), flow)[0] == expected


def test_a_connection_that_is_gone_is_opened_to_the_contact():
    to, otherwise = route_to(Uri.parse("sip:a@203.0.113.5:5090;transport=tcp"), TCP)
    assert (to, otherwise) == (TCP, Address("tcp", "203.0.113.5", 5090))
