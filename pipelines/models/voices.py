"""Voices: which ones a provider has, and those of one's own.

One face for Mistral, voxtral.com and vLLM-Omni; what one of them lacks is refused by name.
Protocol page §3 and §6.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vivavoce.pipelines.models.consent import Consent
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Answer, Endpoint


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """One voice.

    Attributes:
        id: By which it is spoken with.
        name: As people call it.
        slug: A preset's short name, which serves as well as its id; may be empty.
        type: "preset", "custom" or "uploaded".
        languages: Codes; empty where they are not told.
        gender: "female", "male", "neutral", or empty.
        description: In words, or empty.
        created: When (ISO 8601), or empty.
        more: What else its provider tells.
    """

    id: str
    name: str
    slug: str = ""
    type: str = "custom"
    languages: tuple[str, ...] = ()
    gender: str = ""
    description: str = ""
    created: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "id": self.id,
            "name": self.name,
            "slug": self.slug,
            "type": self.type,
            "languages": list(self.languages),
            "gender": self.gender,
            "description": self.description,
            "created": self.created,
            "more": dict(self.more),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which voices to list; empty is all.

    Attributes:
        type: "preset" or "custom".
        language: A code, with or without region.
        gender: "female", "male" or "neutral".
        query: Part of a name.
    """

    type: str = ""
    language: str = ""
    gender: str = ""
    query: str = ""

    def fits(self, card: VoiceCard) -> bool:
        """Whether a voice is one of them: for providers that do not choose themselves."""
        code = self.language.lower().replace("-", "_")
        spoken = (each.lower().replace("-", "_") for each in card.languages)
        custom = "custom" if card.type == "uploaded" else card.type
        return (
            self.type in {"", custom}
            and self.gender in {"", card.gender}
            and (not code or any(each.startswith(code) for each in spoken))
            and self.query.lower() in f"{card.name} {card.slug} {card.id}".lower()
        )


@dataclass(frozen=True, slots=True)
class NewVoice:
    """What a voice is made of.

    Attributes:
        name: How it will be called.
        sample: A recording of one person, any format.
        consent: Theirs.
        languages: Codes of what they speak on it.
        gender: "female", "male", "neutral", or empty.
        description: In words, or empty.
        tags: Words to find it by.
    """

    name: str
    sample: Path
    consent: Consent
    languages: tuple[str, ...] = ()
    gender: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


class VoiceLibrary(Protocol):
    """The voices of one provider.

    Everything raises `ModelError`: "refused" for what the provider does not have.
    """

    def list(self, wanted: Wanted) -> AsyncGenerator[VoiceCard]:
        """Give the voices page by page, as they come."""

    async def show(self, name: str) -> VoiceCard:
        """Return one, by id or slug."""

    async def create(self, new: NewVoice) -> VoiceCard:
        """Clone a voice from a sample, which is checked before it is sent."""

    async def update(self, name: str, changes: Mapping[str, Any]) -> VoiceCard:
        """Change what is told of one: name, languages, gender, description, tags."""

    async def delete(self, name: str) -> None:
        """Delete one of one's own."""

    async def sample(self, name: str) -> bytes:
        """Return a sample of one, as a WAV file."""


def lacking(provider: str, what: str) -> ModelError:
    """Return the error for what a provider does not have."""
    return ModelError("speaking", "refused", f"{provider} has no way to {what}")


def read(endpoint: Endpoint, answer: Answer) -> Any:
    """Return an answer's JSON.

    Raises:
        ModelError: If it is none.
    """
    try:
        return answer.json()
    except ValueError as error:
        raise ModelError(
            "speaking", "broken", f"{endpoint.url} sent no answer that can be read"
        ) from error
