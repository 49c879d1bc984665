"""Questions to recordings: Voxtral hears them and answers (protocol page, §4, voice-in).

A recording that fits into one request is heard whole with every question, and what was asked and
answered before stays in the conversation. A longer one is heard part by part: of each part notes
are taken for the question at hand, and the answer is made of the notes.
"""

from __future__ import annotations

import asyncio
import base64
import random
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from vivavoce.pipelines.audio.cuts import Rule
from vivavoce.pipelines.audio.media import RATE, Encoder, Format
from vivavoce.pipelines.audio.riff import AudioFileError
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.interfaces import Finished, TextDelta, Thinking, Usage
from vivavoce.pipelines.models.transcription.parts import Part, Parts
from vivavoce.pipelines.models.transcription.retry import Backoff

LONGEST = 15 * 60.0
"""Seconds of audio in one request: about 20 min fit into Voxtral Small's context, with nothing
else."""
KEPT = 12
"""Questions with their answers that stay in the conversation."""
MOST_NOTES = 6000
"""Characters of the notes of one part that are made use of."""

SUMMARY = (
    "Summarise the recording: what it is about, who takes part, what was said on each matter, what"
    " was decided, and what is left to do and by whom. Short points, in the language of the"
    " recording."
)
_WHOLE = (
    "Answer from the recording alone. If it does not say, say so. Answer in the language of the"
    " question."
)

_NOTES = _WHOLE.replace("the recording", "the notes")


class QuestionError(ValueError):
    """A question that cannot be asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A part of a recording, as it goes out.

    Attributes:
        file: Compressed audio, on disk.
        form: Its format.
        start: Where it begins (s).
        end: Where it ends (s).
    """

    file: IO[bytes]
    form: Format
    start: float
    end: float

    def content(self) -> dict[str, Any]:
        """Return it as a chunk of a message; reads the file."""
        self.file.seek(0)
        data = base64.b64encode(self.file.read()).decode()
        return {"type": "input_audio", "input_audio": {"data": data, "format": self.form}}


class Recording:
    """A recording in clips that fit into a request; use it as an async context manager.

    Args:
        clips: In order, at least one.
    """

    def __init__(self, clips: list[Clip]) -> None:
        self.clips = clips

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        longest: float = LONGEST,
        form: Format = "mp3",
        tell: Callable[[float], None] | None = None,
    ) -> Self:
        """Read a recording of any format. Cancelling it leaves nothing behind.

        Args:
            path: The file.
            longest: Seconds of a clip at most.
            form: In which the clips go out; MP3 and WAV are what all servers take.
            tell: Told how far it has been read (s).

        Raises:
            vivavoce.pipelines.audio.riff.AudioFileError: If it cannot be read, or is silent.
        """
        clips: list[Clip] = []
        try:
            async with Parts(path, Rule(longest, window=min(60.0, longest / 2))) as parts:
                while (part := await parts.next()) is not None:
                    try:
                        if not part.silent:
                            clips.append(await asyncio.to_thread(_clip, part, form))
                    finally:
                        part.file.close()
                    if tell is not None:
                        tell(part.end / RATE)
        except BaseException:
            for clip in clips:
                clip.file.close()
            raise
        if not clips:
            raise AudioFileError(f"{path}: there is nothing to hear in it")
        return cls(clips)

    @property
    def seconds(self) -> float:
        """Where its last sound ends (s)."""
        return self.clips[-1].end

    async def close(self) -> None:
        """Delete what was written; idempotent."""
        for clip in self.clips:
            clip.file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _clip(part: Part, form: Format) -> Clip:
    """Write a part in another format."""
    file = tempfile.TemporaryFile(prefix="vivavoce-")  # noqa: SIM115
    try:
        with Encoder(file, form) as encoder:
            for block in part.blocks():
                encoder.write(block)
    except BaseException:
        file.close()
        raise
    return Clip(file, form, part.start / RATE, part.end / RATE)


class Questions:
    """A conversation about one recording.

    Args:
        thinking: A chat model that hears.
        recording: What it is about; stays open as long as questions are asked.
        backoff: When a request is made again.
        tell: Told which part of how many is being heard, for recordings in parts.

    Attributes:
        usage: Tokens of all requests until now.
    """

    def __init__(
        self,
        thinking: Thinking,
        recording: Recording,
        *,
        backoff: Backoff | None = None,
        tell: Callable[[int, int], None] | None = None,
    ) -> None:
        self._thinking, self._recording = thinking, recording
        self._backoff = backoff or Backoff(attempts=4)
        self._tell = tell or (lambda _part, _parts: None)
        self._asked: list[tuple[str, str]] = []
        self.usage = Usage()

    async def ask(self, question: str) -> AsyncGenerator[str]:
        """Ask a question, or a further one; give the answer as it comes.

        Closing the iterator ends the request; the question then is not part of the conversation.

        Raises:
            QuestionError: If there is no question.
            ModelError: If the model fails.
        """
        question = question.strip()
        if not question:
            raise QuestionError("there is no question: write one, such as 'What was agreed?'")
        clips = self._recording.clips
        if len(clips) == 1:
            messages = await asyncio.to_thread(self._whole, clips[0], question)
        else:
            messages = self._of_notes(question, [note async for note in self._notes(question)])
        answer: list[str] = []
        async with aclosing(self._answered(messages)) as texts:
            async for text in texts:
                answer.append(text)
                yield text
        self._asked = [*self._asked, (question, "".join(answer))][-KEPT:]

    def _whole(self, clip: Clip, question: str) -> list[dict[str, Any]]:
        """Make the history with the recording in its first message."""
        turns = [*self._asked, (question, "")]
        messages: list[dict[str, Any]] = []
        for number, (asked, answer) in enumerate(turns):
            if number == 0:
                text = f"{_WHOLE}\n\n{asked}"
                content: Any = [clip.content(), {"type": "text", "text": text}]
            else:
                content = asked
            messages.append({"role": "user", "content": content})
            if answer:
                messages.append({"role": "assistant", "content": answer})
        return messages

    async def _notes(self, question: str) -> AsyncGenerator[str]:
        """Have each part heard for what it says to the question."""
        clips = self._recording.clips
        for number, clip in enumerate(clips, 1):
            self._tell(number, len(clips))
            text = (
                f"This is part {number} of {len(clips)} of a recording, from {_clock(clip.start)}"
                f" to {_clock(clip.end)}. Note down all that it says to this question, with who"
                " says it, and nothing else. If it says nothing to it, write: nothing.\n\n"
                f"{self._before()}Question: {question}"
            )
            audio = await asyncio.to_thread(clip.content)
            content = [audio, {"type": "text", "text": text}]
            stream = self._answered([{"role": "user", "content": content}])
            async with aclosing(stream) as texts:
                note = "".join([text async for text in texts]).strip()
            yield note[:MOST_NOTES]

    def _of_notes(self, question: str, notes: list[str]) -> list[dict[str, Any]]:
        parts = "\n\n".join(
            f"Part {number}, {_clock(clip.start)} to {_clock(clip.end)}:\n{note}"
            for number, (clip, note) in enumerate(zip(self._recording.clips, notes, strict=True), 1)
        )
        text = (
            f"These are notes of a recording, taken part by part. {_NOTES}\n\n{parts}"
            f"\n\n{self._before()}Question: {question}"
        )
        return [{"role": "user", "content": text}]

    def _before(self) -> str:
        """Tell what was asked before: a further question may lean on it."""
        if not self._asked:
            return ""
        lines = "\n".join(f"Question: {asked}\nAnswer: {answer}" for asked, answer in self._asked)
        return f"Asked before:\n{lines}\n\n"

    async def _answered(self, messages: list[dict[str, Any]]) -> AsyncGenerator[str]:
        """Ask the model; again, if it fails before the first word."""
        failures = 0
        while True:
            began = False
            try:
                async with aclosing(self._thinking.stream(messages, ())) as thoughts:
                    async for thought in thoughts:
                        if isinstance(thought, TextDelta):
                            began = True
                            yield thought.text
                        elif isinstance(thought, Finished):
                            self.usage = Usage(
                                self.usage.prompt + thought.usage.prompt,
                                self.usage.completion + thought.usage.completion,
                            )
                            if thought.reason == "length":
                                yield " […]"
            except ModelError as error:
                failures += 1
                wait = None if began else self._backoff.wait(error, failures, random.random())
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                return


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
