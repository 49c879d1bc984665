"""Scripts: fixed answers in place of the engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vivavoce.sandbox.given import Given, ProfileError, finite

Words = tuple[tuple[str, float | None], ...]
"""A scripted utterance: words, each with its end (s from the onset) where the script has it."""


@dataclass(frozen=True)
class Lines:
    """What some of the hearing sessions hear, in place of ``Script.hear`` and the engine.

    Attributes:
        hear: Utterances as ``Script.hear`` has them; several sessions take them by turns.
        language: Sessions that were told this language; None asks for none.
        on: Connections, counted from 1 per key; empty: all.
    """

    hear: tuple[Words, ...]
    language: str | None = None
    on: tuple[int, ...] = ()


@dataclass(frozen=True)
class Script:
    """Fixed answers in place of the engines.

    Attributes:
        hear: An utterance each, as a text, or as a list of ``[word, end]`` pairs, whose ends are
            in seconds from the utterance's onset. A flush in the middle of timed words gives those
            that have ended, and the utterance goes on; a text is given whole. No engine runs
            then; behind the last one, utterances are transcribed as "".
        hearing: Realtime sessions in Mistral's dialect of which this is not true: the first
            that fits says what a session hears. So one speaker of two can be scripted, whose
            language no engine knows, while the engine hears the other.
        think: An answer per request, each a text, a tool call, a list of tool calls, or
            ``{"content": …, "tool_calls": […]}`` with ``{"name", "arguments"}`` calls. Behind
            the last one, the rules answer.
        answers: By words of the last message: what is answered where they stand in it, behind what
            ``think`` scripts. So a request that is made twice gets the same answer.
        speak: ``"tone"``: a sine of ``speak_char_ms`` a character in place of a voice; ``"pitch"``:
            likewise, as high as `vivavoce.sandbox.pcm.pitch` has it for the text, which tells
            which one is heard.
    """

    hear: tuple[Words, ...] | None = None
    hearing: tuple[Lines, ...] = ()
    think: tuple[Any, ...] = ()
    answers: tuple[tuple[str, Any], ...] = ()
    speak: Literal["tone", "pitch"] | None = None


def read_script(given: Any) -> Script:
    """Read a script.

    Raises:
        ProfileError: It makes no sense.
    """
    fields = Given("script", Script, given).fields
    hear = fields.get("hear")
    if hear is not None:
        if not isinstance(hear, list):
            raise ProfileError("script.hear must be a list of texts or of lists of [word, end]")
        hear = tuple(_words(one) for one in hear)
    hearing = fields.get("hearing") or []
    if not isinstance(hearing, list):
        raise ProfileError("script.hearing must be a list of objects with hear, language and on")
    hearing = tuple(_lines(one) for one in hearing)
    think = fields.get("think") or []
    if not isinstance(think, list) or not all(isinstance(t, str | dict | list) for t in think):
        raise ProfileError("script.think must be a list of texts or tool calls")
    for answer in think:
        answer_of(answer)
    answers = fields.get("answers") or {}
    if not isinstance(answers, Mapping):
        raise ProfileError("script.answers must be an object of words and answers")
    for answer in answers.values():
        answer_of(answer)
    if fields.get("speak") not in (None, "tone", "pitch"):
        raise ProfileError('script.speak may only be "tone" or "pitch"')
    return Script(hear, hearing, tuple(think), tuple(answers.items()), fields.get("speak"))


def _lines(given: Any) -> Lines:
    read = Given("script.hearing", Lines, given)
    fields = read.fields
    if not isinstance(fields.get("hear"), list):
        raise ProfileError("script.hearing.hear must be a list as script.hear is")
    language = fields.get("language")
    if language is not None and not isinstance(language, str):
        raise ProfileError(f'script.hearing.language must be a code such as "fr", not {language!r}')
    hear = tuple(_words(one) for one in fields["hear"])
    return Lines(hear, language, read.places("on"))


def _words(given: Any) -> Words:
    if isinstance(given, str):
        return tuple((word, None) for word in given.split())
    words: list[tuple[str, float | None]] = []
    last = 0.0
    for pair in given if isinstance(given, list) else [given]:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ProfileError(f"script.hear: {pair!r} is neither a text nor a [word, end] pair")
        end = pair[1]
        if not finite(end) or end < last:
            raise ProfileError(f"script.hear: {pair!r}: ends are seconds, and never go back")
        last = float(end)
        words.append((pair[0], last))
    return tuple(words)


def answer_of(scripted: Any) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """Read one scripted answer: its text, and its tool calls as name and arguments.

    Raises:
        ProfileError: When it is none of the shapes that ``Script.think`` tells.
    """
    if isinstance(scripted, str):
        return scripted, []
    text: Any = ""
    calls: Any = scripted
    if isinstance(scripted, Mapping):
        if "name" in scripted:
            calls = [scripted]
        else:
            text, calls = scripted.get("content", ""), scripted.get("tool_calls", [])
    if not isinstance(text, str) or not isinstance(calls, list):
        raise ProfileError(f"script.think: {scripted!r} is neither a text nor tool calls")
    found = []
    for call in calls:
        if not isinstance(call, Mapping) or not isinstance(call.get("name"), str):
            raise ProfileError(f"script.think: a tool call needs a name: {call!r}")
        arguments = call.get("arguments", {})
        if not isinstance(arguments, Mapping):
            raise ProfileError(f"script.think: arguments must be an object: {call!r}")
        found.append((call["name"], dict(arguments)))
    return text, found
