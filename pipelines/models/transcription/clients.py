"""Makes the client of a server that transcribes files, and asks what its model takes."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.agent.testing import guard
from vivavoce.pipelines.models.capabilities import UNKNOWN, capabilities
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.transcription.job import Files
from vivavoce.pipelines.models.transcription.mistral import MistralFiles
from vivavoce.pipelines.models.transcription.openrouter import OpenRouterFiles
from vivavoce.pipelines.models.transcription.options import Abilities
from vivavoce.pipelines.models.transcription.request import Waits
from vivavoce.pipelines.models.transcription.vllm import VllmFiles

_CLIENTS: dict[str, Callable[..., Files]] = {
    "mistral": MistralFiles,
    "vllm": VllmFiles,
    "openrouter": OpenRouterFiles,
}


async def connect(
    http: Http, where: Endpoint, waits: Waits | None = None, *, stream: bool = True
) -> tuple[Files, Abilities]:
    """Return the client of a model, and what the model takes.

    Args:
        http: The pool of connections.
        where: The model; its dialect says which client.
        waits: How long it may take.
        stream: Take texts as they come, where the server can.

    Raises:
        RefusedError: If the dialect transcribes no files.
        vivavoce.agent.testing.ModelsBlockedError: If a test has blocked it.
    """
    guard.check(where.url)
    # Only Mistral's cards tell of transcription.
    card = await capabilities(where) if where.dialect == "mistral" else UNKNOWN
    abilities = Abilities.of(where.dialect, where.model, card)
    return _CLIENTS[where.dialect](http, where, waits, stream=stream), abilities
