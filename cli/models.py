"""Connects to the models that the settings name, and starts the sandbox where it is needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vivavoce.agent.settings import MISTRAL_MODELS, STAGES, Settings, StageName
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.warm import warm_up

SANDBOX_MODELS: dict[StageName, str] = {**MISTRAL_MODELS, "think": "embedded-rules"}


class SandboxMissingError(RuntimeError):
    """The sandbox's packages are not installed, or it did not start; the message says which."""


def endpoints(settings: Settings, sandbox_url: str, sandbox_key: str) -> dict[str, Endpoint]:
    """Return where each stage's model is.

    Args:
        settings: The settings.
        sandbox_url: A running sandbox's base URL; empty if none is needed.
        sandbox_key: Its key.
    """
    found: dict[str, Endpoint] = {}
    for stage in STAGES:
        apart = getattr(settings, stage)
        if settings.source == "sandbox":
            url, key, models = sandbox_url, sandbox_key, SANDBOX_MODELS
        else:
            secret = settings.mistral_api_key
            url = settings.mistral_url
            key = secret.get_secret_value() if secret else ""
            models = MISTRAL_MODELS
        if apart.url is not None:
            # Another server never sees the key of the one that it replaces.
            url, key = apart.url, ""
        if apart.key is not None:
            key = apart.key.get_secret_value()
        found[stage] = Endpoint(url, key, apart.model or models[stage])
    return found


def timeouts(settings: Settings) -> Timeouts:
    """Return how long the clients wait."""
    waits = settings.timeouts
    return Timeouts(waits.connect, waits.final, waits.first, waits.stall)


@asynccontextmanager
async def open_sandbox(settings: Settings) -> AsyncGenerator[tuple[str, str]]:
    """Give a sandbox's URL and key: one that runs, one started for this block, or none.

    Raises:
        SandboxMissingError: If it is needed and cannot be started.
    """
    if not settings.needs_sandbox:
        key = settings.sandbox_key
        yield settings.sandbox_url or "", key.get_secret_value() if key else ""
        return
    from vivavoce.sandbox.launch import Sandbox, SandboxError

    try:
        sandbox = Sandbox.launch()
        await sandbox.__aenter__()
    except SandboxError as error:
        raise SandboxMissingError(str(error)) from error
    try:
        yield sandbox.url, sandbox.key
    finally:
        await sandbox.__aexit__(None, None, None)


@asynccontextmanager
async def open_models(settings: Settings) -> AsyncGenerator[Models]:
    """Give the models that the settings name, warm, for calls on this event loop.

    Raises:
        SandboxMissingError: If the sandbox is needed and cannot be started.
    """
    async with open_sandbox(settings) as (url, key):
        where = endpoints(settings, url, key)
        smart_turn = warm_up()
        async with Models.mistral(
            hear=where["hear"],
            think=where["think"],
            speak=where["speak"],
            timeouts=timeouts(settings),
            smart_turn=smart_turn,
        ) as models:
            yield models
