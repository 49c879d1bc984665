"""Connects to the models that the settings name, and starts the sandbox where it is needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vivavoce.agent.settings import (
    DIALECT_MODELS,
    HOMES,
    MISTRAL_MODELS,
    STAGES,
    ProviderSettings,
    Settings,
    StageName,
)
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.http import Endpoint, Timeouts
from vivavoce.pipelines.warm import warm_up

SANDBOX_MODELS: dict[StageName, str] = {**MISTRAL_MODELS, "think": "embedded-rules"}


class SandboxMissingError(RuntimeError):
    """The sandbox's packages are not installed, or it did not start; the message says which."""


SANDBOX_BASES = {
    "vllm": "/vllm",
    "openai": "/openai",
    "openrouter": "/api",
    "voxtral": "/api/tts",
}
"""Where the sandbox speaks each dialect; Mistral's has no base path."""


def endpoints(
    settings: Settings, sandbox_url: str, sandbox_key: str
) -> dict[StageName, tuple[Endpoint, ...]]:
    """Return where each stage's models are, in the order in which they are tried.

    Args:
        settings: The settings.
        sandbox_url: A running sandbox's base URL; empty if none is needed.
        sandbox_key: Its key.
    """
    return {
        stage: tuple(
            endpoint(settings, stage, each, sandbox_url, sandbox_key)
            for each in getattr(settings, stage).providers
        )
        for stage in STAGES
    }


def endpoint(
    settings: Settings,
    stage: StageName,
    apart: ProviderSettings,
    sandbox_url: str,
    sandbox_key: str,
) -> Endpoint:
    """Return where one provider of a stage or task is; takes what `endpoints` takes."""
    dialect = apart.dialect or "mistral"
    model = DIALECT_MODELS.get((stage, dialect), "")
    if settings.in_sandbox(apart):
        url, key = sandbox_url + SANDBOX_BASES.get(dialect, ""), sandbox_key
        model = model or SANDBOX_MODELS[stage]
    elif apart.url is None and dialect.startswith("mistral"):
        secret = settings.mistral_api_key
        url, key = settings.mistral_url, secret.get_secret_value() if secret else ""
        model = model or MISTRAL_MODELS[stage]
    else:
        # Another server never sees the key of the one that it replaces.
        url, key = apart.url or HOMES.get(dialect, ""), ""
        models = SANDBOX_MODELS if settings.source == "sandbox" else MISTRAL_MODELS
        model = model or (models[stage] if dialect == "mistral" else "")
    if apart.key is not None:
        key = apart.key.get_secret_value()
    return Endpoint(url, key, apart.model or model, dialect, apart.voice)


def timeouts(settings: Settings) -> Timeouts:
    """Return how long the clients wait."""
    waits = settings.timeouts
    return Timeouts(waits.connect, waits.final, waits.first, waits.stall, waits.switch)


@asynccontextmanager
async def open_sandbox(
    settings: Settings, task: StageName | None = None
) -> AsyncGenerator[tuple[str, str]]:
    """Give a sandbox's URL and key: one that runs, one started for this block, or none.

    Args:
        settings: The settings.
        task: What it is for, of `TASKS`; None: calls.

    Raises:
        SandboxMissingError: If it is needed and cannot be started.
    """
    needed = settings.needs_sandbox
    if task is not None:
        needed = settings.in_sandbox(getattr(settings, task)) and settings.sandbox_url is None
    if not needed:
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
        async with Models.connect(
            hear=where["hear"],
            think=where["think"],
            speak=where["speak"],
            timeouts=timeouts(settings),
            smart_turn=smart_turn,
            listening=settings.listening.options(),
        ) as models:
            yield models
