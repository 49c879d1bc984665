"""What is measured on a recording. Pure: samples and texts in, figures out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vivavoce.pipelines.turns.playout import AUDIBLE

Samples = NDArray[np.int16]

FADE = 0.02
"""Seconds around a fade that may differ in shape: the fade itself and its rounding."""
WINDOW = 0.005
"""Seconds within which a gain counts as steady, or as a straight ramp."""


def spoken(text: str) -> list[str]:
    """Return a text's words as they are compared: lower case, without punctuation."""
    return [
        bare
        for word in text.lower().replace("’", "'").split()
        if (bare := re.sub(r"[^\w']", "", word))
    ]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def reach(reply: str, transcribed: str) -> int:
    """Return how many words of a reply a transcription of its beginning holds.

    The transcriber mishears words, joins and splits them, so the beginning of the reply that is
    most like the whole transcription is looked for (edit distance; two words differ by how many
    of their letters do).
    """
    words, said = spoken(reply), spoken(transcribed)
    row = [float(n) for n in range(len(words) + 1)]
    for index, one in enumerate(said):
        above, row = row, [float(index + 1)]
        for place, other in enumerate(words):
            change = above[place] + 1.2 * (1 - _likeness(one, other))
            row.append(min(change, above[place + 1] + 1, row[place] + 1))
    return int(np.argmin(row))


def prefix(reply: str, transcribed: str) -> int:
    """Return how many words of a reply sound most like all of a transcription.

    Unlike `reach`, letters count and not words: where a word is cut, or split in two, the
    recogniser may write something that merely sounds like it.
    """
    words, said = spoken(reply), "".join(spoken(transcribed))
    likeness = [_likeness(said, "".join(words[:count])) for count in range(len(words) + 1)]
    return likeness.index(max(likeness)) if said else 0


def reaction(agent: Samples, began: int, rate: int) -> float:
    """Return how long a reply still sounds from a sample on (s).

    Args:
        agent: The agent's side of a recording (int16). The next reply comes after half a second
            of silence: what sounds before is the one that was cut.
        began: The caller's first audible sample.
        rate: Hz.
    """
    rest = agent[began:]
    gaps = pauses(rest, rate, 0.5)
    last = gaps[0][0] if gaps else len(rest)
    loud = np.flatnonzero(np.abs(rest[:last].astype(np.int32)) >= AUDIBLE)
    return (int(loud[-1]) + 1) / rate if len(loud) else 0.0


def reactions(values: list[float]) -> dict[str, object]:
    """Return the figures of many reactions (s), in ms; None where there are none."""
    return {
        f"reaction_p{share}_ms": round(percentile(values, share) * 1000, 1) if values else None
        for share in (50, 90, 95)
    }


def onset(samples: Samples, start: int = 0) -> int | None:
    """Return the first audible sample from `start` on."""
    loud = np.flatnonzero(np.abs(samples[start:].astype(np.int32)) >= AUDIBLE)
    return start + int(loud[0]) if len(loud) else None


def pauses(samples: Samples, rate: int, least: float) -> list[tuple[int, int]]:
    """Return stretches of exact silence within the sound, of at least `least` seconds."""
    sound = np.flatnonzero(samples)
    gaps = np.flatnonzero(np.diff(sound) > least * rate)
    return [(int(sound[gap]) + 1, int(sound[gap + 1])) for gap in gaps]


@dataclass(frozen=True)
class Match:
    """How a reply that was held compares with the same reply undisturbed.

    Attributes:
        whole: No sample is lost or doubled.
        pause: How long it was silent in between (s).
        resumed: Where it goes on, as a sample of the recording; None if it was not silent.
        altered: Seconds of it that sounded different: lowered or faded.
        why: What is wrong if it is not whole.
    """

    whole: bool
    pause: float = 0.0
    resumed: int | None = None
    altered: float = 0.0
    why: str = ""


def compare(held: Samples, plain: Samples, rate: int) -> Match:
    """Compare a reply that may have been lowered and held with the undisturbed one.

    From its first sample on and from its last sample back, both have to be the same; what lies
    between has to be the same up to a gain of at most 1 that changes slowly, on either side of
    the silence.

    Args:
        held: The agent's side of the recording with the disturbance (int16).
        plain: The undisturbed one (int16).
        rate: Of both (Hz).
    """
    one, begin = _trimmed(held)
    other, _ = _trimmed(plain)
    if not len(one) or not len(other):
        return Match(whole=False, why="silence")
    extra = len(one) - len(other)
    if -FADE * rate < extra < 0:
        # Its last, faint samples were lowered to nothing.
        one, extra = np.pad(one, (0, -extra)), 0
    if extra < 0:
        return Match(whole=False, why=f"{-extra / rate * 1000:.0f} ms are missing")
    same = one[: len(other)] == other
    before = len(other) if same.all() else int(np.argmin(same))
    if before == len(other) and not extra:
        return Match(whole=True)
    back = one[-len(other) :][::-1] == other[::-1]
    behind = len(other) if back.all() else int(np.argmin(back))
    altered = (len(other) - before - behind) / rate
    resumed = None
    cut = min(before, len(other))
    if extra:
        # The reply's own pauses are silent, too: the place is where both sides fit best.
        place = _silence(one, other, extra, max(0, before - 1), len(other) - behind, rate)
        if place is None:
            twice = _twice(one, other, extra, before, len(other) - behind, rate)
            if twice is not None:
                return Match(whole=True, pause=extra / rate, resumed=begin + twice, altered=altered)
            why = f"{extra / rate * 1000:.0f} ms too long, and not by one silence or two"
            return Match(whole=False, why=why)
        resumed, cut = begin + place + extra, place
    joined = np.concatenate([one[:cut], one[cut + extra :]]) if extra else one
    wrong = _not_a_gain(joined, other, before, len(other) - behind, (cut,) if extra else (), rate)
    if wrong is not None:
        why = f"other samples at {wrong / rate:.3f} s"
        return Match(whole=False, pause=extra / rate, resumed=resumed, altered=altered, why=why)
    return Match(whole=True, pause=extra / rate, resumed=resumed, altered=max(0.0, altered))


def _trimmed(samples: Samples) -> tuple[Samples, int]:
    sound = np.flatnonzero(samples)
    if not len(sound):
        return samples[:0], 0
    return samples[sound[0] : sound[-1] + 1], int(sound[0])


def _silence(
    one: Samples, other: Samples, extra: int, low: int, high: int, rate: int
) -> int | None:
    """Return where `extra` samples of silence were put in."""
    silent = np.concatenate([[0], np.cumsum(one != 0)])
    fade = round(FADE * rate)
    low, high = max(0, low - fade), min(len(other), high + fade)
    places = np.arange(low, high + 1)
    places = places[silent[places + extra] == silent[places]]
    if not len(places):
        return None
    # Among neighbours that all are silent it makes no difference which one is taken.
    fits = [
        int(
            np.abs(
                one[at + extra : at + extra + fade].astype(np.int32)
                - other[at : at + fade][: len(one) - at - extra]
            ).sum()
        )
        for at in places[:: max(1, len(places) // 64)]
    ]
    return int(places[:: max(1, len(places) // 64)][int(np.argmin(fits))])


def _twice(one: Samples, other: Samples, extra: int, low: int, high: int, rate: int) -> int | None:
    """Return where it goes on if it was held twice and is whole; None if it is not."""
    gaps = pauses(one, rate, FADE / 2)
    fade = round(FADE * rate)
    for first, second in pairwise(gaps):
        # A fade's last samples are silent, too, so a silence is longer than what was put in.
        for less in range(fade):
            put = first[1] - first[0] - less
            rest = extra - put
            if not 0 < rest <= second[1] - second[0]:
                continue
            joined = np.concatenate(
                [one[: first[0]], one[first[0] + put : second[0]], one[second[0] + rest :]]
            )
            cuts = (first[0], second[0] - put)
            # What lies between the two may be all fades, and is not judged then.
            if _not_a_gain(joined, other, low, high, cuts, rate) is None:
                return second[1]
    return None


def _not_a_gain(
    one: Samples, other: Samples, low: int, high: int, cuts: tuple[int, ...], rate: int
) -> int | None:
    """Return the first window of `low` to `high` in which `one` is not `other` times a gain."""
    step, fade = round(WINDOW * rate), round(FADE * rate)
    for at in range(low, high, step):
        end = min(at + step, high)
        if any(at - fade <= cut <= end + fade for cut in cuts):
            continue
        a, b = one[at:end].astype(np.float64), other[at:end].astype(np.float64)
        slope = np.linspace(0, 1, len(b))
        basis = np.stack([b, b * slope], axis=1)
        fit, *_ = np.linalg.lstsq(basis, a, rcond=None)
        gain = np.array([fit[0], fit[0] + fit[1]])
        error = np.abs(a - basis @ fit).max()
        # Rounding to whole samples, once or twice, and a gain that turns within the window.
        loud = np.abs(b).max()
        if error > 4 + 0.15 * loud or (loud > 64 and (gain.max() > 1.05 or gain.min() < -0.05)):
            return at
    return None


def pieces(samples: Samples, rate: int, least: float = WINDOW) -> list[tuple[int, int]]:
    """Return the stretches of sound between silences of at least `least` seconds."""
    sound = np.flatnonzero(samples)
    if not len(sound):
        return []
    gaps = pauses(samples, rate, least)
    starts = [int(sound[0]), *(end for _, end in gaps)]
    ends = [*(start for start, _ in gaps), int(sound[-1]) + 1]
    return list(zip(starts, ends, strict=True))


def clicks(samples: Samples, rate: int, loudest: int = 500) -> list[int]:
    """Return the samples at which sound begins or ends with a jump.

    Args:
        samples: What was played (int16).
        rate: Hz.
        loudest: The largest jump from or to silence that is no click (of 32767).
    """
    found = []
    for start, end in pieces(samples, rate):
        if abs(int(samples[start])) > loudest:
            found.append(start)
        if abs(int(samples[end - 1])) > loudest:
            found.append(end - 1)
    return found


@dataclass(frozen=True)
class Order:
    """How speech that came with gaps compares with the same speech without.

    Attributes:
        gaps: Silences within it that the other does not have.
        silent: How long they are together (s).
        lost: Audible speech that is missing (s).
        doubled: Speech that was played again (s).
        strange: Pieces that are not of this speech, or not in this order.
    """

    gaps: int
    silent: float
    lost: float
    doubled: float
    strange: int


def align(played: Samples, whole: Samples, rate: int) -> Order:
    """Find each piece of what was played in the whole, by the samples in its middle.

    Args:
        played: With gaps (int16).
        whole: Without (int16).
        rate: Of both (Hz).
    """
    data, fade = whole.tobytes(), round(FADE * rate)
    gaps = lost = doubled = strange = 0
    silent = 0
    reached, last_end = None, 0
    for start, end in pieces(played, rate):
        size = min(240, end - start)
        middle = (start + end - size) // 2
        needle = played[middle : middle + size].tobytes()
        at = data.find(needle, 0 if reached is None else max(0, 2 * (reached - fade)))
        while at % 2 and at >= 0:
            at = data.find(needle, at + 1)
        if at < 0:
            # All of a piece that is as short as this may be a fade.
            strange += end - start > 3 * fade
            continue
        begin = at // 2 - (middle - start)
        if reached is not None:
            between = whole[reached:begin]
            audible = int((np.abs(between.astype(np.int32)) >= AUDIBLE).sum())
            lost += audible if audible > fade else 0
            doubled += max(0, reached - begin)
            more = (start - last_end) - (begin - reached)
            gaps += more > fade
            silent += more if more > fade else 0
        reached, last_end = begin + end - start, end
    return Order(gaps, silent / rate, lost / rate, doubled / rate, strange)


def percentile(values: list[float], share: float) -> float:
    """Return a percentile by the nearest rank; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share / 100 * len(ordered)) - 1))]
