"""The rare turns of a call, with sipp on the other side: who cancels, refuses, repeats, collides.

`CALLERS` are calls that come in, `CALLEES` calls that we make. What telephones do by themselves is
tested with them: `test_baresip.py`, `test_linphone.py`, `test_pjsip.py`; the plain cases of sipp
are in `test_sipp.py` and `sip/test_transport.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.phone.conftest import Bot, local_trunk, port_of
from tests.phone.peers import HERE, sipp, sipp_answering, tone
from tests.phone.scenarios import ANSWERED, BYE, RINGING, pause, reply, scenario, sdp, send
from vivavoce.phone import Credentials, DialError, Exposure, Station
from vivavoce.phone.sip.decisions import Resolve
from vivavoce.phone.sip.resolve import Records, Srv
from vivavoce.pipelines.audio.convert import encode_mulaw

ONE = "z9hG4bK-[pid]-[call_number]-one"
INVITE = send("INVITE", 1, sdp(), to="", branch=ONE)
CANCEL = send("CANCEL", 1, to="", branch=ONE).replace(' retrans="500"', "")


# -- calls that come in


@dataclass(frozen=True)
class Incoming:
    """What sipp does, whether we answer, and how the calls ended."""

    steps: str
    answers: bool = True
    farewell: str = "the caller hung up"


TRYING = '<recv response="100"/>'
CALLERS = {
    "CANCEL before it rings": Incoming(
        INVITE + TRYING + CANCEL + '<recv response="180" optional="true"/><recv response="200"/>'
        + '<recv response="487"/>' + send("ACK", 1, branch=ONE), False, "the caller gave up",
    ),
    "CANCEL while it rings": Incoming(
        INVITE + RINGING + CANCEL + '<recv response="200"/><recv response="487"/>'
        + send("ACK", 1, branch=ONE), False, "the caller gave up",
    ),
    "CANCEL crosses the answer": Incoming(
        INVITE + ANSWERED + CANCEL + '<recv response="200"/>' + send("ACK", 1) + BYE
    ),
    "the INVITE comes twice": Incoming(
        INVITE + RINGING + INVITE + '<recv response="180" optional="true"/><recv response="200"/>'
        + send("ACK", 1) + BYE
    ),
    "the ACK comes late": Incoming(INVITE + ANSWERED + pause(1.2) + send("ACK", 1) + BYE),
    # By two ways through a proxy that forks: one call, and 482 on the other way (RFC 3261 8.2.2.2).
    "the INVITE comes forked": Incoming(
        INVITE + RINGING + INVITE.replace("-one", "-two") + '<recv response="482"/>'
        + send("ACK", 1, branch=ONE.replace("-one", "-two")) + '<recv response="200"/>'
        + send("ACK", 1) + BYE
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLERS)
async def test_sipp_calls(station, tmp_path, case):
    wanted, bot = CALLERS[case], Bot()
    bot.answering, bot.rings = wanted.answers, 1.0
    there = await station(bot.take)
    code, logged = await sipp(
        port_of(there), tmp_path, "-s", "100", "-m", "1", scenario=scenario(wanted.steps)
    )
    assert code == 0, logged
    (line,) = bot.lines  # one call, whatever came twice
    assert await line.over(5)
    assert line.farewell == wanted.farewell
    assert line.answered == wanted.answers


async def test_a_tone_both_ways_with_sipp(station, tmp_path):
    """It plays a tone; on another call it echoes ours."""
    bot, echo = Bot(), Bot(600)
    there, here = await station(bot.take), await station(echo.take)
    raw = tmp_path / "tone.ulaw"
    raw.write_bytes(encode_mulaw(tone(4, 1000)))
    stream = f'<nop><action><exec rtp_stream="{raw},-1,0,PCMU/8000"/></action></nop>'
    steps = INVITE.replace("[auto_media_port]", "[rtpstream_audio_port]") + ANSWERED
    playing = asyncio.create_task(
        sipp(
            port_of(there), tmp_path, "-s", "1", "-m", "1", within=60,
            scenario=scenario(steps + send("ACK", 1) + stream + '<recv request="BYE" timeout="40000"/>' + reply(200)),
        )
    )  # fmt: skip
    await bot.hears_tone(1000)
    bot.lines[0].hang_up()
    assert (await playing)[0] == 0
    (tmp_path / "echo").mkdir()
    answers = (
        '<recv request="INVITE"/>' + reply(200, body=sdp(), tag="a")
        + '<recv request="ACK"/><recv request="BYE" timeout="40000"/>' + reply(200)
    )  # fmt: skip
    async with sipp_answering(tmp_path / "echo", scenario(answers), "-rtp_echo") as (port, ends):
        caller = await station(trunks=[local_trunk(port=port, transport="udp")])
        line = await caller.dial("1")
        talking = asyncio.create_task(echo.talk(line))
        await echo.hears_tone(600)
        line.hang_up()
        await asyncio.wait_for(talking, 5)
        await ends()
    assert here.lines == []


# -- calls that we make

Acting = Callable[[Station, int], Awaitable[None]]


@dataclass(frozen=True)
class Outgoing:
    """What sipp does when it is called, and what we do and see."""

    steps: str
    act: Acting
    trunk: Credentials | None = None


async def _gives_up(there: Station, _port: int) -> None:
    dialling = asyncio.create_task(there.dial("1"))
    async with asyncio.timeout(10):
        while not there.signalling.unanswered:  # noqa: ASYNC110 - no event tells that it has left
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.4)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling


async def _talks(there: Station, _port: int) -> None:
    line = await there.dial("1")
    await asyncio.sleep(0.3)
    line.hang_up()
    assert await line.over(10)


async def _holds(there: Station, _port: int) -> None:
    line = await there.dial("1")
    assert await line.hold()
    line.hang_up()


async def _presses(there: Station, _port: int) -> None:
    line = await there.dial("1")
    assert line.plan.dtmf is None
    line.press("5")
    line.press("#")
    assert await line.over(10)


def _refused(code: int) -> Acting:
    async def act(there: Station, _port: int) -> None:
        with pytest.raises(DialError) as caught:
            await there.dial("1")
        assert caught.value.code == code

    return act


ASKED = '<recv request="INVITE"/>'
ACKED = '<recv request="ACK"/>'
ENDED = '<recv request="BYE"/>' + reply(200)
CANCELS = (
    '<recv request="CANCEL"><action>'
    '<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cancel"/></action></recv>'
    + reply(200)
)
NOTED = """<recv request="INVITE"><action>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp="sip:[^&gt;]*" search_in="hdr" header="Contact:" assign_to="contact"/>
<ereg regexp="&lt;.*" search_in="hdr" header="From:" assign_to="from"/>
<ereg regexp="&lt;.*" search_in="hdr" header="To:" assign_to="to"/>
</action></recv>"""


def later(status: int, body: str = "") -> str:
    """Answer the INVITE that was noted, whatever came since."""
    kind = "Content-Type: application/sdp\n" if body else ""
    return f"""<send><![CDATA[
SIP/2.0 {status} As Asked
Via:[$via]
From: [$from]
To: [$to];tag=a
[last_Call-ID:]
CSeq: [$cseq] INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
{kind}Content-Length: [len]

{body}]]></send>"""


def own(method: str, body: str = "", tag: str = "") -> str:
    """Send a request of sipp's own, the called one, within the dialog."""
    kind = "Content-Type: application/sdp\n" if body else ""
    return f"""<send><![CDATA[
{method} [$contact] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-own
From: [$to]{tag}
To: [$from]
[last_Call-ID:]
CSeq: 7 {method}
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
{kind}Content-Length: [len]

{body}]]></send>"""


NO_KEYS = sdp().replace(" 101\n", "\n").replace("a=rtpmap:101 telephone-event/8000\n", "")
KEY = """<recv request="INFO"><action>
<ereg regexp="Signal *= *{key}" search_in="body" check_it="true" assign_to="key"/>
</action></recv>"""
CHALLENGE = 'Proxy-Authenticate: Digest realm="lab", nonce="n1", algorithm=MD5, qop="auth"\n'
PROVED = """<recv request="INVITE"><action>
<ereg regexp='username="bot".*response="[0-9a-f]+"' search_in="hdr" header="Proxy-Authorization:"
 check_it="true" assign_to="proof"/></action></recv>"""

CALLEES = {
    # Nothing came back yet: the CANCEL waits for the first response (RFC 3261 9.1).
    "we cancel before any response": Outgoing(
        NOTED + pause(0.9) + later(180) + CANCELS + later(487) + ACKED, _gives_up
    ),
    "we cancel after 100": Outgoing(
        NOTED + reply(100) + CANCELS + later(487) + ACKED, _gives_up
    ),
    "we cancel while it rings": Outgoing(
        NOTED + reply(180, tag="a") + CANCELS + later(487) + ACKED, _gives_up
    ),
    "our CANCEL crosses its answer": Outgoing(
        NOTED + reply(180, tag="a") + CANCELS + later(200, sdp()) + ACKED + ENDED, _gives_up
    ),
    **{
        f"{code}": Outgoing(ASKED + reply(code, tag="a") + ACKED, _refused(code))
        for code in (404, 486, 503, 603)
    },
    "407, and again with a password": Outgoing(
        ASKED + reply(407, tag="x", more=CHALLENGE) + ACKED
        + PROVED + reply(200, body=sdp(), tag="a") + ACKED + ENDED,
        _talks, Credentials("bot", "right"),
    ),
    "407, and no other password": Outgoing(
        ASKED + reply(407, tag="x", more=CHALLENGE) + ACKED
        + PROVED + reply(407, tag="y", more=CHALLENGE) + ACKED,
        _refused(407), Credentials("bot", "wrong"),
    ),
    "its 200 comes twice": Outgoing(
        # sipp takes our ACK, the same one again, for a repetition: it needs not be told.
        NOTED + later(200, sdp()) + ACKED + later(200, sdp())
        + '<recv request="ACK" optional="true"/>' + ENDED, _talks
    ),
    "two forks answer": Outgoing(
        NOTED + reply(180, tag="a") + later(180).replace("tag=a", "tag=b")
        + later(200, sdp()) + ACKED + later(200, sdp()).replace("tag=a", "tag=b")
        + ACKED + '<recv request="BYE"><action><ereg regexp="tag=b" search_in="hdr" header="To:"'
        + ' check_it="true" assign_to="b"/></action></recv>' + reply(200) + ENDED,
        _talks,
    ),
    "glare": Outgoing(
        ASKED + reply(200, body=sdp(), tag="a") + ACKED
        + NOTED + own("INVITE", sdp("sendrecv", 2)) + '<recv response="491"/>'
        + own("ACK") + later(491).replace(";tag=a", "") + ACKED
        + '<recv request="INVITE" timeout="8000"/>' + reply(200, body=sdp("recvonly", 2)) + ACKED
        + ENDED,
        _holds,
    ),
    "keys by INFO": Outgoing(
        NOTED + reply(200, body=NO_KEYS, tag="a") + ACKED
        + KEY.format(key="5") + reply(200) + KEY.format(key="#") + reply(200)
        + own("BYE", tag=";tag=a") + '<recv response="200"/>',
        _presses,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLEES)
async def test_sipp_is_called(station, tmp_path, case):
    wanted = CALLEES[case]
    async with sipp_answering(tmp_path, scenario(wanted.steps)) as (port, ends_well):
        there = await station(port=port, transport="udp", credentials=wanted.trunk)
        await wanted.act(there, port)
        await ends_well()


async def test_the_next_address_after_a_503(tmp_path):
    """A trunk by name, with two servers in SRV: the first says 503, the second answers."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    full = ASKED + reply(503, tag="a") + ACKED
    good = ASKED + reply(200, body=sdp(), tag="a") + ACKED + ENDED
    async with (
        sipp_answering(tmp_path / "one", scenario(full)) as (first, one_ends),
        sipp_answering(tmp_path / "two", scenario(good)) as (second, two_ends),
    ):

        async def look_up(_asked: Resolve) -> Records:
            name = "_sip._udp.carrier.test"
            srv = [Srv(1, 1, first, "a.test"), Srv(2, 1, second, "b.test")]
            return Records(srv={name: srv}, addresses={"a.test": (HERE,), "b.test": (HERE,)})

        trunk = local_trunk(host="carrier.test", transport="udp", allow=())
        anywhere = Exposure(listen=("udp:127.0.0.1:0",))
        async with Station(trunks=[trunk], exposure=anywhere, look_up=look_up) as there:
            await _talks(there, second)
            await one_ends()
            await two_ends()
