"""One pipecat service in a pipeline of its own: frames go in, what comes out is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipecat.frames.frames import EndFrame, ErrorFrame, Frame, StartFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.errors import ErrorCategory
from pipecat.workers.runner import WorkerRunner

from vivavoce.pipelines.models.errors import Kind, ModelError, StageName

START = 20.0
"""Seconds that a service may take to start."""
STOP = 5.0
"""Seconds that it may take to end."""

_KINDS: dict[ErrorCategory, Kind] = {
    ErrorCategory.AUTHENTICATION: "auth",
    ErrorCategory.AUTHORIZATION: "auth",
    ErrorCategory.QUOTA: "auth",
    ErrorCategory.INVALID_REQUEST: "refused",
    ErrorCategory.RATE_LIMIT: "busy",
    ErrorCategory.CONNECTIVITY: "unreachable",
}


class _End(FrameProcessor):
    """An end of the pipeline: tells each frame that arrives, and takes those that leave it."""

    def __init__(self, tell: Callable[[Frame], None], takes: FrameDirection) -> None:
        super().__init__()
        self._tell = tell
        self._takes = takes

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is self._takes:
            self._tell(frame)
        if isinstance(frame, ErrorFrame):
            return  # it is told; the worker need not end for it
        await self.push_frame(frame, direction)


class ServicePipeline:
    """Runs a service until it is closed.

    Attributes:
        broken: Whether the pipeline has ended by itself.
    """

    def __init__(
        self,
        stage: StageName,
        service: FrameProcessor,
        told: Callable[[Frame | ModelError], None],
        *,
        rate_in: int = 16_000,
        rate_out: int = 24_000,
    ) -> None:
        """Prepare it.

        Args:
            stage: For errors.
            service: The service; of this pipeline alone.
            told: Told each frame that comes out of it, and each error, on the event loop.
            rate_in: Sample rate of the audio that it is given (Hz).
            rate_out: Sample rate of the audio that it is to give (Hz).
        """
        self._stage = stage
        self._name = service.name
        self._told = told
        self._started = asyncio.Event()
        head = _End(self._upstream, FrameDirection.UPSTREAM)
        tail = _End(self._downstream, FrameDirection.DOWNSTREAM)
        self._worker = PipelineWorker(
            Pipeline([head, service, tail]),
            params=PipelineParams(
                audio_in_sample_rate=rate_in,
                audio_out_sample_rate=rate_out,
                enable_metrics=True,
                enable_usage_metrics=True,
            ),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            check_dangling_tasks=False,
        )
        self._runner = WorkerRunner(handle_sigint=False)
        self._running: asyncio.Task[None] | None = None

    @property
    def broken(self) -> bool:
        """Whether it has ended by itself."""
        return self._running is not None and self._running.done()

    async def start(self) -> None:
        """Start it.

        Raises:
            ModelError: If it does not start.
        """
        await self._runner.add_workers(self._worker)
        self._running = asyncio.create_task(self._runner.run(), name=f"pipecat {self._name}")
        waiting = asyncio.create_task(self._started.wait())
        try:
            await asyncio.wait(
                {waiting, self._running}, timeout=START, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        if not self._started.is_set():
            await self.close()
            raise ModelError(self._stage, "broken", f"{self._name} did not start")

    async def send(self, *frames: Frame) -> None:
        """Give it frames."""
        for frame in frames:
            await self._worker.queue_frame(frame)

    async def close(self, *, at_once: bool = False) -> None:
        """End it; idempotent.

        Args:
            at_once: Do not let the service finish what it is doing.
        """
        running = self._running
        if running is None:
            return
        if not running.done() and not at_once:
            await self._worker.queue_frame(EndFrame())
            await asyncio.wait({running}, timeout=STOP)
        if not running.done():
            await self._worker.cancel(reason="nobody waits for it")
            await asyncio.wait({running}, timeout=STOP)
        if not running.done():
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    def _upstream(self, frame: Frame) -> None:
        if isinstance(frame, ErrorFrame):
            category = frame.category or ErrorCategory.UNKNOWN
            kind = _KINDS.get(category, "broken")
            self._told(ModelError(self._stage, kind, f"{self._name}: {_line(frame.error)}"))

    def _downstream(self, frame: Frame) -> None:
        if isinstance(frame, StartFrame):
            self._started.set()
        else:
            self._told(frame)


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
