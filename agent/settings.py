"""Settings: where the models are and how long to wait, from flags, environment and a TOML file.

What a flag says wins over the environment, which wins over `vivavoce.toml` in the working folder
(or the file that `VIVAVOCE_CONFIG` names), which wins over the defaults.
"""

from __future__ import annotations

import os
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

CONFIG = "vivavoce.toml"

StageName = Literal["hear", "think", "speak"]
STAGES: tuple[StageName, ...] = ("hear", "think", "speak")

MISTRAL_URL = "https://api.mistral.ai"
MISTRAL_MODELS: dict[StageName, str] = {
    "hear": "voxtral-mini-transcribe-realtime-2602",
    "think": "mistral-small-latest",
    "speak": "voxtral-mini-tts-2603",
}
"""What each stage uses where the settings name no model. Never `*-latest` for Voxtral: the alias
has pointed at models with different protocols."""


class SettingsError(ValueError):
    """A setting is wrong; the message names it, where it came from and what to do."""


class StageSettings(BaseModel):
    """Where one stage's model is, when it is not where the others are.

    Attributes:
        url: Base URL of a server in Mistral's dialect; None: the one `models` chooses.
        key: Its API key; None: the one that goes with `models`.
        model: The model's id; None: the default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    key: SecretStr | None = None
    model: str | None = None

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        return None if url is None else _check_url(url)


class TimeoutSettings(BaseModel):
    """How long to wait for a model server (s).

    Attributes:
        connect: For a connection.
        final: For the final text after a flush.
        first: For the first piece of an answer or of speech.
        stall: Between two pieces.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect: float = Field(default=5.0, gt=0, le=60)
    final: float = Field(default=2.5, gt=0, le=60)
    first: float = Field(default=15.0, gt=0, le=300)
    stall: float = Field(default=6.0, gt=0, le=300)


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
        timeouts: How long to wait.
        log: How much is logged.
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
    timeouts: TimeoutSettings = TimeoutSettings()
    log: Literal["error", "warning", "info", "debug"] = "warning"

    @field_validator("mistral_url", "sandbox_url")
    @classmethod
    def _usable(cls, url: str | None) -> str | None:
        return None if url is None else _check_url(url)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.models == "mistral" and self.mistral_api_key is None:
            missing = [stage for stage in STAGES if getattr(self, stage).key is None]
            if missing:
                raise ValueError(
                    "models = mistral needs a key: set MISTRAL_API_KEY, or choose"
                    " models = sandbox for the embedded models"
                )
        if self.sandbox_url is not None and self.sandbox_key is None:
            raise ValueError("sandbox_url needs sandbox_key: what `vivavoce sandbox` printed")
        return self

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
            and any(getattr(self, stage).url is None for stage in STAGES)
        )

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
        place = ".".join(str(part) for part in first["loc"]) or "settings"
        what = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            what = "there is no such setting (docs/settings.md lists them)"
        raise SettingsError(f"{place}: {what}") from None
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
