"""Warming up, in a process of its own: it concerns the whole process."""

import subprocess
import sys

SCRIPT = """
import gc
import sys
import numpy as np
from vivavoce.pipelines.audio.smart_turn import SmartTurn
from vivavoce.pipelines.audio import silero, weights
from vivavoce.pipelines import spelled
from vivavoce.pipelines.warm import warm_up

assert not gc.get_freeze_count()
model = warm_up()
assert isinstance(model, SmartTurn)
assert "numpy.ma" in sys.modules
assert spelled._engine.cache_info().currsize == 1
assert (weights.locate(weights.SILERO), 16_000) in silero._networks
assert gc.get_freeze_count() > 10_000
assert sys.getswitchinterval() < 0.005
# What remains to be looked through is next to nothing.
assert len(gc.get_objects()) < gc.get_freeze_count() / 10
# Rubbish in circles that has lived for a while is taken away in small portions.
from collections import deque


class Circle:
    def __init__(self):
        self.itself = self


rounds = []


def told(phase, info):
    if phase == "stop" and info["generation"] == 2:
        rounds.append(info["collected"])


gc.callbacks.append(told)
alive = deque(maxlen=8_000)
for _ in range(80_000):
    alive.append(Circle())
gc.callbacks.remove(told)
assert len(rounds) > 2, rounds
assert max(rounds) < 50_000, rounds
again = warm_up()
assert again._session is model._session
"""


def test_the_models_are_loaded_and_the_collector_leaves_them_alone():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
