"""A spoken conversation: a telephone says its lines to the restaurant's agent, and records it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiohttp import ClientSession, FormData

from tests.phone.agents import phone
from tests.phone.linphone import linphone
from tests.phone.peers import HERE, baresip, read, sipp, write
from tests.phone.pjsip import pjsip, uri
from tests.phone.scenarios import ANSWERED, pause, scenario, sdp, send
from tests.speech import speak
from vivavoce.agent import Call
from vivavoce.cli.load import load_agent
from vivavoce.phone import line_of
from vivavoce.pipelines.audio.convert import encode_mulaw
from vivavoce.pipelines.models.connect import Models

RESTAURANT = Path(__file__).parents[2] / "examples/restaurant.py"
LINES = ("What time do you open this evening?", "I would like a table for four.", "On Friday.")
GREETING, ANSWER = 5.0, 7.0
"""Seconds that the agent is given for its greeting, and for each answer."""

Heard = tuple[np.ndarray, int] | None
Talking = Callable[[Path, np.ndarray, int, asyncio.Event], Awaitable[Heard]]


NUMBERS = {
    "00": "", "o'clock": "", "4": "four", "6": "six", "7": "seven", "8": "eight", "9": "nine", "11": "eleven",
    "30": "thirty", "goodbye": "good bye",
}  # fmt: skip
"""Recognisers write numbers in figures or in words; what is said is the same."""


def words(text: str) -> list[str]:
    cleaned = "".join(c if c.isalnum() or c == "'" else " " for c in text.lower())
    return " ".join(NUMBERS.get(word, word) for word in cleaned.split()).split()


def error_rate(said: str, heard: str) -> float:
    """Word error rate: changes it takes to make one of the other, over the words said."""
    left, right = words(said), words(heard)
    row = list(range(len(right) + 1))
    for i, word in enumerate(left, 1):
        before, row = row, [i, *row[1:]]
        for j, other in enumerate(right, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other))
    return row[-1] / len(left)


async def transcribe(url: str, key: str, pcm: np.ndarray, rate: int, folder: Path) -> str:
    """Have the sandbox write a recording down."""
    form = FormData()
    form.add_field("model", "voxtral-mini-2602")
    path = write(folder / "heard.wav", pcm, rate)
    form.add_field("file", path.read_bytes(), filename="a.wav")
    async with (
        ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        session.post(f"{url}/v1/audio/transcriptions", data=form) as answer,
    ):
        return (await answer.json())["text"]


def speech() -> np.ndarray:
    """What the caller says, with the silences in which they listen (8 kHz)."""
    parts = [np.zeros(round(GREETING * 8000), np.int16)]
    for line in LINES:
        parts += [speak(line, 8000), np.zeros(round(ANSWER * 8000), np.int16)]
    return np.concatenate(parts)


# -- the telephones


async def _baresip(folder: Path, says: np.ndarray, port: int, over: asyncio.Event) -> Heard:
    async with baresip(folder, says) as peer:
        await peer.do("dial", f"sip:reservations@{HERE}:{port}")
        await asyncio.wait_for(over.wait(), 60)  # it hangs up where its WAV ends
    return peer.heard()


async def _pjsip(folder: Path, says: np.ndarray, port: int, over: asyncio.Event) -> Heard:
    async with pjsip(folder, says, again=False) as peer:
        await peer.do("dial", to=uri(port, user="reservations"))
        await peer.until("state", state="confirmed")
        await asyncio.sleep(len(says) / 8000)
        await peer.do("hang up")
        await asyncio.wait_for(over.wait(), 20)
        return await peer.heard()


async def _linphone(folder: Path, says: np.ndarray, port: int, over: asyncio.Event) -> Heard:
    async with linphone(folder, says) as peer:
        await peer.do(f"call sip:reservations@{HERE}:{port}")
        await peer.says("Media streams established")
        await asyncio.sleep(len(says) / 8000 - 0.5)  # before it begins anew
        await peer.do("terminate")
        await asyncio.wait_for(over.wait(), 20)
        return await peer.heard()


async def _sipp(folder: Path, says: np.ndarray, port: int, over: asyncio.Event) -> Heard:
    """It records nothing: what it hears is not judged."""
    folder.mkdir(parents=True)  # noqa: ASYNC240 - a moment
    raw = folder / "says.ulaw"
    raw.write_bytes(encode_mulaw(says))
    invite = send("INVITE", 1, sdp(), to="").replace("auto_media_port", "rtpstream_audio_port")
    play = f'<nop><action><exec rtp_stream="{raw},1,0,PCMU/8000"/></action></nop>'
    steps = invite + ANSWERED + send("ACK", 1) + play + pause(len(says) / 8000)
    steps += send("BYE", 2) + '<recv response="200"/>'
    code, logged = await sipp(
        port, folder, "-s", "reservations", "-m", "1", scenario=scenario(steps), within=90
    )
    assert code == 0, logged
    await asyncio.wait_for(over.wait(), 20)
    return None


PEERS: dict[str, Talking] = {
    "baresip": _baresip,
    "pjsip": _pjsip,
    "linphone": _linphone,
    "sipp": _sipp,
}


# -- the conversation


@dataclass(frozen=True)
class Talk:
    """How a conversation went.

    Attributes:
        call: The agent's side of it.
        folder: Where its recording is.
        understood: What the agent understood.
        spoken: What the agent says that the caller heard.
        heard: What was understood of the telephone's own recording; "" where it has none.
        late: By how much a packet of ours was late (s): above `LATE` the machine was too busy.
    """

    call: Call
    folder: Path
    understood: str
    spoken: str
    heard: str
    late: float

    @property
    def caller_errors(self) -> float:
        """Word error rate of what the agent understood."""
        return error_rate(" ".join(LINES), self.understood)

    @property
    def agent_errors(self) -> float:
        """Word error rate of what the telephone recorded, against what the agent has said."""
        return error_rate(self.spoken, self.heard)

    def wrong(self) -> list[str]:
        """Return what is not as it should be."""
        right = {
            f"understood: {self.understood}": self.caller_errors <= 0.2,
            f"said: {self.spoken}": "six to eleven" in self.spoken
            and "for 4 is free on Friday" in self.spoken,
            # What the telephone heard is what the agent says that it said.
            f"heard by the telephone: {self.heard}; said: {self.spoken}": not self.heard
            or self.agent_errors <= 0.2,
            f"ended: {self.call.reason}": self.call.reason == "the caller hung up",
            "another number": line_of(self.call).number == "reservations",
        }
        return [what for what, good in right.items() if not good]


LATE = 0.08
"""Seconds by which a packet may be late on a machine that keeps up."""


async def talk(peer: str, models: Models, url: str, key: str, folder: Path) -> Talk:
    """Have a telephone call the restaurant's agent and speak with it.

    The telephone's WAV waits for nobody: judge it by `late` where something is wrong.
    """
    agent = load_agent(str(RESTAURANT))
    async with phone(agent, models, recordings=folder) as seen:
        got = await PEERS[peer](folder / "phone", speech(), seen.port, seen.over)
        heard = "" if got is None else await transcribe(url, key, *got, folder)
    call = seen.call
    figures = line_of(call).statistics()
    return Talk(
        call,
        folder,
        " ".join(each.text for each in call.transcript.caller),
        " ".join(reply.heard for reply in call.transcript.replies),
        heard,
        figures.sent.latest if figures is not None else 0.0,
    )


async def talk_again(peer: str, models: Models, url: str, key: str, folder: Path) -> Talk:
    """Give a machine that was too busy to speak in time another call, two at most."""
    for attempt in ("first", "second", "third"):
        here = folder / attempt
        here.mkdir(parents=True)
        it = await talk(peer, models, url, key, here)
        if not it.wrong() or it.late < LATE:
            break
    return it


def recorded(it: Talk) -> np.ndarray:
    """Return the agent's own recording of the call."""
    return read(it.folder / f"{it.call.id}.wav")[0]
