"""Warming up: what calls need is loaded before the first of them comes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable

import numpy as np
import numpy.ma  # some of numpy's functions load it when they are first used (20 ms)

from vivavoce.pipelines.audio.smart_turn import RATE, SmartTurn
from vivavoce.pipelines.audio.vad import SileroVad
from vivavoce.pipelines.speakable import prepare

THRESHOLDS = (700, 10, 2)
"""Objects more that begin a round of the garbage collector; rounds of the young ones for one of the
middle ones, and of those for one of all."""
SWITCH = 0.001
"""Seconds for which a thread that computes in Python keeps the event loop waiting. The loop gives
the interpreter up at each packet that it sends; Python's own 5 ms were stalls of 5 ms and more."""


def warm_up(languages: Iterable[str] = ("en",)) -> SmartTurn:
    """Load the models that run in this process, and run each once. Takes about 0.2 s.

    The process then serves calls first (`settle`). Call it at start-up, before there are calls, on
    any thread.

    Args:
        languages: What is going to be spoken: how its numbers and dates are read is loaded, too.
            Any other language is loaded at its first reply, which holds up all calls for 20 ms.

    Returns:
        The end-of-turn model, which all calls share.

    Raises:
        ModelFileError: A model file is missing or broken.
    """
    SileroVad.warm()
    smart_turn = SmartTurn()
    smart_turn.probability(np.zeros(RATE, np.int16))
    for language in languages:
        prepare(language)
    settle()
    return smart_turn


def settle() -> None:
    """Have nothing hold up the event loop for long, from now on.

    What is in memory now stays for good, so the garbage collector is told to leave it alone: it
    would otherwise walk through all of it once in a while, and every call of the process would
    stand still for 15 to 150 ms. Call it again, before there are calls, when a server is up: what
    it has loaded meanwhile is a quarter of what the collector would look through.
    """
    sys.setswitchinterval(SWITCH)
    # Garbage that is left alone would never be collected.
    gc.collect()
    gc.freeze()
    # The next whole round waits until there is a quarter more than the last one left, which was all
    # that is now left alone: 45 ms of rubbish. From nothing on, and often, each has little to do.
    gc.collect()
    gc.set_threshold(*THRESHOLDS)
