"""What one API key gets: latencies, scripts and faults, and what was counted under it.

Faults and latencies hang on the key and not on the request, so that unmodified clients can
be tested against them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Stage = Literal["hear", "think", "speak"]
STAGES: tuple[Stage, ...] = ("hear", "think", "speak")

_LONGEST_KEPT = 65_536  # characters of one field
_KEPT_BODIES = 50  # last requests kept per key: a long benchmark must not grow


class ProfileError(ValueError):
    """A profile that makes no sense, with what to change."""


@dataclass(frozen=True)
class Latency:
    """When things happen; 0 is as soon as they can.

    Attributes:
        hear_final_ms: From a flush to its ``transcription.done``, at least.
        hear_delay_ms: How far scripted deltas come behind their words' audio; None takes the
            session's ``target_streaming_delay_ms``, or 480.
        hear_word_ms: Length of a scripted word in the audio.
        hear_idle_s: Silence of the client, audio being unflushed, that ends in error 3804.
        think_first_token_ms: From the request to the first word or tool call, at least.
        think_tokens_per_s: Pace of the words behind the first.
        speak_first_audio_ms: From the request to the first chunk of audio, at least.
        speak_realtime_factor: Seconds that a second of audio takes.
        speak_char_ms: Length of a character of a scripted tone.
        jitter_ms: How much later a final text, a word or a chunk of audio may come, at random:
            a network's jitter, which never changes the order.
    """

    hear_final_ms: float = 0
    hear_delay_ms: float | None = None
    hear_word_ms: float = 300
    hear_idle_s: float = 30
    think_first_token_ms: float = 0
    think_tokens_per_s: float = 0
    speak_first_audio_ms: float = 0
    speak_realtime_factor: float = 0
    speak_char_ms: float = 60
    jitter_ms: float = 0


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


Done = Literal["after", "before", "none"]


@dataclass(frozen=True)
class TurnPlan:
    """How Voxtral 3's turn events come; only where the session asks for them.

    Attributes:
        done: Whether the end of a turn brings a ``transcription.done`` that nobody asked for,
            and on which side of ``turn.end``. Which it is in reality is not established.
        eager_end_ms: Scripted ears: from the last voiced sample to ``turn.eager_end``, in audio.
        end_ms: Likewise to ``turn.end``; None takes the session's ``min_silence_ms``.
    """

    done: Done = "after"
    eager_end_ms: float = 150
    end_ms: float | None = None


# kind -> the stages it exists for.
FAULTS: dict[str, tuple[Stage, ...]] = {
    "status": STAGES,
    "slow": STAGES,
    "stall": STAGES,
    "reset": STAGES,
    "close": STAGES,
    "error": STAGES,
    "empty": STAGES,
    "lost_done": ("hear",),
    "cumulative": ("hear",),
    "rut": ("hear",),
    "full": ("hear",),
    "split_bytes": ("hear", "think"),
    "object_arguments": ("think",),
    "split_arguments": ("think",),
    "text_before_call": ("think",),
    "no_call_ids": ("think",),
    "foreign_ids": ("think",),
    "same_index": ("think",),
    "content_chunks": ("think",),
    "usage_last": ("think",),
    "usage_names": ("think",),
    "finish_error": ("think",),
    "no_done": ("think", "speak"),
    "odd_chunks": ("speak",),
    "one_chunk": ("speak",),
    "no_usage": ("speak",),
    "garbage": STAGES,
    "cut": STAGES,
    "page": STAGES,
    "huge": STAGES,
    "trickle": ("think", "speak"),
    "endless": ("think", "speak"),
    "octave": ("speak",),
}
_HEAR_POINTS = ("open", "delta", "done", "audio")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Kinds: ``status`` (an HTTP answer of ``status``, with ``Retry-After: retry_after``), ``slow``
    (``ms`` more before the first byte), ``stall`` (no more answers, the connection stays open),
    ``reset`` (the TCP connection is reset), ``close`` (hearing: close frame ``code``; else the
    connection ends early), ``error`` (an error event, or an error in the SSE stream), ``empty``
    (no text, no audio), ``lost_done`` (one final never comes), ``cumulative`` (a final text of all
    that the session has heard), ``rut`` (nothing is written from there on, whatever is said),
    ``full`` (vLLM: the model's context ends), ``split_bytes`` (multibyte text cut between two
    packets), ``object_arguments``, ``split_arguments``, ``text_before_call``,
    ``no_call_ids``, ``foreign_ids``, ``same_index`` (shapes of tool calls), ``content_chunks``
    (text as a list), ``usage_last`` (in a chunk without choices), ``usage_names`` (input and
    output tokens), ``finish_error`` (the last chunk's reason), ``no_done`` (no ``[DONE]``,
    no end of speech), ``odd_chunks`` (lengths that cut a sample), ``one_chunk`` (all audio at
    once), ``no_usage`` (an end without what it cost), ``garbage`` (a message that is no JSON),
    ``cut`` (the connection ends within a message), ``page`` (a web page with status 200, as a
    proxy in between answers), ``huge`` (a message of 8 MiB), ``trickle`` (a byte every ``ms``),
    ``endless`` (the same piece again and again), ``octave`` (twice the sample rate).

    Attributes:
        on: Which ones it strikes, counted from 1 per key: utterances (hearing; at ``open`` and
            ``audio``: connections) or requests. Empty: all.
        at: Hearing only: ``open`` (the handshake), ``delta`` (the utterance's first), ``done``
            (its final) or ``audio`` (once ``after`` seconds of it came over the connection).
        after: Thinking and speaking: how many chunks go out first.
        status: HTTP status of ``status``.
        retry_after: Seconds, as a header with it.
        ms: How long ``slow`` waits.
        code: Close code of ``close``, or error code of ``error``.
        message: What the error says.
    """

    kind: str
    on: tuple[int, ...] = ()
    at: str = "done"
    after: float = 0
    status: int = 500
    retry_after: float | None = None
    ms: float = 1000
    code: int = 0
    message: str = "Injected by the sandbox."

    def strikes(self, number: int) -> bool:
        """Whether it strikes utterance, connection or request ``number``."""
        return not self.on or number in self.on


def _fields(what: str, cls: type, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ProfileError(f"{what} must be an object, not {type(given).__name__}")
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ProfileError(
            f"{what}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}"
        )
    return dict(given)


def _latency(given: Any) -> Latency:
    fields = _fields("latency", Latency, given)
    for name, value in fields.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None and name == "hear_delay_ms":
            continue
        if not number or not math.isfinite(value) or value < 0:
            raise ProfileError(f"latency.{name} must be a number of at least 0, not {value!r}")
    return Latency(**fields)


def _turns(given: Any) -> TurnPlan:
    fields = _fields("turns", TurnPlan, given)
    if fields.get("done", "after") not in get_args(Done):
        raise ProfileError(f"turns.done must be one of {', '.join(get_args(Done))}")
    for name in ("eager_end_ms", "end_ms"):
        value = fields.get(name, 0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None and name == "end_ms":
            continue
        if not number or not math.isfinite(value) or value < 0:
            raise ProfileError(f"turns.{name} must be a number of at least 0, not {value!r}")
    return TurnPlan(**fields)


def _script(given: Any) -> Script:
    fields = _fields("script", Script, given)
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
    fields = _fields("script.hearing", Lines, given)
    if not isinstance(fields.get("hear"), list):
        raise ProfileError("script.hearing.hear must be a list as script.hear is")
    language = fields.get("language")
    if language is not None and not isinstance(language, str):
        raise ProfileError(f'script.hearing.language must be a code such as "fr", not {language!r}')
    hear = tuple(_words(one) for one in fields["hear"])
    return Lines(hear, language, _numbers("script.hearing.on", fields.get("on", ())))


def _numbers(what: str, given: Any) -> tuple[int, ...]:
    """Read which ones are meant: a number from 1, or several."""
    numbers = (given,) if isinstance(given, int) else given
    if not isinstance(numbers, Iterable) or not all(type(n) is int and n > 0 for n in numbers):
        raise ProfileError(f"{what} must be numbers from 1, not {given!r}")
    return tuple(numbers)


def _words(given: Any) -> Words:
    if isinstance(given, str):
        return tuple((word, None) for word in given.split())
    words: list[tuple[str, float | None]] = []
    last = 0.0
    for pair in given if isinstance(given, list) else [given]:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ProfileError(f"script.hear: {pair!r} is neither a text nor a [word, end] pair")
        end = pair[1]
        number = isinstance(end, int | float) and not isinstance(end, bool)
        if not number or not math.isfinite(end) or end < last:
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


def _fault(stage: Stage, given: Any) -> Fault:
    fields = _fields(f"faults.{stage}", Fault, given)
    kind = fields.get("kind")
    if not isinstance(kind, str) or stage not in FAULTS.get(kind, ()):
        known = [name for name, stages in FAULTS.items() if stage in stages]
        raise ProfileError(f"faults.{stage}: unknown kind {kind!r}; known: {', '.join(known)}")
    fields["on"] = _numbers(f"faults.{stage}.on", fields.get("on", ()))
    if kind in {"status", "slow", "page"} and stage == "hear":
        fields.setdefault("at", "open")
    if kind in {"rut", "full"}:
        fields.setdefault("at", "audio")
    if fields.get("at", "done") not in _HEAR_POINTS:
        raise ProfileError(f"faults.{stage}.at must be one of {', '.join(_HEAR_POINTS)}")
    if kind in {"status", "page"} and fields.get("at", "open") != "open" and stage == "hear":
        raise ProfileError(f"faults.hear: a {kind} can only be given at open")
    for name, least, most in (("after", 0, 10**6), ("ms", 0, 10**6), ("status", 400, 599)):
        value = fields.get(name, least)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not least <= value <= most
        ):
            raise ProfileError(f"faults.{stage}.{name} must be {least}-{most}, not {value!r}")
    return Fault(**fields)


def _shortened(value: Any) -> Any:
    """Put a voice sample's length and digest in its place: fifty of them would be a gigabyte."""
    if isinstance(value, str) and len(value) > _LONGEST_KEPT:
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"<{len(value)} characters, SHA-256 {digest[:16]}>"
    return value


@dataclass
class Counters:
    """What happened under a key."""

    connections: int = 0  # hearing sockets opened
    speech_connections: int = 0
    requests: dict[str, int] = field(default_factory=dict)  # per endpoint
    turns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    heard_s: float = 0.0  # seconds of audio received
    spoken_s: float = 0.0  # seconds of audio sent
    texts: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT_BODIES))
    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT_BODIES))


@dataclass
class Profile:
    """One key, and everything about it."""

    key: str
    latency: Latency = field(default_factory=Latency)
    script: Script = field(default_factory=Script)
    faults: dict[Stage, tuple[Fault, ...]] = field(default_factory=dict)
    turns: TurnPlan = field(default_factory=TurnPlan)
    counters: Counters = field(default_factory=Counters)
    revision: int = 0  # how often it was replaced
    _cursor: dict[Stage | int, int] = field(default_factory=dict)
    _dice: random.Random = field(default_factory=lambda: random.Random(1))

    @classmethod
    def parse(cls, key: str, given: Any) -> Profile:
        """Read the body of ``POST /sandbox/keys``.

        Raises:
            ProfileError: With what to change.
        """
        if not isinstance(given, Mapping):
            raise ProfileError("the body must be an object with latency, script, faults and turns")
        known = ("latency", "script", "faults", "turns")
        if unknown := sorted(set(given) - set(known)):
            raise ProfileError(f"unknown {', '.join(unknown)}; known: {', '.join(known)}")
        faults = given.get("faults") or {}
        if not isinstance(faults, Mapping) or set(faults) - set(STAGES):
            raise ProfileError(f"faults must be an object with {', '.join(STAGES)}")
        listed: dict[Stage, tuple[Fault, ...]] = {}
        for stage in STAGES:
            some = faults.get(stage) or []
            if not isinstance(some, list):
                raise ProfileError(f"faults.{stage} must be a list")
            listed[stage] = tuple(_fault(stage, one) for one in some)
        latency = _latency(given.get("latency") or {})
        script, turns = _script(given.get("script") or {}), _turns(given.get("turns") or {})
        return cls(key, latency, script, listed, turns)

    def become(self, other: Profile) -> None:
        """Take another's settings, its script from the start; keep what was counted."""
        self.latency, self.script, self.faults = other.latency, other.script, other.faults
        self.turns = other.turns
        self._cursor = {}
        self.revision += 1

    def late(self) -> float:
        """Give how much later than it should the next thing goes out (s)."""
        return self._dice.uniform(0, self.latency.jitter_ms) / 1000

    def begin(self, stage: Stage) -> int:
        """Count an utterance or request; give its number, from 1."""
        self.counters.turns[stage] += 1
        return self.counters.turns[stage]

    def request(self, endpoint: str, body: dict[str, Any] | None = None) -> None:
        """Count a request to an endpoint and keep its body."""
        self.counters.requests[endpoint] = self.counters.requests.get(endpoint, 0) + 1
        if body is not None:
            kept = {name: _shortened(value) for name, value in body.items()}
            self.counters.bodies.append({"endpoint": endpoint, "body": kept})

    def fault(self, stage: Stage, number: int, *kinds: str, at: str | None = None) -> Fault | None:
        """Give the first fault of these kinds (any, when none is named) that strikes."""
        for fault in self.faults.get(stage, ()):
            if kinds and fault.kind not in kinds:
                continue
            if (at is None or fault.at == at) and fault.strikes(number):
                return fault
        return None

    def lines(self, connection: int, language: str | None) -> int | None:
        """Give the place in ``script.hearing`` of what a session hears; None where none fits."""
        for place, lines in enumerate(self.script.hearing):
            spoken = lines.language is None or lines.language == language
            if spoken and (not lines.on or connection in lines.on):
                return place
        return None

    def utterances(self, lines: int | None = None) -> tuple[Words, ...]:
        """Give all that is scripted to be heard: in general, or by some sessions (a place)."""
        if lines is None:
            return self.script.hear or ()
        # Another script may have come meanwhile, with fewer of them.
        return self.script.hearing[lines].hear if lines < len(self.script.hearing) else ()

    def next_words(self, lines: int | None = None) -> Words:
        """Give the next scripted utterance; none behind the last."""
        which: Stage | int = "hear" if lines is None else lines
        n = self._cursor.get(which, 0)
        self._cursor[which] = n + 1
        utterances = self.utterances(lines)
        return utterances[n] if n < len(utterances) else ()

    def next_heard(self) -> str:
        """Give the next scripted utterance as text; ``""`` behind the last."""
        return " ".join(word for word, _end in self.next_words())

    def next_thought(self, asked: str = "") -> tuple[str, list[tuple[str, dict[str, Any]]]] | None:
        """Give the next scripted answer, or the one to what is asked; None where there is none."""
        n = self._cursor.get("think", 0)
        self._cursor["think"] = n + 1
        if n < len(self.script.think):
            return answer_of(self.script.think[n])
        fits = (answer for words, answer in self.script.answers if words in asked.lower())
        return None if (answer := next(fits, None)) is None else answer_of(answer)

    def report(self) -> dict[str, Any]:
        """Give the counters as JSON-able data."""
        report = dataclasses.asdict(self.counters)
        report["texts"] = list(self.counters.texts)
        report["bodies"] = list(self.counters.bodies)
        return report
