"""Machines and people who answer a call of ours, told apart over real lines.

Each answers by a voice of flite; the sandbox's recogniser writes down what they say, as it does
in a call. Told apart is who they are; how long it took counts from the first word.
"""

from __future__ import annotations

import asyncio

import numpy as np

from tests.phone.agents import phone
from tests.phone.test_voicemail import MACHINES, PEOPLE
from tests.speech import speak
from vivavoce.agent import Agent
from vivavoce.agent.settings import MISTRAL_MODELS
from vivavoce.phone import (
    Answerer,
    Exposure,
    PhoneLine,
    Policy,
    Screen,
    Station,
    Trunk,
    line_of,
)
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.warm import warm_up
from vivavoce.sandbox.launch import Sandbox

SILENCE = 0.6
"""Seconds after picking up until they speak."""
LOUD = 500
"""Amplitude of the first word."""
HERE = "127.0.0.1"


class House:
    """Whoever is called: the number says what they say."""

    def __init__(self, texts: list[str]) -> None:
        self.sounds = {
            str(n): np.concatenate([np.zeros(round(8000 * SILENCE), np.int16), speak(text, 8000)])
            for n, text in enumerate(texts)
        }

    async def take(self, line: PhoneLine) -> None:
        await line.answer()
        line.say(self.sounds[line.number])  # at once: it leaves evenly
        await line.over(60)


async def tell_apart(url: str, key: str, at_once: int) -> list[dict[str, object]]:
    texts = [*MACHINES, *PEOPLE]
    house = House(texts)
    names = {**MISTRAL_MODELS, "think": "embedded-rules"}
    where = {stage: Endpoint(url, key, names[stage]) for stage in ("hear", "think", "speak")}
    lab = Trunk("lab", HERE, transport=None, allow=(f"{HERE}/8",), codecs=("PCMU",))
    exposure = Exposure(listen=(f"udp:{HERE}:0",), rtp=range(30_000, 38_000))
    rows: list[dict[str, object]] = []
    async with (
        Models.connect(**where, smart_turn=warm_up()) as models,
        Station(house.take, trunks=[lab], exposure=exposure) as there,
    ):
        trunk = Trunk("lab", HERE, there.local[0].port, allow=(f"{HERE}/8",), codecs=("PCMU",))
        policy = Policy(per_minute=600)
        async with phone(Agent(), models, trunks=[trunk], policy=policy) as seen:
            slots = asyncio.Semaphore(at_once)

            async def one(number: int, text: str) -> None:
                async with slots:
                    call = await seen.phone.dial(str(number), screen=Screen())
                    line, sound, first = line_of(call), [0.0], [0.0]

                    def heard_by(pcm: np.ndarray, rate: int) -> None:
                        if not first[0] and np.abs(pcm.astype(int)).max() > LOUD:
                            first[0] = sound[0]
                        sound[0] += len(pcm) / rate

                    with line.sounds(heard_by):
                        who = await seen.phone.answered_by(call)
                    # Of sound, which is the call's time: a busy machine is late with all of it.
                    took = sound[0] - first[0]
                    expected = Answerer.MACHINE if text in MACHINES else Answerer.HUMAN
                    heard = " ".join(u.text for u in call.transcript.caller)
                    rows.append(
                        {
                            "said": text,
                            "heard": heard,
                            "expected": expected.value,
                            "told": who.value,
                            "seconds": round(took, 2),
                        }
                    )
                    await call.hang_up("told apart", after_speech=False)
                    await line.over(5)

            await asyncio.gather(*(one(n, text) for n, text in enumerate(texts)))
    return rows


def run(at_once: int = 1) -> dict[str, object]:
    """Call them all; return how many were told apart, and how soon."""
    with Sandbox() as sandbox:
        key = sandbox.make_key()
        rows = asyncio.run(tell_apart(sandbox.url, key, at_once))
    right = [row for row in rows if row["told"] == row["expected"]]
    times = sorted(float(str(row["seconds"])) for row in rows)
    return {
        "calls": len(rows),
        "told_apart": len(right),
        "share": round(len(right) / len(rows), 3),
        "seconds_after_the_first_word_median": times[len(times) // 2],
        "seconds_after_the_first_word_longest": times[-1],
        "wrong": [row for row in rows if row["told"] != row["expected"]],
    }
