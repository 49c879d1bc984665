"""The agent on openai-agents, on the transport that its own test kit scripts.

Its realtime agents speak OpenAI's realtime protocol alone, which the sandbox does not.
"""

import asyncio
import json
import os
from importlib.metadata import version
from typing import Any

from agents.realtime import RealtimeRunner
from agents.realtime.model_events import RealtimeModelToolCallEvent
from agents.realtime.model_inputs import RealtimeModelSendToolOutput
from agents.realtime.testing import ScriptedRealtimeModel

from benchmarks.compared.book import Book
from benchmarks.compared.script import ANSWERS, options, tell


async def run(_given: dict[str, Any]) -> None:
    """Have the model call each tool, and print what came of it."""
    os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    from benchmarks.compared import on_openai

    model = ScriptedRealtimeModel(strict=False)
    book = Book()
    calls = [one for one in ANSWERS if isinstance(one, dict)]
    async with await RealtimeRunner(on_openai.agent, model=model).run(context=book) as session:
        for number, call in enumerate(calls, 1):
            arguments = json.dumps(call["arguments"])
            await model.emit(RealtimeModelToolCallEvent(call["name"], f"call{number}", arguments))
            async with asyncio.timeout(20):
                while len(outputs := _outputs(model)) < number:  # noqa: ASYNC110 (nothing tells)
                    await asyncio.sleep(0.02)
        agent = session._current_agent.name  # noqa: SLF001
    tell(book, [], agent=agent, version=version("openai-agents"), results=outputs)


def _outputs(model: ScriptedRealtimeModel) -> list[str]:
    sent = model.sent_events
    return [one.output for one in sent if isinstance(one, RealtimeModelSendToolOutput)]


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(run(options()), 60))
