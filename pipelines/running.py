"""Running a pipecat pipeline for as long as a call is carried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from pipecat.frames.frames import EndFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.workers.runner import WorkerRunner

from vivavoce.agent.reason import LINE_CLOSED

RATE = 16_000
"""Sample rate of what comes in (Hz)."""
START = 20.0
"""Seconds the pipeline may take to start."""
STOP = 5.0
"""Seconds it may take to end."""


def make_worker(processors: Sequence[FrameProcessor], rate: int) -> PipelineWorker:
    """Return a worker for a call's processors, without what a call of ours does not use.

    Args:
        processors: From the transport's input to its output.
        rate: Sample rate of what is played (Hz).
    """
    return PipelineWorker(
        Pipeline(list(processors)),
        params=PipelineParams(
            audio_in_sample_rate=RATE, audio_out_sample_rate=rate, enable_metrics=False
        ),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
        check_dangling_tasks=False,
    )


async def run(
    worker: PipelineWorker,
    carry: Callable[[], Awaitable[str]],
    end: Callable[[str], Awaitable[None]],
) -> None:
    """Run a pipeline while a call is carried.

    Args:
        worker: The pipeline's.
        carry: Carries the call once the pipeline runs; returns why it ended.
        end: Settles the call once the pipeline has ended, whatever happened; told why it ended.

    Raises:
        RuntimeError: If the pipeline does not start.

    Cancelling it ends the pipeline and lets `end` finish; the cancellation goes on.
    """
    runner = WorkerRunner(handle_sigint=False, check_dangling_tasks=False)
    started = asyncio.Event()

    async def on_started(_worker: PipelineWorker, _frame: object) -> None:
        started.set()

    worker.add_event_handler("on_pipeline_started", on_started)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run(), name="pipeline")
    reason = LINE_CLOSED
    try:
        async with asyncio.timeout(START):
            await started.wait()
        reason = await carry()
    except TimeoutError as error:
        raise RuntimeError(f"the pipeline did not start within {START:g} s") from error
    finally:
        # Shielded: a second Ctrl-C must not leave half a recording.
        await asyncio.shield(_end(worker, running, end, reason))


async def _end(
    worker: PipelineWorker,
    running: asyncio.Task[None],
    end: Callable[[str], Awaitable[None]],
    reason: str,
) -> None:
    try:
        await worker.queue_frame(EndFrame())
        done, _ = await asyncio.wait({running}, timeout=STOP)
        if not done:
            await worker.cancel(reason="it did not end in time")
            await asyncio.wait({running}, timeout=STOP)
    finally:
        await end(reason)
