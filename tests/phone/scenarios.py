"""What sipp is to do, as text: pieces of its scenarios."""

from __future__ import annotations

import re

SDP = """\
v=0
o=user1 53655765 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a={direction}
"""


def send(
    method: str,
    cseq: int,
    body: str = "",
    kind: str = "application/sdp",
    to: str = "[peer_tag_param]",
    branch: str = "[branch]",
) -> str:
    retransmit = "" if method == "ACK" else ' retrans="500"'
    content = f"Content-Type: {kind}\n" if body else ""
    return f"""<send{retransmit}><![CDATA[
{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
To: bot <sip:[service]@[remote_ip]:[remote_port]>{to}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: sip:sipp@[local_ip]:[local_port]
Max-Forwards: 70
{content}Content-Length: [len]

{body}]]></send>"""


ANSWERED = (
    '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
    '<recv response="200"/>'
)


RINGING = '<recv response="100" optional="true"/><recv response="180"/>'


def sdp(direction: str = "sendrecv", version: int = 1) -> str:
    return SDP.format(direction=direction, version=version)


def reply(status: int, reason: str = "", body: str = "", *, tag: str = "", more: str = "") -> str:
    """Answer the last request.

    Args:
        status: The status.
        reason: Its reason.
        body: An SDP.
        tag: The tag put on To; "" where the request has ours already.
        more: Whole header lines, each with its end.
    """
    to = f"[last_To:];tag={tag}" if tag else "[last_To:]"
    kind = "Content-Type: application/sdp\n" if body else ""
    return f"""<send><![CDATA[
SIP/2.0 {status} {reason or "As Asked"}
[last_Via:]
[last_From:]
{to}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port]>
{more}{kind}Content-Length: [len]

{body}]]></send>"""


def pause(seconds: float) -> str:
    return f'<pause milliseconds="{round(seconds * 1000)}"/>'


def scenario(steps: str) -> str:
    """Make a whole scenario of steps; variables that nothing reads are no mistake of theirs."""
    named = sorted(set(re.findall(r'assign_to="(\w+)"', steps)))
    used = f'<Reference variables="{",".join(named)}"/>' if named else ""
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="t">\n{steps}{used}\n</scenario>\n'


BYE = send("BYE", 9) + '<recv response="200"/>'
