"""Faults: what goes wrong under a key, on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vivavoce.sandbox.given import Given, ProfileError

Stage = Literal["hear", "think", "speak"]
STAGES: tuple[Stage, ...] = ("hear", "think", "speak")

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


def read_fault(stage: Stage, given: Any) -> Fault:
    """Read a fault of a stage.

    Raises:
        ProfileError: It makes no sense, or does not exist for that stage.
    """
    where = f"faults.{stage}"
    read = Given(where, Fault, given)
    fields = read.fields
    kind = fields.get("kind")
    if not isinstance(kind, str) or stage not in FAULTS.get(kind, ()):
        known = [name for name, stages in FAULTS.items() if stage in stages]
        raise ProfileError(f"{where}: unknown kind {kind!r}; known: {', '.join(known)}")
    fields["on"] = read.places("on")
    if kind in {"status", "slow", "page"} and stage == "hear":
        fields.setdefault("at", "open")
    if kind in {"rut", "full"}:
        fields.setdefault("at", "audio")
    if fields.get("at", "done") not in _HEAR_POINTS:
        raise ProfileError(f"{where}.at must be one of {', '.join(_HEAR_POINTS)}")
    if kind in {"status", "page"} and fields.get("at", "open") != "open" and stage == "hear":
        raise ProfileError(f"faults.hear: a {kind} can only be given at open")
    for name, least, most in (("after", 0, 10**6), ("ms", 0, 10**6), ("status", 400, 599)):
        read.within(name, least, most)
    return Fault(**fields)
