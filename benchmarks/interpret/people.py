"""Speech of many people, made on the spot, and what may go wrong with it.

espeak-ng (in a process of its own) and flite speak; a voice made larger or smaller is another one.
"""

import contextlib
import json
import struct
import subprocess
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soxr
from numpy.typing import NDArray

Int16 = NDArray[np.int16]
Sound = NDArray[np.float64]
RATE = 16_000

TEXTS = {
    "en-us": (
        "The quick brown fox jumps over the lazy dog, and then it goes home to sleep.",
        "I would like a table for four people tomorrow evening, close to the window if you can.",
        "We measured the distance twice, because nobody believed the first number.",
        "My grandmother kept bees behind the old school house, and every summer we had honey.",
        "Please remind me to call the garage about the brakes before the end of the week.",
        "There were three ships in the harbour that morning, none of them ours.",
        "He asked whether the museum was open, but the guide only shrugged and walked away.",
    ),
    "fr": (
        "Bonjour, je voudrais une table pour quatre personnes demain soir, près de la fenêtre.",
        "Ma grand-mère avait des abeilles derrière l'école, et chaque été il y avait du miel.",
        "Nous avons mesuré la distance deux fois, parce que personne ne croyait au résultat.",
        "Le train de huit heures est en retard, comme tous les lundis de cette année.",
        "Rappelle-moi d'appeler le garage à propos des freins avant la fin de la semaine.",
    ),
    "de": (
        "Guten Tag, ich hätte gern einen Tisch für vier Personen morgen Abend am Fenster.",
        "Meine Großmutter hatte Bienen hinter der alten Schule, und jeden Sommer gab es Honig.",
        "Wir haben die Entfernung zweimal gemessen, weil niemand der ersten Zahl glaubte.",
        "Der Zug um acht Uhr hat Verspätung, wie an jedem Montag in diesem Jahr.",
        "Drei Schiffe lagen an jenem Morgen im Hafen, aber keines davon gehörte uns.",
    ),
    "es": (
        "Buenos días, quisiera una mesa para cuatro personas mañana por la noche.",
        "Mi abuela tenía abejas detrás de la escuela, y cada verano comíamos miel.",
        "Medimos la distancia dos veces, porque nadie creía la primera cifra.",
        "El tren de las ocho llega tarde, como todos los lunes de este año.",
        "Aquella mañana había tres barcos en el puerto, y ninguno era nuestro.",
    ),
    "it": (
        "Buongiorno, vorrei un tavolo per quattro persone domani sera, vicino alla finestra.",
        "Mia nonna aveva le api dietro la vecchia scuola, e ogni estate mangiavamo il miele.",
        "Abbiamo misurato la distanza due volte, perché nessuno credeva al primo numero.",
        "Il treno delle otto è in ritardo, come ogni lunedì di quest'anno.",
        "Quella mattina c'erano tre navi nel porto, e nessuna era la nostra.",
    ),
}
VARIANTS = (
    "m1 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alicia Andrea Andy Annie Denis Diogo Gene Hugo Jacky Lee"
    " Marco Mario Michael Mike anika antonio aunty belinda benjamin boris caleb david ed edward"
    " gustave ian iven john kaukovalta linda marcelo max miguel norbert pablo pedro quincy rob"
    " robert sandro steph travis victor zac"
).split()
"""espeak-ng's voices that sound like somebody."""
WHISPERS = ("caleb",)
FLITE = ("rms", "slt", "awb", "kal16")

_ESPEAK = """
import ctypes, json, struct, sys, espeakng_loader
sound = bytearray()
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
@Callback
def collect(samples, count, events):
    if samples and count > 0:
        sound.extend(ctypes.string_at(samples, 2 * count))
    return 0
espeak = ctypes.CDLL(espeakng_loader.get_library_path())
assert espeak.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0) == 22050
espeak.espeak_SetSynthCallback(collect)
for line in sys.stdin.buffer:
    asked = json.loads(line)
    sound.clear()
    failed = espeak.espeak_SetVoiceByName(asked["voice"].encode())
    espeak.espeak_SetParameter(1, asked["pace"], 0)
    espeak.espeak_SetParameter(2, 50, 0)  # some voices are overdriven at 100
    espeak.espeak_SetParameter(3, asked["pitch"], 0)
    text = asked["text"].encode() + b"\\0"
    espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 0, 0, 1, None, None)
    espeak.espeak_Synchronize()
    sys.stdout.buffer.write(struct.pack("<iI", failed, len(sound)) + sound)
    sys.stdout.buffer.flush()
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A voice.

    Attributes:
        engine: "espeak", "flite" or "recorded".
        name: The engine's name for it.
        language: What it speaks.
        size: How much higher its pitch and its formants are than the engine's.
        pace: Words in a minute (espeak-ng).
        pitch: 0 to 99 (espeak-ng).
    """

    engine: str
    name: str
    language: str = "en-us"
    size: float = 1.0
    pace: int = 165
    pitch: int = 50


class Synthesiser:
    """Speaks for everybody; a context manager."""

    def __init__(self, recordings: Path | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._recordings = recordings
        self._said: dict[tuple[Person, str], Int16] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.communicate(timeout=10)
            self._process.kill()
            self._process.wait()

    def say(self, who: Person, text: str) -> Int16:
        """Return a text spoken, without silence around it (int16, 16 kHz)."""
        key = (who, text)
        if key not in self._said:
            if who.engine == "espeak":
                sound, rate = self._espeak(who, text), 22_050
            elif who.engine == "flite":
                from tests.speech import speak

                sound, rate = speak(text, RATE, who.name), RATE
            else:
                raise ValueError(f"{who.engine} says no text")
            self._said[key] = trim(sized(sound, rate, who.size))
        return self._said[key]

    def recorded(self, who: Person) -> Int16:
        """Return all that there is of somebody recorded: WAV files whose names begin so."""
        assert self._recordings is not None
        parts = []
        for path in sorted(self._recordings.glob(f"{who.name}*.wav")):
            with wave.open(str(path)) as file:
                parts.append(np.frombuffer(file.readframes(file.getnframes()), np.int16))
                rate = file.getframerate()
        return sized(np.concatenate(parts), rate, who.size)

    def _espeak(self, who: Person, text: str) -> Int16:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _ESPEAK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        asked = {
            "voice": f"{who.language}+{who.name}",
            "text": text,
            "pace": who.pace,
            "pitch": who.pitch,
        }
        stdin.write(json.dumps(asked).encode() + b"\n")
        stdin.flush()
        failed, size = struct.unpack("<iI", stdout.read(8))
        sound = np.frombuffer(stdout.read(size), np.int16)
        if failed:
            raise LookupError(f"espeak-ng has no voice {asked['voice']}")
        return sound


def sized(sound: Int16, rate: int, size: float) -> Int16:
    """Return sound at 16 kHz, played so many times as fast: pitch and formants higher."""
    return sound if rate * size == RATE else soxr.resample(sound, rate * size, RATE)


def trim(sound: Int16, quiet: int = 100) -> Int16:
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > quiet)
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound[:0]


def people() -> list[Person]:
    """Return those from whom it is learnt what tells voices apart (`learn`)."""
    languages = list(TEXTS)
    some = [
        Person("espeak", each, languages[number % 5], pace=145 + 7 * (number % 6))
        for number, each in enumerate(VARIANTS)
        if number % 3 < 2 and each not in WHISPERS
    ]
    learnt = [each for each in FLITE if each != "slt"]
    return some + [Person("flite", each, size=size) for each in learnt for size in (0.9, 1.0, 1.12)]


def strangers(*, flite: bool = True) -> list[Person]:
    """Return others, by whom it is judged: nothing was learnt from them."""
    languages = list(TEXTS)
    some = [
        Person("espeak", each, languages[(number + turn) % 5], size, 150 + 6 * (number % 5), pitch)
        for turn, (size, pitch) in enumerate(((1.0, 50), (0.93, 40), (1.08, 62)))
        for number, each in enumerate(VARIANTS)
        if number % 3 == 2 and each not in WHISPERS
    ]
    return some + [Person("flite", "slt", size=size) for size in (0.9, 1.0, 1.12) if flite]


def talk(
    synthesiser: Synthesiser, who: Person, seconds: float, random: np.random.Generator
) -> Sound:
    """Return somebody who talks for so long, with pauses (float, full scale 1)."""
    parts: list[Sound] = []
    count = 0
    for sentence in sentences(who.language, random):
        said = synthesiser.say(who, sentence) / 32_768
        pause = np.zeros(int(random.uniform(0.25, 0.7) * RATE))
        parts += [said, pause]
        count += len(said) + len(pause)
        if count >= seconds * RATE:
            break
    whole = np.concatenate(parts)[: int(seconds * RATE)]
    return whole / (np.sqrt(np.mean(whole[np.abs(whole) > 0.01] ** 2)) + 1e-9) * 0.08


def sentences(language: str, random: np.random.Generator) -> Iterator[str]:
    texts = TEXTS[language]
    while True:
        yield from (texts[at] for at in random.permutation(len(texts)))


# What may go wrong.


def power(sound: Sound) -> float:
    """Mean power where there is something."""
    loud = sound[np.abs(sound) > 0.1 * np.abs(sound).max()]
    return float(np.mean(loud**2)) if len(loud) else 0.0


def add(sound: Sound, other: Sound, snr: float) -> Sound:
    """Add another sound, so many dB below."""
    other = np.resize(other, len(sound))
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    each = np.mean(frames**2, axis=1)
    speech = np.mean(each[each > each.max() / 1_000])
    return sound + other * np.sqrt(speech / np.mean(other**2)) * 10 ** (-snr / 20)


def white(count: int, random: np.random.Generator) -> Sound:
    return random.normal(size=count)


def pink(count: int, random: np.random.Generator) -> Sound:
    spectrum = np.fft.rfft(random.normal(size=count))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), count)


def hum(count: int, random: np.random.Generator, mains: float = 50.0) -> Sound:
    time = np.arange(count) / RATE
    return sum(
        np.sin(2 * np.pi * mains * order * time + random.uniform(0, 6)) / order
        for order in (1, 2, 3, 4, 5, 7, 9)
    )


def chords(count: int, random: np.random.Generator) -> Sound:
    """Return music: chords with overtones, one every half second, and a beat."""
    out = np.zeros(count)
    beat = RATE // 2
    time = np.arange(beat * 2) / RATE
    for start in range(0, count, beat):
        root = 110 * 2 ** (random.integers(0, 12) / 12)
        chord = np.zeros(len(time))
        for step in (0, 4, 7, 12):
            note = root * 2 ** (step / 12)
            for order in range(1, 8):
                chord += np.sin(2 * np.pi * note * order * time) / order**1.3
        chord *= np.exp(-2.5 * time)
        chord[:800] += random.normal(size=800) * np.linspace(2, 0, 800)
        end = min(start + len(chord), count)
        out[start:end] += chord[: end - start]
    return out


def reverb(sound: Sound, random: np.random.Generator, t60: float, direct: float) -> Sound:
    """Put into a room: its reverberation time (s), and how much louder the direct sound is (dB)."""
    count = int(t60 * RATE)
    tail = random.normal(size=count) * 10 ** (-3 * np.arange(count) / count)
    tail[: RATE // 200] = 0
    tail *= 10 ** (-direct / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    size = 1 << (len(sound) + count).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)
    return wet[: len(sound)]


def band(sound: Sound, low: float, high: float) -> Sound:
    """Leave out what is below and above."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    edge = np.clip((hertz - low) / 60 + 1, 0, 1) * np.clip((high - hertz) / 120 + 1, 0, 1)
    return np.fft.irfft(spectrum * edge, len(sound))


def clip(sound: Sound, share: float) -> Sound:
    """Overdrive, so that about this share of the speech is flat."""
    loud = np.abs(sound[np.abs(sound) > 0.01])
    return np.clip(sound / np.quantile(loud, 1 - share), -1, 1)


def pcm(sound: Sound, dither: np.random.Generator) -> Int16:
    """Return int16, with the faint hiss that every microphone has (-78 dBFS)."""
    hiss = dither.normal(size=len(sound)) * 10 ** (-78 / 20)
    return np.clip((sound + hiss) * 32_767, -32_768, 32_767).astype(np.int16)
