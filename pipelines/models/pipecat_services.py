"""Any pipecat service as one of a stage's models: `STTService`, `LLMService`, `TTSService`.

The service is run unchanged, in a pipeline of its own, and driven by the frames that pipecat's own
pipelines send it. Give a function that makes the service: a transcriber is made for each call, a
chat model or a voice as often as calls need one at the same time, and each is used again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    Frame,
    FunctionCallsStartedFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
    MetricsFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models.chat import Ids
from vivavoce.pipelines.models.errors import ModelError, StageName
from vivavoce.pipelines.models.http import Timeouts
from vivavoce.pipelines.models.interfaces import (
    Finished,
    HearingListener,
    Samples,
    TextDelta,
    Thought,
    ToolCallDelta,
    Usage,
)
from vivavoce.pipelines.models.pipecat_pipeline import ServicePipeline
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.tasks import Tasks

RATE_IN = 16_000
"""Sample rate of what transcribers are given (Hz)."""
RATE_OUT = 24_000
"""Sample rate of what voices give (Hz)."""
QUIET = 0.3
"""Seconds behind a final text in which another piece of it may come."""
BLOCK = 640
"""Bytes of audio per frame: 20 ms."""

Told = Frame | ModelError
Service = TypeVar("Service", LLMService[Any], TTSService)


class _Worker:
    """A service that answers one request at a time, and what it said."""

    def __init__(self, stage: StageName, service: LLMService[Any] | TTSService) -> None:
        self.said: asyncio.Queue[Told] = asyncio.Queue()
        self.pipeline = ServicePipeline(stage, service, self.said.put_nowait, rate_out=RATE_OUT)


class _Pool(Generic[Service]):
    """Services of one kind: as many as are asked at the same time."""

    def __init__(self, stage: StageName, make: Callable[[], Service], timeouts: Timeouts) -> None:
        self._stage = stage
        self._make: Callable[[], Service] = make
        self._timeouts = timeouts
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    async def ask(self, frame: Frame) -> AsyncGenerator[Frame]:
        """Give a service a frame and iterate over what it says, to the end of its answer.

        Where the iteration is closed before that, the service is ended, and with it what it was
        doing.
        """
        while self._idle and self._idle[-1].pipeline.broken:
            await self._idle.pop().pipeline.close()
        if self._idle:
            worker = self._idle.pop()
            while not worker.said.empty():
                worker.said.get_nowait()  # what came behind the end of its last answer
        else:
            worker = _Worker(self._stage, self._make())
            await worker.pipeline.start()
        self._busy.add(worker)
        whole = False
        wait = self._timeouts.first
        try:
            await worker.pipeline.send(frame)
            while True:
                try:
                    async with asyncio.timeout(wait):
                        said = await worker.said.get()
                except TimeoutError as late:
                    raise ModelError(
                        self._stage, "timeout", f"a pipecat service said nothing for {wait:g} s"
                    ) from late
                if isinstance(said, ModelError):
                    raise said
                if isinstance(said, LLMTextFrame | TTSAudioRawFrame):
                    wait = self._timeouts.stall
                whole = isinstance(said, LLMFullResponseEndFrame | TTSStoppedFrame)
                yield said
                if whole:
                    return
        finally:
            self._busy.discard(worker)
            if whole:
                self._idle.append(worker)
            else:
                await worker.pipeline.close(at_once=True)

    async def close(self) -> None:
        """End them all; idempotent."""
        workers, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(worker.pipeline.close() for worker in workers))


class PipecatThinking:
    """A pipecat `LLMService` as a chat model. Implements `Thinking`."""

    def __init__(
        self, make: Callable[[], LLMService[Any]], timeouts: Timeouts | None = None
    ) -> None:
        """Prepare it; close it when the calls are over.

        Args:
            make: Makes a service.
            timeouts: How long to wait.
        """
        self._ids = Ids()

        def made() -> LLMService[Any]:
            service = make()
            service.register_function(None, _left_to_us)
            return service

        self._pool: _Pool[LLMService[Any]] = _Pool("thinking", made, timeouts or Timeouts())

    async def stream(
        self, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]
    ) -> AsyncGenerator[Thought]:
        """Answer a history; see `Thinking.stream`."""
        schema = ToolsSchema([_function(tool["function"]) for tool in tools])
        given: Any = [self._message(message) for message in messages]
        context = LLMContext(given, schema) if tools else LLMContext(given)
        calls: list[ToolCallDelta] = []
        usage = Usage()
        answer = self._pool.ask(LLMContextFrame(context))
        try:
            async for frame in answer:
                match frame:
                    case LLMTextFrame():
                        yield TextDelta(frame.text)
                    case FunctionCallsStartedFrame():
                        calls += [
                            ToolCallDelta(
                                self._ids.ours(call.tool_call_id),
                                call.function_name,
                                json.dumps(dict(call.arguments), ensure_ascii=False),
                            )
                            for call in frame.function_calls
                        ]
                    case MetricsFrame():
                        usage = _usage(frame) or usage
                    case _:
                        pass
        finally:
            await answer.aclose()
        for call in calls:
            yield call
        yield Finished("tool_calls" if calls else "stop", usage)

    async def close(self) -> None:
        """End the services; idempotent."""
        await self._pool.close()

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        made = {key: value for key, value in message.items() if key != "name"}
        if "tool_call_id" in made:
            made["tool_call_id"] = self._ids.theirs(made["tool_call_id"])
        if "tool_calls" in made:
            made["tool_calls"] = [
                {**call, "id": self._ids.theirs(call["id"])} for call in made["tool_calls"]
            ]
        return made


async def _left_to_us(params: FunctionCallParams) -> None:
    """Tools run here, not in the service: it only has to know that the call was taken."""
    await params.result_callback("")


def _function(function: dict[str, Any]) -> FunctionSchema:
    parameters = function.get("parameters") or {}
    return FunctionSchema(
        name=function["name"],
        description=function.get("description", ""),
        properties=parameters.get("properties", {}),
        required=parameters.get("required", []),
    )


def _usage(frame: MetricsFrame) -> Usage | None:
    for data in frame.data:
        if isinstance(data, LLMUsageMetricsData):
            return Usage(data.value.prompt_tokens, data.value.completion_tokens)
    return None


class PipecatSpeaking:
    """A pipecat `TTSService` as a voice. Implements `Speaking`; it speaks with its own voice."""

    rate = RATE_OUT

    def __init__(self, make: Callable[[], TTSService], timeouts: Timeouts | None = None) -> None:
        """Prepare it; close it when the calls are over.

        Args:
            make: Makes a service.
            timeouts: How long to wait.
        """
        self._pool: _Pool[TTSService] = _Pool("speaking", make, timeouts or Timeouts())

    async def stream(
        self, text: str, *, voice: str | Speaker | None, language: str
    ) -> AsyncGenerator[Samples]:
        """Speak a text; see `Speaking.stream`. The service's own voice and language are used."""
        del voice, language
        answer = self._pool.ask(TTSSpeakFrame(text, append_to_context=False))
        spoken = False
        try:
            async for frame in answer:
                if isinstance(frame, TTSAudioRawFrame):
                    spoken = True
                    yield np.frombuffer(frame.audio, np.int16)
        finally:
            await answer.aclose()
        if not spoken:
            raise ModelError("speaking", "broken", "a pipecat service sent no audio")

    async def close(self) -> None:
        """End the services; idempotent."""
        await self._pool.close()


class PipecatHearing:
    """A pipecat `STTService` as a call's transcriber. Implements `Hearing`."""

    def __init__(
        self,
        make: Callable[[], STTService],
        timeouts: Timeouts | None = None,
        wishes: Wishes | None = None,
    ) -> None:
        """Prepare it.

        Args:
            make: Makes the service.
            timeouts: How long to wait.
            wishes: None can be fulfilled: the service is made as it is to be.
        """
        self._make = make
        self._timeouts = timeouts or Timeouts()
        self._wishes = wishes or Wishes()
        self._listener: HearingListener | None = None
        self._pipeline: ServicePipeline | None = None
        self._todo: asyncio.Queue[Frame] = asyncio.Queue()
        self._partial = bytearray()
        self._speaking = False
        self._number = 0
        self._owed: list[int] = []
        self._texts: list[str] = []
        self._interim = ""
        self._settling: asyncio.TimerHandle | None = None
        self._lost = False
        self._tasks = Tasks()

    @property
    def backlog(self) -> float:
        """Seconds of audio that were taken and not sent yet."""
        return 0.0 if self._lost else self._todo.qsize() * BLOCK / (2 * RATE_IN)

    async def open(self, listener: HearingListener) -> None:
        """Begin; returns at once and connects behind the scenes."""
        if self._listener is None:
            self._listener = listener
            self._tasks.spawn(self._run(), "pipecat hearing")

    def send(self, pcm: bytes) -> None:
        """Take int16 mono audio at 16 kHz."""
        if self._lost:
            return
        if not self._speaking:
            self._speaking = True
            self._todo.put_nowait(VADUserStartedSpeakingFrame())
        self._partial += pcm
        while len(self._partial) >= BLOCK:
            self._give(BLOCK)

    def flush(self) -> int:
        """Ask for the final text of what was sent since the last flush; return its number."""
        if self._partial:
            self._give(len(self._partial))
        number, self._number = self._number, self._number + 1
        self._owed.append(number)
        self._speaking = False
        self._todo.put_nowait(VADUserStoppedSpeakingFrame())
        self._settle_in(self._timeouts.final if not self._lost else 0.0)
        return number

    async def close(self) -> None:
        """End it; idempotent."""
        if self._settling is not None:
            self._settling.cancel()
        await self._tasks.close()
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            await pipeline.close()

    def _give(self, size: int) -> None:
        self._todo.put_nowait(InputAudioRawFrame(bytes(self._partial[:size]), RATE_IN, 1))
        del self._partial[:size]

    async def _run(self) -> None:
        try:
            if self._wishes.special:
                told = "a pipecat service takes no wishes: make it as it is to be"
                raise ModelError("hearing", "refused", told)  # noqa: TRY301
            self._pipeline = ServicePipeline("hearing", self._make(), self._told)
            await self._pipeline.start()
            while True:
                await self._pipeline.send(await self._todo.get())
        except ModelError as error:
            self._told(error)

    def _told(self, said: Told) -> None:
        match said:
            case ModelError():
                self._lose(said)
            case InterimTranscriptionFrame():
                self._interim = said.text
                self._tell_partial()
            case TranscriptionFrame() if said.text.strip():
                self._interim = ""
                self._texts.append(said.text.strip())
                self._tell_partial()
                if self._owed:
                    self._settle_in(0.0 if said.finalized else QUIET)
            case _:
                pass

    def _tell_partial(self) -> None:
        number = self._owed[0] if self._owed else self._number
        if self._listener is not None:
            self._listener.on_partial(number, self._text)

    @property
    def _text(self) -> str:
        return " ".join([*self._texts, self._interim]).strip()

    def _settle_in(self, seconds: float) -> None:
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(seconds, self._settle)

    def _settle(self) -> None:
        """What is understood of the oldest flush counts as final."""
        self._settling = None
        if not self._owed:
            return
        number, text = self._owed.pop(0), self._text
        self._texts, self._interim = [], ""
        if self._listener is not None:
            self._listener.on_final(number, text)
        if self._owed:
            self._settle_in(self._timeouts.final if not self._lost else 0.0)

    def _lose(self, error: ModelError) -> None:
        if self._lost:
            return
        self._lost = True
        if self._listener is not None:
            self._listener.on_trouble(error, lost=True)
        if self._owed:
            self._settle_in(0.0)
