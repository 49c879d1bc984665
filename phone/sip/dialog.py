"""Dialogs (RFC 3261 §12): who talks with whom, over which route, in which order."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from vivavoce.phone.sip.decisions import Address
from vivavoce.phone.sip.errors import SipParseError
from vivavoce.phone.sip.headers import NameAddr
from vivavoce.phone.sip.message import Headers, Request, Response
from vivavoce.phone.sip.uri import DEFAULT_PORT, Uri


def route_to(uri: Uri, flow: Address) -> tuple[Address, Address | None]:
    """Return where a request for `uri` goes, and where to connect if `to` is not connected.

    A host name, an unusable address, or a private address that a public peer names (it stands
    behind a NAT and does not know) gives the flow: where the peer's packets come from. The
    transport is the URI's, else the flow's; what came over TLS never leaves it.

    Args:
        uri: The next hop: the first Route, or the remote target.
        flow: Where the peer was last heard or reached.
    """
    host = uri.ip
    if host is None or not _usable(host, flow.host):
        return flow, flow if flow.reliable else None
    transport = (uri.param("transport") or flow.transport).lower()
    if uri.secure or flow.transport == "tls":
        transport = "tls"
    if transport not in DEFAULT_PORT:
        return flow, flow if flow.reliable else None
    target = Address(transport, host, uri.port or DEFAULT_PORT[transport])
    if target.reliable and flow.transport == transport and flow.host == host:
        return flow, target  # the connection that is there (RFC 5923), else a new one
    return target, target if target.reliable else None


def _usable(host: str, flow: str) -> bool:
    there, here = ipaddress.ip_address(host), ipaddress.ip_address(flow)
    if there == here:
        return True
    if there.is_multicast or there.is_unspecified or there.version != here.version:
        return False
    if host == "255.255.255.255":
        return False
    # From outside, loopback and private addresses are the peer's own, or a trick to reach ours.
    return there.is_global or not here.is_global


@dataclass(slots=True)
class Dialog:
    """One dialog, early or confirmed.

    Attributes:
        call_id: Its Call-ID.
        local: Our From or To, with our tag.
        remote: Theirs; without a tag for RFC 2543 peers.
        local_seq: CSeq number of our last request; 0 for none.
        remote_seq: CSeq number of their last request; None for none.
        target: Their Contact: where requests are addressed.
        routes: The route set, nearest first.
        flow: Where the peer was last heard.
        confirmed: Whether a 2xx made it final.
    """

    call_id: str
    local: NameAddr
    remote: NameAddr
    local_seq: int
    remote_seq: int | None
    target: Uri
    routes: tuple[NameAddr, ...]
    flow: Address
    confirmed: bool = False

    @staticmethod
    def as_caller(request: Request, response: Response, flow: Address) -> Dialog:
        """Make the dialog that a response to our INVITE opens (§12.1.2).

        Raises:
            SipParseError: The response has no Contact, or a malformed route.
        """
        contact = response.contact
        if contact is None:
            raise SipParseError("a response that opens a dialog has no Contact")
        return Dialog(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            local_seq=request.cseq.number,
            remote_seq=None,
            target=contact.uri,
            routes=tuple(_routes(response)[::-1]),
            flow=flow,
            confirmed=response.status >= 200,
        )

    @staticmethod
    def as_callee(request: Request, tag: str, flow: Address) -> Dialog:
        """Make the dialog that our response to an INVITE opens (§12.1.1).

        Raises:
            SipParseError: The request has no Contact, or a malformed route.
        """
        contact = request.contact
        if contact is None:
            raise SipParseError("an INVITE needs a Contact")
        return Dialog(
            call_id=request.call_id,
            local=request.to.tagged(tag),
            remote=request.from_,
            local_seq=0,
            remote_seq=request.cseq.number,
            target=contact.uri,
            routes=tuple(_routes(request)),
            flow=flow,
        )

    @property
    def remote_tag(self) -> str:
        """Their tag, "" when they have none."""
        return self.remote.tag or ""

    def in_order(self, request: Request) -> bool:
        """Note a request of theirs; False when it is older than one we have seen (500)."""
        number = request.cseq.number
        if self.remote_seq is not None and number <= self.remote_seq:
            return False
        self.remote_seq = number
        return True

    def refresh(self, message: Request | Response, flow: Address) -> None:
        """Take the new target of an INVITE or UPDATE, or of the 2xx to ours (§12.2)."""
        contact = message.contact
        if contact is not None and contact.uri.scheme in {"sip", "sips"}:
            self.target = contact.uri
        self.flow = flow

    def request(self, method: str, *, number: int | None = None) -> Request:
        """Return a request within it: line, Route, From, To, Call-ID, CSeq (§12.2.1.1).

        Args:
            method: The method.
            number: The CSeq number of an ACK; by default the next one is taken.
        """
        if number is None:
            self.local_seq += 1
            number = self.local_seq
        uri, routes = self.target.bare(), list(self.routes)
        if routes and routes[0].uri.param("lr") is None:
            # A strict router (RFC 2543) wants itself in the request line, the target last.
            uri = routes.pop(0).uri.bare()
            routes.append(NameAddr(self.target))
        headers = Headers([("Max-Forwards", "70")])
        for route in routes:
            headers.add("Route", str(route))
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{number} {method}")
        return Request(method=method, uri=uri, headers=headers)

    def destination(self) -> tuple[Address, Address | None]:
        """Return where its requests go, as `route_to` does."""
        return route_to(self.routes[0].uri if self.routes else self.target, self.flow)


def _routes(message: Request | Response) -> list[NameAddr]:
    return [NameAddr.parse(value) for value in message.headers.values("Record-Route")]
