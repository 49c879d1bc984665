"""The agent on Viva Voce, called in text; its chat client speaks with the sandbox."""

import asyncio
import sys
from importlib.metadata import version
from typing import Any

from loguru import logger

from benchmarks.compared.on_vivavoce import agent
from benchmarks.compared.script import LINES, options, tell
from vivavoce.agent.settings import MISTRAL_MODELS
from vivavoce.pipelines.conversation import Conversation
from vivavoce.pipelines.models.chat import ChatModel
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.text import TextTransport, text_models


async def run(given: dict[str, Any]) -> None:
    """Hold the conversation and print what came of it."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    http = Http(Timeouts())
    thinking = ChatModel(http, Endpoint(given["url"], given["key"], MISTRAL_MODELS["think"]))
    async with text_models(thinking, http=http) as models:
        line = TextTransport()
        conversation = Conversation(agent, models, line)
        line.follow(conversation.call)
        running = asyncio.create_task(conversation.run(), name="call")
        try:
            await line.quiet()
            for words in LINES:
                await line.say(words)
                await line.quiet()
        finally:
            await conversation.call.hang_up()
            await running
    tell(
        conversation.call.deps,
        [reply.heard for reply in conversation.call.transcript.replies],
        agent=conversation.agent.name,
        version=version("vivavoce"),
    )


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(run(options()), 60))
