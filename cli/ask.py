"""`vivavoce ask`: questions to a recording, answered by a model that hears it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from vivavoce.agent.settings import Settings
from vivavoce.agent.testing import guard
from vivavoce.cli.lines import InputError, Lines
from vivavoce.cli.models import open_sandbox
from vivavoce.cli.recordings import where
from vivavoce.cli.transcribe import clock
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Http, Timeouts
from vivavoce.pipelines.models.providers import thinking
from vivavoce.pipelines.models.questions import LONGEST, QuestionError, Questions, Recording

WAITS = Timeouts(first=180.0, stall=60.0)
"""A quarter of an hour has to be heard before the first word of an answer."""


async def ask(
    path: Path,
    questions: Sequence[str],
    settings: Settings,
    *,
    model: str | None = None,
    part: float | None = None,
) -> int:
    """Ask a recording; return the exit code.

    Answers go to the standard output as they come, all else to the error stream.

    Args:
        path: The recording.
        questions: Asked in this order; without any, they are read line by line.
        settings: Where the model is.
        model: Its id, if another than the settings' is wanted.
        part: Minutes heard at once at most.

    Raises:
        vivavoce.pipelines.audio.riff.AudioFileError: If the recording cannot be read.
        QuestionError: If a question is empty.
    """
    for question in questions:
        if not question.strip():
            raise QuestionError("there is no question: write one, such as 'What was agreed?'")
    aside = Console(stderr=True)
    async with open_sandbox(settings, "ask") as (url, key):
        place = where(settings, "ask", url, key, model)
        guard.check(place.url)
        longest = LONGEST if part is None else part * 60
        with aside.status(f"reading {escape(str(path))}"):
            recording = await Recording.open(path, longest=longest)
        http = Http(WAITS)
        try:
            async with recording:
                status = aside.status("listening")

                def tell(number: int, parts: int) -> None:
                    status.update(f"listening to part {number} of {parts}")

                conversation = Questions(thinking(http, place), recording, tell=tell)
                if questions:
                    code = 0
                    for question in questions:
                        code = await _answer(conversation, question, status, aside) or code
                else:
                    code = await _converse(conversation, recording, status, aside)
                usage = conversation.usage
                if usage.prompt:
                    aside.print(
                        f"[dim]{usage.prompt} tokens heard and read, {usage.completion} written[/]"
                    )
                return code
        finally:
            await http.close()


async def _answer(conversation: Questions, question: str, status: Status, aside: Console) -> int:
    """Print an answer as it comes; return the exit code."""
    status.start()
    try:
        async with aclosing(conversation.ask(question)) as texts:
            async for text in texts:
                status.stop()
                sys.stdout.write(text)
                sys.stdout.flush()
    except ModelError as error:
        status.stop()
        aside.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        return 1
    finally:
        status.stop()
    print(flush=True)
    return 0


async def _converse(
    conversation: Questions, recording: Recording, status: Status, aside: Console
) -> int:
    """Answer what is typed, or comes from a pipe, until it ends."""
    code = 0
    lines = Lines("? ")
    if lines.typed:
        aside.print(f"[dim]{clock(recording.seconds)}. Ask; an empty line ends it.[/]")
    try:
        while True:
            try:
                line = await lines.next()
            except InputError as error:
                aside.print(f"[red]{escape(str(error))}[/]")
                code = 2
                continue
            if line is None or (lines.typed and not line.strip()):
                return code
            if line.strip():
                code = await _answer(conversation, line, status, aside) or code
    finally:
        lines.close()
