"""Average lagging and its relatives: the field's scores of one translated sentence. Pure.

They are those of SimulEval, number for number (Facebook Research, `SimulEval`, the file
`simuleval/evaluator/scorers/latency_scorer.py` of version 1.1.4): average lagging, its
length-adaptive form, average proportion, differentiable average lagging, and average token delay
for speech. A *delay* is when a word of the translation is there, on the clock of the source.

All times are seconds. SimulEval's are milliseconds, which changes nothing but the unit: every
score but the average proportion, which has none, is a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

TOKEN = 300
"""Milliseconds of speech that average token delay takes for one token, on both sides."""


class LaggingError(ValueError):
    """There is nothing to measure; the message says what is missing."""


def average_lagging(
    delays: Sequence[float], source: float, reference: int | None = None, *, adaptive: bool = False
) -> float:
    """Return AL, or LAAL, of one sentence (s).

    How far behind an ideal translation each word is that keeps pace with the speaker; words
    behind the first one that waited for the whole sentence do not count.

    Args:
        delays: When each word of the translation was there, since the sentence began (s).
        source: How long the sentence is (s).
        reference: How many words a right translation has; as many as there are if None.
        adaptive: LAAL: the longer one of translation and reference tells the pace.

    Raises:
        LaggingError: If there is no delay, or no length.
    """
    count = _check(delays, source, reference)
    if delays[0] > source:
        return delays[0]
    if adaptive:
        count = max(count, len(delays))
    step = source / count
    total = 0.0
    for number, delay in enumerate(delays):
        total += delay - number * step
        if delay >= source:
            break
    return total / (number + 1)


def average_proportion(
    delays: Sequence[float], source: float, reference: int | None = None
) -> float:
    """Return AP of one sentence: the mean share of it that was waited for.

    Arguments and errors are those of `average_lagging`.
    """
    return sum(delays) / (source * _check(delays, source, reference))


def differentiable_lagging(delays: Sequence[float], source: float) -> float:
    """Return DAL of one sentence (s): every word costs at least its share of the speaker's time.

    Arguments and errors are those of `average_lagging`.
    """
    step = source / _check(delays, source, None)
    total = 0.0
    last = -step
    for number, delay in enumerate(delays):
        last = max(delay, last + step) if number else delay
        total += last - number * step
    return total / len(delays)


def token_delay(delays: Sequence[float], durations: Sequence[float]) -> float:
    """Return ATD of one sentence of speech, translated into speech (s).

    Both sides are cut into tokens of 300 ms; the end of each of the translation's is compared
    with the end of the source's token that it can belong to. What is said is played behind what
    was said before it.

    Args:
        delays: How much of the source had been heard when each chunk of the translation was
            there (s).
        durations: How long each chunk is (s).

    Raises:
        LaggingError: If there is no chunk, or not as many durations.
    """
    if not delays or len(delays) != len(durations):
        raise LaggingError(
            f"token_delay() needs a duration for each delay: got {len(delays)} delays and"
            f" {len(durations)} durations"
        )
    # Whole milliseconds: a token more or less must not hang on the last bit.
    chunks: dict[int, int] = {}
    before = None
    for delay, duration in zip(delays, durations, strict=True):
        at = round(delay * 1000)
        if at in chunks and at != before:
            raise LaggingError("token_delay(): delays go back; give the chunks in their order")
        chunks[at] = chunks.get(at, 0) + round(duration * 1000)
        before = at
    sources: list[int] = [0]
    ends: list[int] = [0]
    for earlier, later in pairwise([0, *chunks]):
        tokens = _tokens(later - earlier)
        sources.append(len(tokens))
        for token in tokens:
            ends.append(ends[-1] + token)
    targets: list[int] = [0]
    total = count = 0
    clock = 0
    for number, (at, length) in enumerate(chunks.items(), 1):
        read = sum(sources[: number + 1])
        ahead = max(0, sum(targets[:number]) - sum(sources[:number]))
        tokens = _tokens(length)
        targets.append(len(tokens))
        for token in tokens:
            count += 1
            clock = max(at, clock) + token
            total += clock - ends[min(count - ahead, read)]
    if not count:
        raise LaggingError("token_delay(): no chunk is a millisecond long")
    return total / count / 1000


def _tokens(length: int) -> list[int]:
    whole, rest = divmod(length, TOKEN)
    return [TOKEN] * whole + ([rest] if rest else [])


def _check(delays: Sequence[float], source: float, reference: int | None) -> int:
    if not delays or source <= 0 or (reference is not None and reference < 1):
        raise LaggingError(
            "a score needs the delay of a word, a source that has a length and a reference with"
            f" words: got {len(delays)} delays, {source:g} s and {reference} words"
        )
    return len(delays) if reference is None else reference
