"""A whole call in a test: a caller with a voice, an agent, models in the sandbox, a recording."""

from __future__ import annotations

import asyncio
import dataclasses
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.agent import Call
from vivavoce.agent.events import Event
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.caller import RATE, Line, ScriptedCaller
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts

MODELS = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
}


@dataclass
class Held:
    """A call that is over."""

    call: Call[Any]
    conversation: Conversation
    recording: Path
    events: list[Event]
    key: Any
    # By how much a block was late at most (s): so far the recording, which counts blocks, is
    # behind the clock when the machine is busy elsewhere.
    late: float = 0.0

    def side(self, number: int) -> np.ndarray:
        """One side of the recording: 0 the caller, 1 the agent (int16)."""
        with wave.open(str(self.recording)) as file:
            assert file.getnchannels() == 2
            both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        return both[:, number].astype(np.int32)

    @property
    def rate(self) -> int:
        with wave.open(str(self.recording)) as file:
            return file.getframerate()

    def loud(self, start: float, end: float) -> float:
        """The loudest sample of the agent's between two moments of the call (s)."""
        part = self.side(1)[round(start * self.rate) : round(end * self.rate)]
        return float(np.abs(part).max(initial=0))

    @property
    def asked(self) -> list[dict]:
        """The chat requests that were sent."""
        bodies = self.key.report["bodies"]
        return [each["body"] for each in bodies if each["endpoint"] == "chat/completions"]

    @property
    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


class Watched(LocalTransport):
    """The transport, and how late it was."""

    late = 0.0

    async def _pace(self, conversation: Any, ahead: float) -> None:
        self.late = max(self.late, -ahead)
        await super()._pace(conversation, ahead)


@dataclass
class Said:
    """Something to say: a text that is spoken, or samples."""

    what: str | np.ndarray
    into: float | None = None

    def line(self) -> Line:
        audio = speak(self.what, RATE) if isinstance(self.what, str) else self.what
        return Line(audio, self.into)


@pytest.fixture
def quick() -> Timeouts:
    """Time-outs that a test can wait for."""
    return Timeouts(connect=1.0, final=1.5, first=0.8, stall=0.5)


# A machine that is busy elsewhere answers late, and a call whose servers are late goes another
# way than the test is about. Where one of them is made to fail, that has to be waited for.
PATIENT = Timeouts(connect=15.0, final=15.0, first=20.0, stall=15.0, switch=15.0)
PROMPT = Timeouts(connect=2.0, final=3.0, first=2.5, stall=0.8, switch=2.0)


@pytest.fixture(scope="session")
def smart_turn() -> SmartTurn:
    return SmartTurn()


@pytest.fixture
def hold(profile, tmp_path, smart_turn) -> Callable[..., Any]:
    """Hold a call: ``await hold(agent, lines, script=…, latency=…, faults=…)``.

    A line is a text, samples (int16, 16 kHz), or a pair of one of these and the seconds into
    the agent's speech at which it is said.
    """

    async def run(
        agent,
        lines,
        *,
        caller=None,
        wrong=(),
        base=(),
        behind=(),
        during=None,
        timeouts=None,
        within=120.0,
        patience=15.0,
        **given,
    ) -> Held:
        key = profile(**given)
        where = {stage: Endpoint(key.url, key.key, model) for stage, model in MODELS.items()}
        for stage, changes in dict(wrong).items():
            where[stage] = dataclasses.replace(where[stage], **changes)
        for stage, path in dict(base).items():
            where[stage] = dataclasses.replace(where[stage], url=where[stage].url + path)
        for stage, others in dict(behind).items():
            where[stage] = (where[stage], *others)
        said = [Said(*each) if isinstance(each, tuple) else Said(each) for each in lines]
        caller = caller or ScriptedCaller([each.line() for each in said], patience=patience)
        recording = tmp_path / "call.wav"
        before = asyncio.all_tasks()
        async with Models.connect(
            **where,
            timeouts=timeouts or (PROMPT if "faults" in given else PATIENT),
            smart_turn=smart_turn,
        ) as models:
            transport = Watched(caller, recording, fast=True)
            conversation = Conversation(agent, models, transport, call_id="test")
            held = Held(conversation.call, conversation, recording, [], key)

            async def follow():
                held.events += [event async for event in conversation.call]

            following = asyncio.create_task(follow())
            acting = asyncio.create_task(during(conversation.call)) if during else None
            try:
                async with asyncio.timeout(within):
                    await conversation.run()
            finally:
                await asyncio.wait_for(following, 20)
                if acting is not None:
                    await asyncio.wait_for(acting, 20)
                held.late = transport.late
        await asyncio.sleep(0)
        left = {task for task in asyncio.all_tasks() - before if not task.done()}
        assert not left, f"tasks that nobody ended: {left}"
        return held

    return run
