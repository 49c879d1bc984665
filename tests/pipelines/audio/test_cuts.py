"""Cutting: nothing lost, nothing too long, and only in pauses."""

import numpy as np
import pytest

from vivavoce.pipelines.audio.cuts import Cutter, Rule

RATE = 16_000


def talk(seed=1, count=40, loud=3000, quiet=20):
    """Stretches of noise with pauses between them; and which samples are pauses."""
    dice = np.random.default_rng(seed)
    parts, pauses = [], []
    for _ in range(count):
        for scale, seconds, pause in (
            (loud, dice.uniform(1, 6), False),
            (quiet, dice.uniform(0.3, 1.5), True),
        ):
            size = int(seconds * RATE)
            parts.append((dice.normal(size=size) * scale).astype(np.int16))
            pauses.append(np.full(size, pause))
    return np.concatenate(parts), np.concatenate(pauses)


def cut(samples, rule, sizes):
    """Return the pieces joined, and the length of each part."""
    cutter, pieces, start = Cutter(rule), [], 0
    dice = np.random.default_rng(7)
    while start < len(samples):
        size = int(dice.integers(1, sizes))
        pieces += cutter.push(samples[start : start + size])
        start += size
    pieces += cutter.close()
    assert pieces[-1].ends
    lengths, length = [], 0
    for piece in pieces:
        length += len(piece.samples)
        if piece.ends:
            lengths.append(length)
            length = 0
    return np.concatenate([piece.samples for piece in pieces]), lengths


RULES = [
    Rule(30, window=10),
    Rule(12, window=6),
    Rule(20, pause=0.4),
    Rule(25, window=12, pause=0.35, shortest=2),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", [1, 2])
def test_all_samples_come_in_parts_that_are_not_too_long(rule, seed):
    samples, pauses = talk(seed)
    joined, lengths = cut(samples, rule, 40_000)
    assert np.array_equal(joined, samples)
    assert max(lengths) <= rule.longest * RATE
    cuts = np.cumsum(lengths)[:-1]
    assert len(cuts)
    assert pauses[cuts].all()


def test_it_does_not_matter_how_the_samples_come():
    samples, _ = talk()
    for rule in RULES:
        assert cut(samples, rule, 300)[1] == cut(samples, rule, 200_000)[1]


def test_parts_are_as_long_as_they_may_be():
    samples, _ = talk()
    _, lengths = cut(samples, Rule(60, window=10), 40_000)
    assert all(length >= 50 * RATE for length in lengths[:-1])


def test_speech_without_a_pause_is_cut_where_it_is_quietest():
    samples = (np.random.default_rng(1).normal(size=60 * RATE) * 3000).astype(np.int16)
    samples[25 * RATE : 25 * RATE + RATE // 4] //= 8
    joined, lengths = cut(samples, Rule(30, window=10), 40_000)
    assert np.array_equal(joined, samples)
    assert lengths[0] == pytest.approx(25 * RATE + RATE // 8, abs=RATE // 8)


def test_a_noisy_line_has_pauses_too():
    samples, pauses = talk(loud=6000, quiet=400)
    _, lengths = cut(samples, Rule(30, window=12), 40_000)
    assert pauses[np.cumsum(lengths)[:-1]].all()


def test_silence_alone_is_not_cut_again_and_again():
    _, lengths = cut(np.zeros(50 * RATE, np.int16), Rule(20, pause=0.4), 40_000)
    assert len(lengths) <= 5


def test_what_is_held_is_bounded():
    cutter = Cutter(Rule(600, window=20))
    block = (np.random.default_rng(1).normal(size=RATE) * 3000).astype(np.int16)
    given = 0
    for second in range(1, 500):
        given += sum(len(piece.samples) for piece in cutter.push(block))
        assert second * RATE - given <= 21 * RATE


def test_nothing_is_no_part():
    assert Cutter(Rule(10)).close() == []
    with pytest.raises(ValueError, match="longest"):
        Rule(0)
