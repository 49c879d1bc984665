"""The process that `vivavoce bench` measures: a call server, as `vivavoce serve` runs it.

`python -m vivavoce.cli.bench_engine` speaks the protocol of `vivavoce.pipelines.benching.child`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `vivavoce.cli.main` has it

from vivavoce.pipelines.benching.child import Questions

# Before anything can print; who only imports this module keeps their standard output.
QUESTIONS = Questions() if __name__ == "__main__" else None

import asyncio  # noqa: E402
import copy  # noqa: E402
import logging  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import AsyncGenerator, Mapping  # noqa: E402
from contextlib import asynccontextmanager  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from vivavoce.agent import Agent, Silence  # noqa: E402
from vivavoce.agent.settings import MISTRAL_MODELS, load  # noqa: E402
from vivavoce.cli.load import load_agent  # noqa: E402
from vivavoce.cli.models import open_models  # noqa: E402
from vivavoce.pipelines.benching import backends  # noqa: E402
from vivavoce.pipelines.benching.machine import resident  # noqa: E402
from vivavoce.pipelines.benching.speech import sentences  # noqa: E402
from vivavoce.pipelines.lag import LoopLag  # noqa: E402
from vivavoce.pipelines.models.connect import Models  # noqa: E402
from vivavoce.pipelines.models.http import Endpoint  # noqa: E402
from vivavoce.pipelines.warm import warm_up  # noqa: E402
from vivavoce.web.desk import Desk  # noqa: E402
from vivavoce.web.exposure import Exposure  # noqa: E402
from vivavoce.web.limits import Limits  # noqa: E402
from vivavoce.web.live import LiveCall  # noqa: E402
from vivavoce.web.server import CallServer  # noqa: E402

MANY = 100_000
"""Of calls and connections: what bounds them here is the machine."""
INSTRUCTIONS = "You are a helpful assistant on the phone. Answer in one short sentence."


def bench_agent(where: str) -> Agent[Any]:
    """Return who answers: an agent of its own, or a user's, without what would come unasked.

    Args:
        where: As the command line has it; "" for the bench's own.
    """
    if not where:
        return Agent(INSTRUCTIONS, name="bench", voice="en_paul_neutral")
    agent: Agent[Any] = copy.copy(load_agent(where))
    # Callers are silent between their turns, and nobody is to ask where they are.
    agent.silence = Silence(ask_after=None)
    return agent


@asynccontextmanager
async def models_for(options: Mapping[str, Any]) -> AsyncGenerator[Models]:
    """Give the models of a run: a sandbox's, or those of the user's settings."""
    if options.get("live"):
        async with open_models(load(options.get("flags") or {})) as models:
            yield models
        return
    url, key = options["url"], options["key"]
    async with Models.connect(
        hear=Endpoint(url, key, MISTRAL_MODELS["hear"]),
        think=Endpoint(url, key, MISTRAL_MODELS["think"]),
        speak=Endpoint(url, key, MISTRAL_MODELS["speak"]),
        smart_turn=warm_up(),
    ) as models:
        yield models


class Watch:
    """What is told of the process and its calls."""

    def __init__(self) -> None:
        self._lag = LoopLag()
        self._records: list[dict[str, Any]] = []
        self.desk: Desk | None = None

    def ended(self, live: LiveCall) -> None:
        """Keep a call's record until it is asked for."""
        if live.record is not None:
            self._records.append(live.record)

    async def mark(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to measure the loop's lag anew."""
        self._lag.close()
        self._lag = LoopLag()
        self._lag.start()
        return {}

    async def figures(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the process uses, and how late its loop was since the last `mark`."""
        return {
            "cpu": time.process_time(),
            "at": time.monotonic(),
            "memory_mb": round(resident(), 2),
            "threads": threading.active_count(),
            "calls": len(self.desk.calls) if self.desk is not None else 0,
            "lag_ms": self._lag.to_dict(),
        }

    async def records(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the records of the calls that have ended since the last time."""
        found, self._records = self._records, []
        return {"records": found}

    def close(self) -> None:
        """End measuring."""
        self._lag.close()


async def run(options: Mapping[str, Any], questions: Questions) -> None:
    """Serve calls until nobody asks any more."""
    agent = bench_agent(str(options.get("agent") or ""))
    watch = Watch()
    limits = Limits(
        calls=MANY,
        per_address=MANY,
        per_caller=MANY,
        starts=MANY,
        requests=float(MANY),
        connections=MANY,
        connections_per_address=MANY,
    )
    async with models_for(options) as models:
        desk = watch.desk = Desk([agent], models, limits=limits, ended=watch.ended)
        async with CallServer(desk, Exposure(port=0)) as server:
            await watch.mark({})

            async def alone(given: Mapping[str, Any]) -> dict[str, Any]:
                return dict(await backends.measure(models, sentences()[0], int(given["rounds"])))

            try:
                await questions.serve(
                    {
                        "url": server.url,
                        "agent": agent.name,
                        "greets": agent.greets,
                        "models": models.names,
                    },
                    {
                        "mark": watch.mark,
                        "figures": watch.figures,
                        "records": watch.records,
                        "backends": alone,
                    },
                )
            finally:
                watch.close()


def main(questions: Questions) -> None:
    """Run it, asked by these."""
    options = questions.options()
    logging.basicConfig(level=logging.WARNING)
    from loguru import logger

    logger.remove()
    if folder := options.get("folder"):
        os.chdir(Path(folder))
    try:
        asyncio.run(run(options, questions))
    except Exception as error:  # noqa: BLE001 (who measures tells it)
        questions.tell({"error": str(error) or type(error).__name__})


if QUESTIONS is not None:
    main(QUESTIONS)
