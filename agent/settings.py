"""Settings: where the models are and how long to wait, from flags, environment and a TOML file.

What a flag says wins over the environment, which wins over `vivavoce.toml` in the working folder
(or the file that `VIVAVOCE_CONFIG` names), which wins over the defaults.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from vivavoce.agent.options import Listening

CONFIG = "vivavoce.toml"

StageName = Literal["hear", "think", "speak", "transcribe", "ask"]
STAGES: tuple[StageName, ...] = ("hear", "think", "speak")
"""What a call needs."""
TASKS: tuple[StageName, ...] = ("transcribe", "ask")
"""What is done with recordings: they are written down, and questions to them are answered."""

DIALECTS: dict[StageName, tuple[str, ...]] = {
    "hear": ("mistral", "vllm", "none"),
    "think": ("mistral", "vllm", "openrouter", "openai"),
    "speak": ("mistral", "mistral-realtime", "vllm", "voxtral"),
    "transcribe": ("mistral", "vllm", "openrouter"),
    "ask": ("mistral", "vllm", "openrouter", "openai"),
}
"""The wire protocols that each stage speaks. "none" hears nothing: for an agent whose chat model
listens itself. A dialect of your own is named "module:function" (docs/models.md)."""

MISTRAL_URL = "https://api.mistral.ai"
MISTRAL_MODELS: dict[StageName, str] = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
    "transcribe": "voxtral-mini-2602",
    "ask": "voxtral-small-2507",
}
"""What each stage uses where the settings name no model. Never `*-latest` for Voxtral: the alias
has pointed at models with different protocols."""

DIALECT_MODELS: dict[tuple[StageName, str], str] = {
    ("hear", "vllm"): "mistralai/Voxtral-Mini-4B-Realtime-2602",
    ("hear", "none"): "",
    ("speak", "mistral-realtime"): "voxtral-mini-tts-realtime-3-0",
    ("speak", "vllm"): "mistralai/Voxtral-4B-TTS-2603",
    ("speak", "voxtral"): "voxtral",
    ("transcribe", "vllm"): "mistralai/Voxtral-Mini-3B-2507",
    ("transcribe", "openrouter"): "mistralai/voxtral-mini-transcribe",
    ("ask", "vllm"): "mistralai/Voxtral-Small-24B-2507",
    ("ask", "openrouter"): "mistralai/voxtral-small-24b-2507",
}
"""What a dialect uses instead, where its models have other names."""

HOMES: dict[str, str] = {
    "openrouter": "https://openrouter.ai/api",
    "voxtral": "https://voxtral.com/api/tts",
}
"""Where the services are that have a dialect and one address."""

_PLACED = re.compile(r"(hear|think|speak|transcribe|ask)[\w.\[\]]*: ")
_CUSTOM = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class SettingsError(ValueError):
    """A setting is wrong; the message names it, where it came from and what to do."""


class ProviderSettings(BaseModel):
    """Where a stage's model is, when it is not where the others are.

    Attributes:
        dialect: Which wire protocol its server speaks, of `DIALECTS`; None: Mistral's.
        url: The server's base URL; None: the dialect's own service, or the one `models` chooses.
        key: Its API key; None: the one that goes with `models`.
        model: The model's id; None: the default.
        voice: Speech only: the voice that stands for the agent's there; None: the agent's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dialect: str | None = None
    url: str | None = None
    key: SecretStr | None = None
    model: str | None = None
    voice: str | None = None

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        return None if url is None else _check_url(url)


class StageSettings(ProviderSettings):
    """Where a stage's model is, and who serves instead when that one fails.

    Attributes:
        then: Tried in this order when the ones before fail.
    """

    then: tuple[ProviderSettings, ...] = ()

    @property
    def providers(self) -> tuple[ProviderSettings, ...]:
        """All of them, in the order in which they are tried."""
        return (self, *self.then)


class TimeoutSettings(BaseModel):
    """How long to wait for a model server (s).

    Attributes:
        connect: For a connection.
        final: For the final text after a flush.
        first: For the first piece of an answer or of speech.
        stall: Between two pieces.
        switch: For the first piece, where another provider stands behind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect: float = Field(default=5.0, gt=0, le=60)
    final: float = Field(default=2.5, gt=0, le=60)
    first: float = Field(default=15.0, gt=0, le=300)
    stall: float = Field(default=6.0, gt=0, le=300)
    switch: float = Field(default=4.0, gt=0, le=300)


class ListeningSettings(BaseModel):
    """What the transcriber is told for agents that do not say it themselves.

    Attributes:
        language: What is spoken, as a code of two letters.
        expect: Words and phrases that may come.
        delay: How far the text may lag behind the audio (s).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str | None = None
    expect: tuple[str, ...] = ()
    delay: float | None = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        self.options()
        return self

    def options(self) -> Listening:
        """Return it as an agent's options are written.

        Raises:
            vivavoce.agent.options.OptionError: If something is out of its range.
        """
        return Listening(language=self.language, expect=self.expect, delay=self.delay)


class LoadSettings(BaseModel):
    """How far a server may be loaded before it refuses further calls; 0 looks at none of it.

    Attributes:
        lag: How late its event loop may be in one look of twenty (ms).
        loop: Share of a core that the event loop may use, with the call that is asked for (0–1).
        process: Share of the machine's cores that the process may use, likewise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lag: float = Field(default=25.0, ge=0, le=10_000)
    loop: float = Field(default=0.70, ge=0, le=1)
    process: float = Field(default=0.80, ge=0, le=1)


class TraceSettings(BaseModel):
    """Where traces go (extra `otel`).

    Attributes:
        url: Where a collector takes OTLP over HTTP: "http://127.0.0.1:4318/v1/traces"; None: there
            are no traces.
        share: Which share of the calls has one (0–1).
        texts: Whether what was said stands in them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    share: float = Field(default=1.0, ge=0, le=1)
    texts: bool = False

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        return None if url is None else _check_url(url)


class Settings(BaseSettings):
    """All settings.

    Attributes:
        models: "mistral", "sandbox" (the embedded models), or "auto": mistral when there is a
            key, else the sandbox.
        mistral_api_key: Mistral's key, from `MISTRAL_API_KEY`.
        mistral_url: Mistral's base URL.
        sandbox_url: A sandbox that runs already; None starts one.
        sandbox_key: Its key.
        hear: Where transcription is, if apart.
        think: Where the chat model is, if apart.
        speak: Where speech is, if apart.
        transcribe: Where recordings are transcribed, if apart.
        ask: Where the model is that answers questions to recordings, if apart.
        listening: What the transcriber is told, where the agent does not say it.
        timeouts: How long to wait.
        load: How far a server may be loaded before it refuses further calls.
        traces: Where traces go.
        log: How much is logged.
        log_format: "text" for people, "json" for machines: an object a line.
        log_personal: Whether JSON lines may hold numbers, addresses and what was said.
    """

    model_config = SettingsConfigDict(
        env_prefix="VIVAVOCE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    models: Literal["auto", "mistral", "sandbox"] = "auto"
    mistral_api_key: SecretStr | None = Field(default=None, validation_alias="MISTRAL_API_KEY")
    mistral_url: str = MISTRAL_URL
    sandbox_url: str | None = None
    sandbox_key: SecretStr | None = None
    hear: StageSettings = StageSettings()
    think: StageSettings = StageSettings()
    speak: StageSettings = StageSettings()
    transcribe: ProviderSettings = ProviderSettings()
    ask: ProviderSettings = ProviderSettings()
    listening: ListeningSettings = ListeningSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    load: LoadSettings = LoadSettings()
    traces: TraceSettings = TraceSettings()
    log: Literal["error", "warning", "info", "debug"] = "warning"
    log_format: Literal["text", "json"] = "text"
    log_personal: bool = False

    @field_validator("mistral_url", "sandbox_url")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        return None if url is None else _check_url(url)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for stage in STAGES:
            for place, provider in enumerate(getattr(self, stage).providers):
                self._check_provider(stage, place, provider)
        for task in TASKS:
            self._check_provider(task, 0, getattr(self, task))
        if self.models == "mistral" and self.mistral_api_key is None:
            missing = [
                stage
                for stage in STAGES
                if any(
                    each.key is None and each.dialect != "none" and ":" not in (each.dialect or "")
                    for each in getattr(self, stage).providers
                )
            ]
            if missing:
                raise ValueError(
                    "models = mistral needs a key: set MISTRAL_API_KEY, or choose"
                    " models = sandbox for the embedded models"
                )
        if self.sandbox_url is not None and self.sandbox_key is None:
            raise ValueError("sandbox_url needs sandbox_key: what `vivavoce sandbox` printed")
        return self

    def _check_provider(self, stage: StageName, place: int, provider: ProviderSettings) -> None:
        name = f"{stage}.then[{place - 1}]" if place else stage
        dialect = provider.dialect or "mistral"
        if dialect not in DIALECTS[stage] and not _CUSTOM.fullmatch(dialect):
            raise ValueError(
                f"{name}.dialect: {dialect!r} is not known: choose {', '.join(DIALECTS[stage])},"
                " or name a dialect of your own as module:function"
            )
        if provider.voice is not None and stage != "speak":
            raise ValueError(f"{name}.voice: only speak has voices")
        if self.in_sandbox(provider):
            return
        if dialect in HOMES and provider.key is None:
            raise ValueError(f"{name}.key: {dialect} needs a key of its own")
        if provider.url is None and dialect in {"vllm", "openai"}:
            raise ValueError(f"{name}.url: say where the server is, such as http://127.0.0.1:8000")
        nameless = stage == "think" and dialect in {"vllm", "openai", "openrouter"}
        if provider.model is None and nameless:
            raise ValueError(f"{name}.model: name the model: {dialect} has no default one")

    @property
    def source(self) -> Literal["mistral", "sandbox"]:
        """Where the models are, with "auto" decided."""
        if self.models != "auto":
            return self.models
        return "mistral" if self.mistral_api_key is not None else "sandbox"

    @property
    def needs_sandbox(self) -> bool:
        """Whether a stage uses a sandbox that is not running yet."""
        return (
            self.source == "sandbox"
            and self.sandbox_url is None
            and any(
                self.in_sandbox(each) for stage in STAGES for each in getattr(self, stage).providers
            )
        )

    def in_sandbox(self, provider: ProviderSettings) -> bool:
        """Whether a provider is the sandbox, when it is the source of models."""
        dialect = provider.dialect or "mistral"
        if self.source != "sandbox" or provider.url is not None:
            return False
        if dialect == "none" or ":" in dialect:
            return False
        # A key for a service that has one address is meant for that service.
        return not (dialect in HOMES and provider.key is not None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read flags, then the environment, then the file."""
        del dotenv_settings, file_secret_settings
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_path())
        return init_settings, env_settings, file


def config_path() -> Path:
    """Return the file that settings are read from, whether it exists or not."""
    return Path(os.environ.get("VIVAVOCE_CONFIG") or CONFIG)


def load(flags: dict[str, Any] | None = None) -> Settings:
    """Read the settings.

    Args:
        flags: What the command line said, by setting; None values are left out.

    Raises:
        SettingsError: If a setting is wrong, in one line.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path = config_path()
    if os.environ.get("VIVAVOCE_CONFIG") and not path.is_file():
        raise SettingsError(f"VIVAVOCE_CONFIG names {path}, which is no file")
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            what = "there is no such setting (docs/settings.md lists them)"
        if not place and not _PLACED.match(what):
            place = "settings"
        raise SettingsError(f"{place}: {what}" if place else what) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    except SourceError as error:
        # Its message names the field; its cause quotes the value, which may hold a key.
        field = str(error).partition('"')[2].partition('"')[0] or "settings"
        raise SettingsError(
            f"{field}: VIVAVOCE_{field.upper()} is no JSON object; set one part of it, as in"
            f" VIVAVOCE_{field.upper()}__<NAME>"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from None


def _check_url(url: str) -> str:
    if not url.startswith(("http://", "https://")) or len(url.split("://", 1)[1]) == 0:
        raise ValueError(f"{url!r} is no URL: write it as https://host or http://host:port")
    return url.rstrip("/")
