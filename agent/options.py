"""Small frozen groups of options that tune an agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class OptionError(ValueError):
    """An option is out of its range; the message names it and the range."""


def _within(owner: str, name: str, value: object, low: float, high: float, unit: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{owner}({name}={value!r}): must be a number")
    if not low <= value <= high:
        raise OptionError(
            f"{owner}({name}={value}): must be within {low:g} and {high:g} {unit}".rstrip()
        )


def _flag(owner: str, name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise OptionError(f"{owner}({name}={value!r}): must be True or False")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Who has the floor.

    Attributes:
        eager: Begin the reply on a guess that the turn is over, unheard, while that is decided.
        guesses: How many guesses a turn may cost.
        waste: Share of the model's tokens in the call that may have gone to guesses that did not
            come true; beyond it nothing is begun on a guess (0–1).
        flush_after: Silence after which the transcriber is asked for its final text (s).
        min_silence: Silence that ends the turn when voice and words agree that it is over (s).
        unsure_silence: Silence that ends it when one of them does (s).
        max_silence: Silence that ends it whatever they say (s).
        patience: Silence added for a caller who was cut off before (s).
        threshold: Probability above which the end-of-turn model's word is taken (0–1).
        interruptible: Whether the caller may cut the agent's replies.
        interrupt_after: Caller speech that silences a reply (s). It is held, ends
            with the first word that is understood, and goes on from the same sample if this was
            a cough or a "mm-hm".
        detector: Who says that a turn is over: "local" (the rules above), or "model": the
            transcriber's own turn events beside them, where it has any (Voxtral 3).
        vad: The voice detector: "silero" (a small neural network) or "webrtc" (light, more false
            alarms in noise).
    """

    eager: bool = True
    guesses: int = 3
    waste: float = 0.5
    flush_after: float = 0.045
    min_silence: float = 0.25
    unsure_silence: float = 0.5
    max_silence: float = 1.4
    patience: float = 0.25
    threshold: float = 0.5
    interruptible: bool = True
    interrupt_after: float = 0.06
    min_words: int = 1
    greeting: Literal["interruptible", "protected", "muted"] = "interruptible"
    detector: Literal["local", "model"] = "local"
    vad: Literal["silero", "webrtc"] = "silero"

    def __post_init__(self) -> None:
        _within("Turns", "flush_after", self.flush_after, 0.02, 5, "s")
        _within("Turns", "min_silence", self.min_silence, 0.05, 10, "s")
        _within("Turns", "unsure_silence", self.unsure_silence, self.min_silence, 20, "s")
        _within("Turns", "max_silence", self.max_silence, self.unsure_silence, 30, "s")
        _within("Turns", "patience", self.patience, 0, 5, "s")
        _within("Turns", "guesses", self.guesses, 0, 20, "guesses")
        _within("Turns", "waste", self.waste, 0, 1, "")
        _within("Turns", "threshold", self.threshold, 0, 1, "")
        _within("Turns", "interrupt_after", self.interrupt_after, 0.02, 3, "s")
        _within("Turns", "min_words", self.min_words, 1, 20, "words")
        _flag("Turns", "interruptible", self.interruptible)
        if self.greeting not in {"interruptible", "protected", "muted"}:
            raise OptionError(
                f"Turns(greeting={self.greeting!r}): choose 'interruptible', 'protected' or 'muted'"
            )
        if self.detector not in {"local", "model"}:
            raise OptionError(f"Turns(detector={self.detector!r}): choose 'local' or 'model'")
        if self.vad not in {"silero", "webrtc"}:
            raise OptionError(f"Turns(vad={self.vad!r}): choose 'silero' or 'webrtc'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What the transcriber is told; a model takes what its card says.

    Attributes:
        language: What is spoken, as a code of two letters ("fr"); None lets the model find out.
        expect: Words and phrases that may come, such as names; at most 100.
        delay: How far the text may lag behind the audio (s): 0.08 to 1.2, or 2.4. More is more
            exact and slower; None leaves the server's default (0.48).
    """

    language: str | None = None
    expect: tuple[str, ...] = ()
    delay: float | None = None

    def __post_init__(self) -> None:
        language: object = self.language
        code = isinstance(language, str) and len(language) == 2 and language.isalpha()
        if language is not None and not (code and language == str(language).lower()):
            raise OptionError(
                f'Listening(language={language!r}): give a code such as "fr", or None'
            )
        expect: object = self.expect
        words = isinstance(expect, tuple | list) and all(
            isinstance(each, str) and each.strip() for each in expect
        )
        if not words:
            raise OptionError(f"Listening(expect={expect!r}): give words and phrases, as a tuple")
        if len(self.expect) > 100:
            raise OptionError(f"Listening(expect): at most 100 terms; got {len(self.expect)}")
        object.__setattr__(self, "expect", tuple(self.expect))
        if self.delay is not None and self.delay != 2.4:
            _within("Listening", "delay", self.delay, 0.08, 1.2, "s, or 2.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """How the agent's words are spoken; Voxtral TTS has no speed of its own to set.

    Attributes:
        ahead: Clauses that are made ready at the same time, at most.
        longest: A clause is cut beyond this many characters.
        filler_after: Seconds that a tool runs before its filler is said.
    """

    ahead: int = 3
    longest: int = 220
    filler_after: float = 0.3

    def __post_init__(self) -> None:
        for name, low, high, unit in (("ahead", 1, 16, "clauses"), ("longest", 40, 2_000, "")):
            _within("Speech", name, getattr(self, name), low, high, unit)
            if not isinstance(getattr(self, name), int):
                raise OptionError(f"Speech({name}={getattr(self, name)}): must be a whole number")
        _within("Speech", "filler_after", self.filler_after, 0, 15, "s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What bounds a call.

    Attributes:
        tool_rounds: How many times in one reply the model may call tools before it must speak.
        reply: How long one reply may be, in characters; it ends with the sentence in which it
            gets there, and what the model writes behind that is not waited for. 4,000 are about
            four minutes of speech.
        history_tokens: How much of a long call the model is sent, at most, in tokens (about);
            the beginning is left out first, what was remembered never.
        history_turns: How many of the caller's last turns are sent, at most.
        call: The longest call (s).
        lifespan: How long each part of `@agent.lifespan` may take (s).
        on_failure: What happens when a model server stays out of reach: the agent apologises,
            and then the call goes on ("continue") or ends ("end").
        apology: What the agent says then; None is a sentence in the agent's language.
    """

    tool_rounds: int = 5
    reply: int = 4_000
    history_tokens: int = 16_000
    history_turns: int = 200
    call: float = 3600.0
    lifespan: float = 15.0
    on_failure: Literal["continue", "end"] = "continue"
    apology: str | None = None

    def __post_init__(self) -> None:
        _within("Limits", "tool_rounds", self.tool_rounds, 0, 50, "rounds")
        if not isinstance(self.tool_rounds, int):
            raise OptionError(f"Limits(tool_rounds={self.tool_rounds}): must be a whole number")
        _within("Limits", "reply", self.reply, 100, 1_000_000, "characters")
        _within("Limits", "history_tokens", self.history_tokens, 200, 1_000_000, "tokens")
        _within("Limits", "history_turns", self.history_turns, 1, 100_000, "turns")
        _within("Limits", "lifespan", self.lifespan, 0.1, 300, "s")
        _within("Limits", "call", self.call, 1, 86_400, "s")
        if self.on_failure not in {"continue", "end"}:
            raise OptionError(f"Limits(on_failure={self.on_failure!r}): choose 'continue' or 'end'")
        apology: object = self.apology
        if apology is not None and not (isinstance(apology, str) and apology.strip()):
            raise OptionError(
                f"Limits(apology={apology!r}): give a sentence, or None for the usual one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is done when nobody says anything.

    Attributes:
        ask_after: Silence of both sides after which the agent asks whether the caller is still
            there (s), such as 15; None never asks and never hangs up.
        asks: How often it asks before it gives up.
        hang_up: Whether it says goodbye then and ends the call, after one more such silence.
        working: What the caller hears while a tool runs for long: "words" ("One moment, please."),
            a soft "tone", or "nothing".
        work_after: Silence with a tool at work after which that begins (s).
        work_again: And is repeated (s).
        still_there: The question, instead of one in the language of the call.
        one_moment: The words for a slow tool, likewise.
        goodbye: The last words, likewise.
    """

    ask_after: float | None = None
    asks: int = 2
    hang_up: bool = True
    working: Literal["words", "tone", "nothing"] = "words"
    work_after: float = 4.0
    work_again: float = 8.0
    still_there: str | None = None
    one_moment: str | None = None
    goodbye: str | None = None

    def __post_init__(self) -> None:
        if self.ask_after is not None:
            _within("Silence", "ask_after", self.ask_after, 1, 3600, "s")
        _within("Silence", "asks", self.asks, 0, 100, "times")
        _flag("Silence", "hang_up", self.hang_up)
        if self.working not in {"words", "tone", "nothing"}:
            raise OptionError(
                f"Silence(working={self.working!r}): choose 'words', 'tone' or 'nothing'"
            )
        _within("Silence", "work_after", self.work_after, 0.5, 600, "s")
        _within("Silence", "work_again", self.work_again, 0.5, 600, "s")
        for name in ("still_there", "one_moment", "goodbye"):
            text: object = getattr(self, name)
            if text is not None and not (isinstance(text, str) and text.strip()):
                raise OptionError(
                    f"Silence({name}={text!r}): give a sentence, or None for the usual one"
                )
