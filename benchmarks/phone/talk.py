"""A spoken conversation with the restaurant's agent by each telephone there is."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.phone.spoken import LINES, PEERS, talk_again
from vivavoce.agent.settings import MISTRAL_MODELS
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.warm import warm_up
from vivavoce.sandbox.launch import Sandbox


async def one(peer: str, url: str, key: str, folder: Path) -> dict[str, object]:
    """Have one telephone call and speak."""
    names = {**MISTRAL_MODELS, "think": "embedded-rules"}
    where = {stage: Endpoint(url, key, names[stage]) for stage in ("hear", "think", "speak")}
    async with Models.connect(**where, smart_turn=warm_up()) as models:
        it = await talk_again(peer, models, url, key, folder)
    return {
        "caller_said": " ".join(LINES),
        "agent_understood": it.understood,
        "word_error_rate_of_the_caller": round(it.caller_errors, 3),
        "agent_said": it.spoken,
        "telephone_heard": it.heard or None,
        "word_error_rate_of_the_agent": round(it.agent_errors, 3) if it.heard else None,
        "wrong": it.wrong(),
        "latest_packet_ms": round(it.late * 1000, 1),
    }


def run(peers: list[str] | None = None) -> dict[str, object]:
    """Have each telephone speak, one after the other."""
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        key = sandbox.make_key()
        return {
            peer: asyncio.run(one(peer, sandbox.url, key, Path(folder) / peer))
            for peer in peers or list(PEERS)
        }
