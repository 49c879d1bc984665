"""A caller on a loudspeaker: the agent hears itself, and must not be taken in by it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pipelines.conftest import RATE
from tests.speech import speak
from vivavoce.agent import Agent, Turns
from vivavoce.pipelines.audio.resample import Resampler
from vivavoce.pipelines.caller import Line, ScriptedCaller

HELLO = "What is the weather in Paris today?"
LONG = (
    "The weather in Paris is mild and sunny with a light wind from the west and by the evening"
    " there may be a little rain over the northern hills but it will not last for very long."
)
CALM = Turns(eager=False)


class Loudspeaker:
    """A caller whose microphone hears the agent, `delay` seconds late and at `gain`."""

    farewell = "the caller hung up"

    def __init__(self, lines, *, gain: float, delay: float = 0.12, pause: float = 0.9):
        self._caller = ScriptedCaller(lines, patience=6.0, pause=pause)
        self._gain = gain
        self._resampler = Resampler(24_000, RATE, aligned=False)
        self._air = np.zeros(round(delay * RATE), np.float32)

    def next(self, heard, *, settled):
        said = self._caller.next(heard, settled=settled)
        if said is None:
            return None
        self._air = np.concatenate([self._air, self._resampler.feed(heard) * self._gain])
        echo, self._air = self._air[: len(said)], self._air[len(said) :]
        echo = np.pad(echo, (0, len(said) - len(echo)))
        return np.clip(said + echo, -32_000, 32_000).astype(np.int16)

    def close(self):
        self._caller.close()


def lines(*texts):
    return [Line(speak(text, RATE), into) for text, into in texts]


@pytest.mark.needs_flite
@pytest.mark.parametrize("gain", [0.1, 0.5])
async def test_the_agent_does_not_interrupt_itself(hold, gain):
    caller = Loudspeaker(lines((HELLO, None)), gain=gain)
    script = {"hear": [HELLO, LONG[20:60]], "think": [LONG, "What?"]}
    held = await hold(Agent(turns=CALM), [], caller=caller, script=script)
    (reply,) = held.call.transcript.replies
    assert reply.heard == LONG
    assert [each.text for each in held.call.transcript.caller] == [HELLO]
    # Nor is it ducked, but for the moment in which its own beginning is first heard.
    agent, plain = held.side(1), (await hold(Agent(turns=CALM), [HELLO], script=script)).side(1)
    agent, plain = agent[agent != 0], plain[plain != 0]
    size = min(len(agent), len(plain))
    assert size > 0.98 * max(len(agent), len(plain))
    assert np.mean(np.abs(agent[-size:] - plain[-size:]) > 300) < 0.1


@pytest.mark.needs_flite
async def test_a_caller_is_heard_over_the_echo(hold):
    caller = Loudspeaker(lines((HELLO, None), ("Sorry, stop there for me please.", 2.5)), gain=0.1)
    script = {"hear": [HELLO, "Sorry, stop there please."], "think": [LONG, "All right."]}
    held = await hold(Agent(turns=CALM), [], caller=caller, script=script)
    reply, answer = held.call.transcript.replies
    assert reply.interrupted
    assert reply.reaction < 0.5
    assert answer.heard == "All right."
