"""Viva Voce's interpretation, on the benchmark's pipe."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from loguru import logger

from benchmarks.latency.workers.ours import PIPE, PipeTransport, versions
from vivavoce.agent import Interpreter
from vivavoce.agent.events import SegmentChanged
from vivavoce.agent.options import Limits
from vivavoce.agent.settings import MISTRAL_MODELS
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.lag import LoopLag
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.warm import warm_up


async def follow(session: Interpretation, lag: LoopLag) -> None:
    """Tell the benchmark of every segment that is settled."""
    told: set[int] = set()
    async for event in session.call:
        if isinstance(event, SegmentChanged):
            segment = event.segment
            if segment.settled and segment.number not in told:
                told.add(segment.number)
                told_lag = {"loop_lag_ms": lag.to_dict()}
                PIPE.tell(b"T", 0, {"segment": segment.to_dict(), **told_lag})


async def run(options: dict[str, Any]) -> None:
    """Interpret until the pipe ends."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    await PIPE.open()
    smart_turn = warm_up()
    interpreter = Interpreter(
        "en",
        "fr",
        voice="fr_marie_neutral",
        policy=options["variant"],
        original="off",
        limits=Limits(call=86_400),
    )
    url, key = options["url"], options["keys"][0]
    models = Models.connect(
        hear=Endpoint(url, key, MISTRAL_MODELS["hear"]),
        think=Endpoint(url, key, MISTRAL_MODELS["think"]),
        speak=Endpoint(url, key, MISTRAL_MODELS["speak"]),
        smart_turn=smart_turn,
    )
    async with models:
        line = PipeTransport(PIPE, 0)
        session = Interpretation(interpreter, models, line)
        lag = LoopLag()
        running = asyncio.create_task(session.run(), name="interpretation")
        following = asyncio.create_task(follow(session, lag), name="follow")
        try:
            async with asyncio.timeout(60):
                await line.carrying.wait()
            lag.start()
            PIPE.tell(b"Y", 0, {"rate": session.rate, "versions": versions()})
            while (message := await PIPE.receive()) is not None:
                kind, _call, payload = message
                if kind == b"A":
                    line.caller.put_nowait(payload)
        finally:
            lag.close()
            line.caller.put_nowait(None)
            await asyncio.gather(running, following, return_exceptions=True)


if __name__ == "__main__":
    try:
        asyncio.run(run(json.loads(sys.argv[1])))
    except Exception as error:
        PIPE.send(b"X", 0, f"{type(error).__name__}: {error}".encode())
        raise
