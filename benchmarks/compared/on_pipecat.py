"""Chez Marie on pipecat, with its flows."""

import os
from datetime import date, time

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.flows import FlowManager, NodeConfig, flows_tool_options
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.runner.types import RunnerArguments
from pipecat.runner.utils import create_transport
from pipecat.services.mistral.llm import MistralLLMService
from pipecat.services.mistral.stt import MistralSTTService
from pipecat.services.mistral.tts import MistralTTSService
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.workers.runner import WorkerRunner

from benchmarks.compared.book import EVENTS, EVENTS_GREETING, GREETING, HOST, VOICE, Book


@flows_tool_options(cancel_on_interruption=True)
async def free_tables(
    flow_manager: FlowManager, day: str, people: int
) -> tuple[str, NodeConfig | None]:
    """Find out when a table is free on an evening.

    Args:
        day: The evening asked for, as YYYY-MM-DD.
        people: How many will come.
    """
    try:
        return flow_manager.state["book"].free(date.fromisoformat(day), people), None
    except ValueError as error:
        return f"Error: {error}", None


@flows_tool_options(cancel_on_interruption=False)
async def book_table(
    flow_manager: FlowManager, day: str, at: str, people: int, name: str
) -> tuple[str, NodeConfig | None]:
    """Book a table.

    Args:
        day: The evening, as YYYY-MM-DD.
        at: The time, as HH:MM.
        people: How many will come.
        name: The name for the booking.
    """
    try:
        when = date.fromisoformat(day), time.fromisoformat(at)
    except ValueError as error:
        return f"Error: {error}", None
    return flow_manager.state["book"].book(*when, people, name), None


async def to_events(
    flow_manager: FlowManager,  # noqa: ARG001 (its name is prescribed)
    wish: str,
) -> tuple[str, NodeConfig]:
    """Hand over to the colleague for parties of more than eight.

    Args:
        wish: What the caller wants.
    """
    return wish, events()


def host() -> NodeConfig:
    return {
        "name": "host",
        "role_message": HOST,
        "task_messages": [],
        "functions": [free_tables, book_table, to_events],
        "pre_actions": [{"type": "tts_say", "text": GREETING}],
        "respond_immediately": False,
    }


def events() -> NodeConfig:
    return {
        "name": "events",
        "role_message": EVENTS,
        "task_messages": [],
        "functions": [],
        "pre_actions": [{"type": "tts_say", "text": EVENTS_GREETING}],
        "respond_immediately": False,
    }


def build(transport: BaseTransport) -> tuple[PipelineWorker, FlowManager]:
    key = os.environ["MISTRAL_API_KEY"]
    stt = MistralSTTService(api_key=key)
    llm = MistralLLMService(api_key=key)
    tts = MistralTTSService(api_key=key, settings=MistralTTSService.Settings(voice=VOICE))
    aggregators = LLMContextAggregatorPair(
        LLMContext(), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
    )
    pipeline = Pipeline(
        [
            transport.input(),
            stt,
            aggregators.user(),
            llm,
            tts,
            transport.output(),
            aggregators.assistant(),
        ]
    )
    worker = PipelineWorker(pipeline)
    flow = FlowManager(worker=worker, llm=llm, context_aggregator=aggregators, transport=transport)
    flow.state["book"] = Book()
    return worker, flow


# -- running it: python on_pipecat.py [-t daily | twilio | …]
async def bot(arguments: RunnerArguments) -> None:
    params = {
        "webrtc": lambda: TransportParams(audio_in_enabled=True, audio_out_enabled=True),
    }
    transport = await create_transport(arguments, params)
    worker, flow = build(transport)

    @transport.event_handler("on_client_connected")
    async def connected(_transport: BaseTransport, _client: object) -> None:
        await flow.initialize(host())

    @transport.event_handler("on_client_disconnected")
    async def disconnected(_transport: BaseTransport, _client: object) -> None:
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=arguments.handle_sigint)
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    from pipecat.runner.run import main

    main()
