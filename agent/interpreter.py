"""The interpreter: one importable object that translates what is said, while it is said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from vivavoce.agent.agent import Agent
from vivavoce.agent.languages import base, check
from vivavoce.agent.options import Limits, Listening
from vivavoce.agent.voices import Voice, check_voice

Policy = Literal["simultaneous", "consecutive", "captions"]
Original = Literal["ducked", "off", "full"]

SPEAKER = "speaker"
"""The voice that is each speaker's own."""
TERMS = 100
"""Entries of a glossary: what a transcriber may be told to expect."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class InterpreterError(ValueError):
    """An interpreter is defined wrongly; the message says what to change."""


class Interpreter:
    """Translates speech: from what language, into which ones, in whose voice.

    The same object interprets a browser call, a telephone call, a microphone, a file, a lecture
    and a test; it holds nothing of a single session.

    Args:
        source: What is spoken, as "fr".
        target: What it is translated into, as "en"; several for a lecture with listeners of
            several languages.
        name: Names it in logs and records.
        both_ways: Whether the target language is spoken too and translated back: two people at
            one microphone, or each at their own. Needs one target.
        voice: Whose voice speaks: a preset's slug or a voice's id, one for each language, or
            "speaker": each speaker's own, copied from the first seconds of clean speech of a
            speaker who has agreed. None leaves it to the server.
        glossary: How names and terms are translated, always: {"pain au levain": "sourdough"}. A
            term with an empty translation stays as it is.
        style: How it is to sound: "formal", "for children, in short sentences".
        policy: "simultaneous" speaks while the speaker does; "consecutive" waits for the end of
            the turn; "captions" writes and is silent.
        latency: How far the translation should be behind (ms): the lag that it steers to.
        original: What a listener hears of the speaker's own voice beneath: "ducked", "off", or
            "full".
        listening: What the transcriber is told beside the language and the glossary's terms.
        limits: What bounds a session.

    Raises:
        InterpreterError: If something is defined wrongly.
        vivavoce.agent.languages.LanguageError: If a language cannot be spoken.
        vivavoce.agent.voices.VoiceError: If a voice is none.
    """

    def __init__(
        self,
        source: str,
        target: str | Sequence[str],
        *,
        name: str = "interpreter",
        both_ways: bool = False,
        voice: Voice | None = None,
        glossary: Mapping[str, str] | None = None,
        style: str = "",
        policy: Policy = "simultaneous",
        latency: float = 2_000,
        original: Original = "ducked",
        listening: Listening | None = None,
        limits: Limits | None = None,
    ) -> None:
        given_name: object = name
        if not isinstance(given_name, str) or not _NAME.fullmatch(given_name):
            raise InterpreterError(
                f"Interpreter(name={name!r}): use 1 to 64 letters, digits, dots, dashes or"
                " underscores"
            )
        self.name = name
        self.source = check(source)
        self.targets = _targets(source, target)
        if both_ways and len(self.targets) != 1:
            raise InterpreterError(
                f"Interpreter(both_ways=True) speaks two languages; target={target!r} are more"
            )
        self.both_ways = both_ways
        if policy not in get_args(Policy):
            raise InterpreterError(
                f"Interpreter(policy={policy!r}): choose 'simultaneous', 'consecutive' or"
                " 'captions'"
            )
        self.policy: Policy = policy
        if original not in get_args(Original):
            raise InterpreterError(
                f"Interpreter(original={original!r}): choose 'ducked', 'off' or 'full'"
            )
        self.original: Original = original
        milliseconds: object = latency
        number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
        if not number or not 300 <= latency <= 20_000:
            raise InterpreterError(
                f"Interpreter(latency={latency!r}): give milliseconds within 300 and 20000"
            )
        self.latency = float(latency)
        self.copies = voice == SPEAKER
        if voice is not None and not self.copies:
            check_voice(voice)
        self.voice: Voice | None = None if self.copies else voice
        self.glossary = _glossary(glossary)
        manner: object = style
        if not isinstance(manner, str):
            raise InterpreterError(f"Interpreter(style={style!r}): give a text")
        self.style = " ".join(style.split())
        for option, value, kind in (
            ("listening", listening, Listening),
            ("limits", limits, Limits),
        ):
            if value is not None and not isinstance(value, kind):
                raise InterpreterError(
                    f"Interpreter({option}={value!r}): give {kind.__name__}(...)"
                )
        self.listening = listening or Listening()
        self.limits = limits or Limits()

    def __repr__(self) -> str:
        arrow = "<->" if self.both_ways else "->"
        return f"<Interpreter {self.name} {self.source}{arrow}{','.join(self.targets)}>"

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages of a session, the source first."""
        return (self.source, *self.targets)

    def targets_of(self, language: str) -> tuple[str, ...]:
        """Return into what a language is translated; nothing where it is none of the sources."""
        if base(language) == base(self.source):
            return self.targets
        if self.both_ways and base(language) == base(self.targets[0]):
            return (self.source,)
        return ()

    def hears(self, language: str) -> Listening:
        """Return what the transcriber of a speaker is told.

        Args:
            language: What they speak; of two that may be spoken at one microphone, "" for either.
        """
        given = self.listening
        terms = dict.fromkeys((*given.expect, *self.glossary))
        if self.both_ways:
            terms |= dict.fromkeys(word for word in self.glossary.values() if word)
        return Listening(
            language=base(language) if language else given.language,
            expect=tuple(terms)[:TERMS],
            delay=given.delay,
        )

    def facade(self, target: str = "") -> Agent[None]:
        """Return it as an agent: what a call, its record and its transport know of who speaks.

        Args:
            target: The language that is heard on the line; the first target if empty.
        """
        target = target or self.targets[0]
        others = [each for each in self.languages if each != target]
        return Agent(
            name=self.name,
            voice=self.voice,
            languages=[target, *others],
            listening=self.hears(self.source),
            limits=self.limits,
        )


def _targets(source: str, target: str | Sequence[str]) -> tuple[str, ...]:
    given: object = target
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, Sequence) or not several:
        raise InterpreterError(f'Interpreter(target={target!r}): give "en", or a list of such')
    targets = tuple(check(each) for each in several)
    if len({base(each) for each in targets}) != len(targets):
        raise InterpreterError(f"Interpreter(target={target!r}): names a language twice")
    if base(source) in {base(each) for each in targets}:
        raise InterpreterError(
            f"Interpreter({source!r}, {target!r}): what is spoken needs no translation into itself"
        )
    return targets


def _glossary(given: object) -> dict[str, str]:
    if given is None:
        return {}
    wrong = 'give terms and their translations, as {"pain au levain": "sourdough"}'
    if not isinstance(given, Mapping):
        raise InterpreterError(f"Interpreter(glossary={given!r}): {wrong}")
    glossary = {}
    for term, meaning in given.items():
        if not isinstance(term, str) or not isinstance(meaning, str) or not term.strip():
            raise InterpreterError(f"Interpreter(glossary: {term!r}: {meaning!r}): {wrong}")
        glossary[" ".join(term.split())] = " ".join(meaning.split())
    if len(glossary) > TERMS:
        raise InterpreterError(f"Interpreter(glossary): at most {TERMS} terms; got {len(glossary)}")
    return glossary
