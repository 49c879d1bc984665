"""The program: what its commands have in common."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

app = typer.Typer(
    name="vivavoce",
    help="Real-time speech-to-speech voice agents on Mistral's Voxtral models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 all went well, 1 something failed in a call, 2 a mistake in what was"
    " given, 130 Ctrl-C.",
)
WRITE, CARRY, LOOK = "Write an agent", "Let it take calls", "See how things are"
FILES = "Work with recordings"


def complete_agents(incomplete: str) -> list[str]:
    """Return what a shell may complete an agent's name to: Python files and folders."""
    folder = Path(incomplete or ".")
    if incomplete and not incomplete.endswith("/"):
        folder = folder.parent
    found = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        name = str(path)
        if name.startswith(incomplete) and not path.name.startswith((".", "_")):
            if path.is_dir():
                found.append(f"{name}/")
            elif path.suffix == ".py":
                found.append(name)
    return found


ModelsOption = Annotated[
    str | None,
    typer.Option("--models", help="Where the models are: mistral, sandbox or auto."),
]
LogFormatOption = Annotated[
    str | None,
    typer.Option("--log-format", help="text for people, json for machines: an object a line."),
]
AgentArgument = Annotated[
    str,
    typer.Argument(
        help="file.py, file.py:name or module:name.",
        metavar="AGENT",
        autocompletion=complete_agents,
    ),
]
AgentsArgument = Annotated[list[str], typer.Argument(help="file.py, file.py:name or module:name.")]
FastOption = Annotated[
    bool, typer.Option("--fast", help="Do not wait where nothing waits on the clock.")
]
EventsOption = Annotated[
    bool, typer.Option("--json", help="Print an event a line, and the record last, as JSON.")
]
RecordingOption = Annotated[
    Path | None, typer.Option("--out", help="Record the call here: caller left, agent right.")
]
TranscriptOption = Annotated[
    Path | None, typer.Option("--transcript", help="Write the record here, as JSON.")
]
HeadphonesOption = Annotated[
    bool, typer.Option("--headphones", help="Do not cancel the speaker's echo: there is none.")
]
MicrophoneOption = Annotated[
    str | None, typer.Option("--microphone", help="Number or name of the one to use.")
]
SpeakerOption = Annotated[
    str | None, typer.Option("--speaker", help="Number or name of the one to use.")
]

FAILED = 2
"""The exit code of a mistake in what was given."""


def configure_logging(level: str, *, as_json: bool = False, personal: bool = False) -> None:
    """Send our log, and pipecat's warnings, to the terminal's error stream.

    Args:
        level: How much of ours.
        as_json: An object a line, for machines; else text, for people.
        personal: Whether such lines may hold personal data.
    """
    from vivavoce.pipelines.observing.logs import JsonFormatter, Scarce

    handler: logging.Handler
    if as_json:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter(personal=personal))
        logging.captureWarnings(capture=True)
        sys.excepthook = _log_fatal
    else:
        handler = RichHandler(
            console=Console(stderr=True), show_time=False, show_path=False, markup=False
        )
    handler.addFilter(Scarce())
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("vivavoce").setLevel(level.upper())
    from loguru import logger

    logger.add(
        lambda message: logging.getLogger("pipecat").log(
            message.record["level"].no, message.record["message"]
        ),
        level="DEBUG" if level == "debug" else "WARNING",
    )


def _log_fatal(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write what ends the program as a line of the log, too."""
    logging.getLogger("vivavoce").critical("the program failed", exc_info=(kind, error, trace))


def read_settings(**flags: Any) -> Any:
    """Read the settings and set the log up."""
    from vivavoce.agent.settings import load

    settings = load(flags)
    configure_logging(
        settings.log, as_json=settings.log_format == "json", personal=settings.log_personal
    )
    return settings
