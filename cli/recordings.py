"""What `transcribe` and `ask` share: which recordings are meant, and where their model is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from vivavoce.agent.settings import Settings, SettingsError, StageName
from vivavoce.cli.models import endpoint
from vivavoce.pipelines.models.http import Endpoint

_UPLOADED = "id:"


class RecordingError(ValueError):
    """A recording, or what is asked of several, makes no sense; one line says what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One recording.

    Attributes:
        path: On this machine; None where the server gets it by itself.
        url: Where the server fetches it.
        id: Its id, where the server has it already.
    """

    path: Path | None = None
    url: str | None = None
    id: str | None = None

    @classmethod
    def parse(cls, given: str) -> Source:
        """Read what stands on the command line: a path, an http URL, or `id:` and a file's id."""
        if given.startswith(("http://", "https://")):
            return cls(url=given)
        if given.startswith(_UPLOADED):
            return cls(id=given.removeprefix(_UPLOADED))
        return cls(path=Path(given))

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.path) if self.path is not None else self.url or f"{_UPLOADED}{self.id}"

    @property
    def stem(self) -> str:
        """What to call its files, without a suffix."""
        if self.path is not None:
            return self.path.stem
        if self.url is not None:
            last = self.url.split("?")[0].split("#")[0].rstrip("/").rsplit("/", 1)[-1]
            stem = Path(last).stem
        else:
            stem = self.id or ""
        return "".join(c if c.isalnum() or c in "-_. " else "_" for c in stem) or "recording"


def parse_sources(given: Iterable[str]) -> list[Source]:
    """Read all of them.

    Raises:
        RecordingError: If two would leave files of the same name, or one is no file.
    """
    sources = [Source.parse(one) for one in given]
    seen: dict[str, Source] = {}
    for source in sources:
        if source.path is not None and not source.path.exists():
            raise RecordingError(f"{source.path}: there is no such file")
        if source.path is not None and source.path.is_dir():
            raise RecordingError(
                f"{source.path} is a folder: give its files, as in {source.path}/*"
            )
        other = seen.setdefault(source.stem, source)
        if other is not source:
            raise RecordingError(
                f"{other.name} and {source.name} would both become {source.stem}: give them one"
                " after the other, with another --out"
            )
    return sources


def where(settings: Settings, task: StageName, url: str, key: str, model: str | None) -> Endpoint:
    """Return where a task's model is.

    Args:
        settings: The settings.
        task: "transcribe" or "ask".
        url: A running sandbox's base URL; empty if none is needed.
        key: Its key.
        model: The model's id, if the command line names one.

    Raises:
        SettingsError: If something is missing.
    """
    apart = getattr(settings, task)
    found = endpoint(settings, task, apart, url, key)
    inside = settings.in_sandbox(apart)
    if inside and found.dialect == "vllm":
        # The sandbox's vLLM is beside its Mistral, whose paths are the same.
        found = replace(found, url=f"{url}/vllm")
    if model is not None:
        found = replace(found, model=model)
    if not found.model:
        raise SettingsError(f"{task}.model: name the model: {found.dialect} has no default one")
    if not inside and not found.key and found.dialect == "mistral" and apart.url is None:
        raise SettingsError(
            f"{task} needs a key: set MISTRAL_API_KEY, or choose --models sandbox for the embedded"
            " models"
        )
    return found
