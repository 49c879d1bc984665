"""Learn what tells voices apart: writes pipelines/interpret/who.json.

python -m benchmarks.interpret.learn [--people FOLDER] [--judge]

FOLDER holds recordings of people, WAV at 16 kHz, one name for each (`anna-1.wav`, `anna-2.wav`).
`--judge` learns from every other voice only, tells how well the rest are told apart, and writes
nothing.
"""

import argparse
import functools
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.interpret import people as made
from benchmarks.interpret.people import RATE, Person, Synthesiser, talk
from vivavoce.pipelines.interpret import quality, who
from vivavoce.pipelines.interpret.quality import Analyser, Float32

SIZES = (0.84, 0.92, 1.0, 1.09, 1.19)
DIRECTIONS = 10
WIDE, NARROW = (0, 1, 3), (2,)  # of the conditions
HIDDEN = 16
Key = tuple[str, str, float]  # an engine, its name for somebody, and how large
FILE = Path(who.__file__).with_name("who.json")


def conditions(sound: made.Sound, random: np.random.Generator) -> list[made.Sound]:
    """The same talk as microphones, rooms and lines give it."""
    return [
        sound,
        made.add(sound, made.pink(len(sound), random), random.uniform(18, 30)),
        made.band(sound, 300, 3_400),
        made.reverb(sound, random, 0.3, 6),
    ]


def table_of(sound: made.Sound, random: np.random.Generator) -> Float32:
    return Analyser().feed(made.pcm(sound, random))[0]


class Voices:
    """Everybody's talk, and its frames in each condition."""

    def __init__(self, folder: Path | None, random: np.random.Generator) -> None:
        self.sounds: dict[Key, made.Sound] = {}
        with Synthesiser(folder) as synthesiser:
            for each in made.people():
                key = (each.engine, each.name, each.size)
                self.sounds[key] = talk(synthesiser, each, 18, random)
            found = sorted(folder.glob("*-*.wav")) if folder else []
            for name in sorted({path.stem.rsplit("-", 1)[0] for path in found}):
                for size in SIZES:
                    sound = synthesiser.recorded(Person("recorded", name, size=size)) / 32_768
                    self.sounds["recorded", name, size] = sound
        self.tables = {
            key: [table_of(each, random) for each in conditions(sound, random)]
            for key, sound in self.sounds.items()
        }

    def some(self, part: int) -> list[Key]:
        """Everybody, or one of two parts (0, 1); of few people recorded, the last alone is 1."""
        if part < 0:
            return list(self.sounds)
        out = []
        for kind in dict.fromkeys(key[0] for key in self.sounds):
            names = sorted({key[1] for key in self.sounds if key[0] == kind})
            chosen = names[part::2]
            if kind == "recorded":
                chosen = names if part else names[1:]  # who is known speaks with who is not
            out += [key for key in self.sounds if key[0] == kind and key[1] in chosen]
        return out


def axes(voices: Voices, some: list[Key], *, narrow: bool) -> Float32:
    """Directions in which people differ more than one of them from word to word."""
    within = between = 0.0
    kinds = sorted({key[0] for key in some})
    for kind in kinds:
        spread, middles, count = 0.0, [], 0
        for key in (each for each in some if each[0] == kind):
            for table in (voices.tables[key][at] for at in (NARROW if narrow else WIDE)):
                told = who.features(table, narrow=narrow)[who.voiced(table)]
                found = who.pieces(told, step=who.PIECE * 3 // 4)
                if len(found) < 2:
                    continue
                middles.append(found.mean(axis=0))
                spread = spread + (found - middles[-1]).T @ (found - middles[-1])
                count += len(found)
        within = within + spread / count / len(kinds)
        between = between + np.cov(np.array(middles).T) / len(kinds)
    within = within + 0.1 * np.diag(np.diag(within))
    root = np.linalg.cholesky(np.linalg.inv(within))
    values, turned = np.linalg.eigh(root.T @ between @ root)
    order = np.argsort(values)[::-1][:DIRECTIONS]
    print("directions, between by within:", np.round(values[order], 1))
    return (root @ turned[:, order]).astype(np.float32)


def logistic(inputs: Float32, truth: Float32) -> tuple[Float32, Float32, Float32]:
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    whole = np.column_stack([(inputs - middle) / spread, np.ones(len(inputs))])
    weights = np.zeros(whole.shape[1])
    for _ in range(40):
        odds = 1 / (1 + np.exp(-whole @ weights))
        slope = whole.T @ (odds - truth) / len(truth) + 1e-3 * weights
        bend = (whole * (odds * (1 - odds))[:, None]).T @ whole / len(truth)
        weights = weights - np.linalg.solve(bend + 1e-3 * np.eye(len(weights)), slope)
    return middle.astype(np.float32), spread.astype(np.float32), weights.astype(np.float32)


def network(inputs: Float32, truth: Float32, seed: int = 0) -> list[Float32]:
    """Two layers, learnt by Adam; both outcomes weigh the same."""
    random = np.random.default_rng(seed)
    middle, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    scaled = ((inputs - middle) / spread).astype(np.float32)
    size = scaled.shape[1]
    weights = [
        random.normal(size=(size, HIDDEN)) / np.sqrt(size),
        np.zeros(HIDDEN),
        random.normal(size=HIDDEN) / np.sqrt(HIDDEN),
        np.zeros(1),
    ]
    first, second = [0 * each for each in weights], [0 * each for each in weights]
    share = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    step, epochs = 0, 10
    for epoch in range(epochs):
        rate = 1.5e-3 * (1 + np.cos(np.pi * epoch / epochs))
        order = random.permutation(len(truth))
        for start in range(0, len(order), 256):
            at = order[start : start + 256]
            hidden = np.tanh(scaled[at] @ weights[0] + weights[1])
            out = hidden @ weights[2] + weights[3]
            wrong = (1 / (1 + np.exp(-out)) - truth[at]) * share[at] / len(at)
            back = wrong[:, None] * weights[2] * (1 - hidden**2)
            slopes = [
                scaled[at].T @ back + 1e-4 * weights[0],
                back.sum(axis=0),
                hidden.T @ wrong + 1e-4 * weights[2],
                wrong.sum()[None],
            ]
            step += 1
            for index, slope in enumerate(slopes):
                first[index] = 0.9 * first[index] + 0.1 * slope
                second[index] = 0.999 * second[index] + 0.001 * slope**2
                weights[index] = weights[index] - rate * (first[index] / (1 - 0.9**step)) / (
                    np.sqrt(second[index] / (1 - 0.999**step)) + 1e-8
                )
    return [each.astype(np.float32) for each in (middle, spread, *weights)]


def pair(some: list[Key], turn: int, random: np.random.Generator) -> tuple[Key, Key]:
    """Two different people of one kind."""
    kinds = sorted({key[0] for key in some})
    kind = kinds[turn % len(kinds)]
    those = [key for key in some if key[0] == kind]
    while True:
        one, other = (those[random.integers(0, len(those))] for _ in range(2))
        if one[1] != other[1]:
            return one, other


def cut(sound: made.Sound, seconds: float, random: np.random.Generator) -> made.Sound:
    count = int(seconds * RATE)
    start = random.integers(0, max(1, len(sound) - count))
    return sound[start : start + count]


def at_once(
    voices: Voices, some: list[Key], count: int, random: np.random.Generator
) -> list[tuple[str, int, Float32, np.ndarray, np.ndarray]]:
    """Talks of one person and of two at once: (kind, people, frames, where both, where loud)."""
    out = []
    for turn in range(count):
        one, other = pair(some, turn, random)
        first, second = (cut(voices.sounds[each], 5, random) for each in (one, other))
        size = min(len(first), len(second))
        first, second = first[:size], second[:size]
        scale = np.sqrt(made.power(first) / made.power(second)) * 10 ** (random.uniform(-6, 6) / 20)
        second = second * scale
        choice = random.integers(0, 4)
        for people in (1, 2):
            whole = first if people == 1 else first + second
            if choice == 1:
                whole = made.add(whole, made.pink(size, random), random.uniform(18, 35))
            elif choice == 2:
                whole = made.reverb(whole, random, 0.3, 6)
            elif choice == 3:
                whole = made.band(whole, 300, 3_400)
            whole = whole / np.abs(whole).max() * random.uniform(0.05, 0.7)
            table = table_of(whole, random)
            loud = table[:, quality.POWER] > np.percentile(table[:, quality.POWER], 95) - 22
            where = loud & (table[:, quality.VOICING] > 0.3)
            if people == 2:
                alone = [table_of(each, random) for each in (first, second)]
                levels = [each[:, quality.POWER] for each in alone]
                where = loud & (np.abs(levels[0] - levels[1]) < 12)
                for each in alone:
                    where &= each[:, quality.VOICING] > quality.VOICED
            out.append((one[0], people, table, where, loud))
    return out


def overlap(talks: list) -> list[Float32]:
    inputs = np.concatenate([who.around(who.hints(t))[at] for _, _, t, at, _ in talks])
    truth = np.concatenate([np.full(at.sum(), people - 1) for _, people, _, at, _ in talks])
    return network(inputs, truth)


def turns(
    voices: Voices,
    some: list[Key],
    directions: Float32,
    count: int,
    random: np.random.Generator,
    *,
    narrow: bool,
) -> list[tuple[str, int, Float32]]:
    """Stretches of one person, and of two in turns: (kind, people, marks)."""
    out = []
    for turn in range(count):
        one, other = pair(some, turn, random)
        frames = int(random.uniform(4, 12) * quality.PER_SECOND)
        condition = random.choice(NARROW if narrow else WIDE)
        for people in (1, 2):
            if people == 1:
                lengths = [frames]
            elif turn // 3 % 2:  # in turns
                lengths = shares(frames, random)
            else:  # a few words of somebody else at an end
                few = int(random.uniform(1.0, 2.5) * quality.PER_SECOND)
                lengths = [frames - few, few] if random.random() < 0.5 else [few, frames - few]
            parts: list[Float32] = []
            for number, length in enumerate(lengths):
                whole = voices.tables[(one, other)[number % 2]][condition]
                start = random.integers(0, max(1, len(whole) - length))
                parts.append(whole[start : start + length])
            table = np.concatenate(parts)
            told = who.features(table, narrow=narrow)[who.voiced(table)]
            found = who.marks(who.pieces(told) @ directions)
            if found is not None:
                out.append((one[0], people, found))
    return out


def shares(frames: int, random: np.random.Generator) -> list[int]:
    """Cut a stretch into turns of 1.3 to 4 s."""
    turn = int(random.uniform(1.3, 4) * quality.PER_SECOND)
    count = max(2, round(frames / turn))
    return [frames // count] * count


def equal(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Where as many of one are taken for two as the other way round: (error rate, threshold)."""
    at = np.sort(np.concatenate([one, two]))
    wrong = [((one > each).mean(), (two <= each).mean()) for each in at]
    index = int(np.argmin([abs(a - b) for a, b in wrong]))
    return float(np.mean(wrong[index])), float(at[index])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=Path)
    parser.add_argument("--judge", action="store_true")
    given = parser.parse_args()
    random = np.random.default_rng(11)
    voices = Voices(given.people, random)
    learning = voices.some(0 if given.judge else -1)
    judging = voices.some(1 if given.judge else -1)
    print(f"{len(voices.sounds)} voices, learning from {len(learning)}, judged by {len(judging)}")
    told = {}
    for name in ("wide", "narrow"):
        narrow = name == "narrow"
        directions = axes(voices, learning, narrow=narrow)
        taking = turns(voices, learning, directions, 1_500, random, narrow=narrow)
        truth = np.array([people - 1 for _, people, _ in taking], np.float32)
        marks = logistic(np.array([found for *_, found in taking]), truth)
        told[name] = {
            "directions": np.round(directions.astype(float), 5).tolist(),
            "marks": [np.round(each.astype(float), 4).tolist() for each in marks],
        }
        middle, spread, weights = marks
        fresh = turns(voices, judging, directions, 600, random, narrow=narrow)
        for kind in sorted({key[0] for key in judging}):
            odds = [
                np.array(
                    [
                        ((found - middle) / spread) @ weights[:-1] + weights[-1]
                        for each, of, found in fresh
                        if (each, of) == (kind, people)
                    ]
                )
                for people in (1, 2)
            ]
            rate, at = equal(*odds)
            false, missed = (odds[0] > 0).mean(), (odds[1] <= 0).mean()
            print(
                f"{name:7}{kind:10} in turns: {rate:.1%} wrong at {at:+.2f};"
                f" at 0: one taken for two {false:.1%}, two for one {missed:.1%}"
            )
    told["overlap"] = [
        np.round(each.astype(float), 4).tolist()
        for each in overlap(at_once(voices, learning, 420, random))
    ]
    text = json.dumps(told)
    if not given.judge:
        FILE.write_text(text + "\n", "utf-8")
        print(f"{FILE.name}: {len(text) / 1000:.0f} kB")
    who.learnt = functools.cache(lambda: who.Learnt.of(json.loads(text)))
    talks = at_once(voices, judging, 150, random)
    for kind in sorted({key[0] for key in judging}):
        for level in (1.0, 2.0, 3.0):
            shares = [
                np.array(
                    [
                        np.mean(who.overlap(table)[loud] > level)
                        for each, of, table, _, loud in talks
                        if (each, of) == (kind, people)
                    ]
                )
                for people in (1, 2)
            ]
            rate, at = equal(*shares)
            print(f"{kind:10} at once, frames above {level:g}: {rate:.1%} wrong at {at:.3f}")


if __name__ == "__main__":
    main()
