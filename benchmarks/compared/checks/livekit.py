"""The agent on livekit-agents without a room; its Mistral plugin speaks with the sandbox."""

import asyncio
import os
from functools import partialmethod
from importlib.metadata import version
from typing import Any

from mistralai.client import Mistral

from benchmarks.compared.script import LINES, options, tell


async def run(given: dict[str, Any]) -> None:
    """Hold the conversation and print what came of it."""
    # The plugin's client has no setting for where Mistral is.
    Mistral.__init__ = partialmethod(  # type: ignore[method-assign, assignment]
        Mistral.__init__, server_url=given["url"]
    )
    os.environ["MISTRAL_API_KEY"] = given["key"]
    from benchmarks.compared import on_livekit

    session = on_livekit.session()
    await session.start(on_livekit.Host())
    for words in LINES:
        await session.run(user_input=words)
    async with asyncio.timeout(10):
        while not isinstance(session.current_agent, on_livekit.Events):  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.05)
    said = [
        item.text_content
        for item in session.history.items
        if item.type == "message" and item.role == "assistant" and item.text_content
    ]
    agent = type(session.current_agent).__name__.lower()
    book = session.userdata
    await session.aclose()
    tell(book, said, agent=agent, version=version("livekit-agents"))


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(run(options()), 60))
