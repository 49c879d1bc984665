from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import numpy as np
import psutil
import pytest

from vivavoce.sandbox import espeak_worker
from vivavoce.sandbox.espeak import Espeak, SpeechError


@pytest.fixture
async def espeak():
    engine = Espeak()
    yield engine
    await engine.close()


async def test_it_speaks_by_language_and_gender(espeak):
    male = await espeak.say("Bonjour.", language="fr", female=False)
    female = await espeak.say("Bonjour.", language="fr", female=True)
    assert min(len(male), len(female)) > espeak.rate // 4
    assert not np.array_equal(male[:4000], female[:4000])


async def test_a_worker_that_died_is_replaced(espeak):
    before = await espeak.say("One.", language="en-us", female=False)
    first = espeak.pid
    psutil.Process(first).kill()
    after = await espeak.say("One.", language="en-us", female=False)
    assert espeak.pid != first
    assert np.array_equal(before, after)


async def test_an_unknown_language_is_an_error_and_the_worker_goes_on(espeak):
    with pytest.raises(SpeechError, match="xx"):
        await espeak.say("a", language="xx", female=False)
    pid = espeak.pid
    assert len(await espeak.say("a", language="en-us", female=False))
    assert espeak.pid == pid


async def test_clauses_at_once_do_not_mix(espeak):
    texts = ["One two three, and so on.", "Oui."] * 3
    alone = [len(await espeak.say(t, language="en-us", female=False)) for t in texts[:2]]
    heard = await asyncio.gather(*(espeak.say(t, language="en-us", female=False) for t in texts))
    # It varies by some samples from clause to clause, not by words.
    for position, samples in enumerate(heard):
        assert len(samples) == pytest.approx(alone[position % 2], rel=0.3)
    assert alone[0] > 2 * alone[1]


async def test_a_cancelled_clause_leaves_no_rest_in_the_pipe(espeak):
    alone = await espeak.say("One.", language="en-us", female=False)
    for delay in (0, 0.001, 0.003):
        task = asyncio.create_task(espeak.say("Go on. " * 40, language="en-us", female=False))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await espeak.say("One.", language="en-us", female=False)
        assert np.array_equal(again, alone)


async def test_closing_ends_the_worker_and_is_idempotent(espeak):
    await espeak.say("One.", language="en-us", female=False)
    worker = psutil.Process(espeak.pid)
    await espeak.close()
    await espeak.close()
    assert not worker.is_running()
    with pytest.raises(SpeechError, match="closed"):
        await espeak.say("One.", language="en-us", female=False)


def test_the_worker_imports_nothing_of_ours():
    tree = ast.parse(Path(espeak_worker.__file__).read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert "espeakng_loader" in names
    assert not names & {"vivavoce", "numpy", ""}
