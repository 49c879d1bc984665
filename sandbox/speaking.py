"""Speaking: text in, 24 kHz float32 out, from flite or espeak-ng.

English is spoken by flite where the system has it, everything else by espeak-ng.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vivavoce.sandbox.espeak import Espeak, SpeechError
from vivavoce.sandbox.flite import Flite
from vivavoce.sandbox.hearing import EngineMissingError
from vivavoce.sandbox.pcm import SPEECH_RATE, Resampler, Samples, level, limit

TARGET_DBFS = -20.0
CHUNK = SPEECH_RATE * 8 // 100  # samples (80 ms), one delta
_LONGEST_CLAUSE = 200  # characters; first audio of flite grows with the clause
_RAMP = SPEECH_RATE // 200  # 5 ms
_QUIET = 0.003  # -50 dBFS: below it the engines' leading pause is cut
_LEAD = SPEECH_RATE * 2 // 100  # 20 ms of it stay
_CALIBRATION = "The quick brown fox jumps over the lazy dog."

_TAG = re.compile(r"\[[a-z_]+=[^\]]*\]")  # Voxtral 3's delivery tags
_SENTENCE = re.compile(r"(?<=[.!?…。！？؟।])\s+|\n+")
_PAUSE = re.compile(r"(?<=[,;:،])\s+")


@dataclass(frozen=True)
class Speaker:
    """Who speaks: a language tag as espeak-ng names it (``en-us``, ``fr``) and a gender."""

    language: str = "en-us"
    female: bool = False


# Letters, then frequent words, by which a text's language is told from its voice's.
_SCRIPTS = (
    ("hi", "\u0900", "\u097f"),
    ("ar", "\u0600", "\u06ff"),
    ("ru", "\u0400", "\u04ff"),
    ("ja", "\u3040", "\u30ff"),
    ("ko", "\uac00", "\ud7af"),
    ("cmn", "\u4e00", "\u9fff"),
)
_WORDS = {
    "en": "the and is are you of to in that it for with this have what my your i we",
    "fr": "le la les des est et vous je une un pour que dans avec nous votre bonjour merci au",
    "es": "el los las es y usted una un para que con por gracias hola está su mi cómo",
    "de": "der die das und ist ich sie ein eine für mit nicht wir ihr guten danke wie auf",
    "it": "il gli e è una un per che con non grazie buongiorno sono la di come",
    "pt": "o os as é e você uma um para que com não obrigado olá por como está",
    "nl": "de het een en is ik u van voor met niet dank hallo hoe gaat wij",
}
_FREQUENT = {language: frozenset(words.split()) for language, words in _WORDS.items()}


def language_of(text: str, voice_language: str) -> str:
    """Tell which language to speak ``text`` in: its own when clear, else the voice's."""
    for language, first, last in _SCRIPTS:
        if sum(first <= c <= last for c in text) * 3 > len(text):
            return language
    words = re.findall(r"[^\W\d_]+", text.lower())
    scores = {name: sum(word in known for word in words) for name, known in _FREQUENT.items()}
    own = voice_language.partition("-")[0]
    best = max(scores, key=lambda name: (scores[name], name == own))
    # One shared little word ("is", "de") proves nothing; two more than the voice's own do.
    return best if scores[best] >= scores.get(own, 0) + 2 else voice_language


def clauses(text: str) -> list[str]:
    """Cut text into what an engine gets at once: sentences, long ones at their commas."""
    text = _TAG.sub(" ", text)
    # Markdown and pictures are not read out; the page asks not to send them.
    text = "".join(" " if c in "*_#`~|<>" or unicodedata.category(c) == "So" else c for c in text)
    out: list[str] = []
    for sentence in _SENTENCE.split(text):
        part = ""
        for piece in _PAUSE.split(sentence):
            if part and len(part) + len(piece) > _LONGEST_CLAUSE:
                out.append(part)
                part = piece
            else:
                part = f"{part} {piece}" if part else piece
        while len(part) > 2 * _LONGEST_CLAUSE:
            cut = part.rfind(" ", 1, _LONGEST_CLAUSE)
            cut = cut if cut > 0 else _LONGEST_CLAUSE
            out.append(part[:cut])
            part = part[cut:].strip()
        out.append(part)
    return [" ".join(c.split()) for c in out if any(ch.isalnum() for ch in c)]


_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ", ", "…": "..."})


def _ascii(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return text.encode("ascii", "ignore").decode()


class _Shaper:
    """One clause's stream: level, rate, edges; cuts the engine's leading pause."""

    def __init__(self, rate: int, gain: float) -> None:
        self._resampler = Resampler(rate, SPEECH_RATE)
        self._gain = np.float32(gain)
        self._held = np.zeros(0, np.float32)
        self._begun = False

    def push(self, samples: Samples) -> Samples:
        return self._shape(self._resampler.push(samples * self._gain))

    def finish(self) -> Samples:
        rest = self._resampler.push(np.zeros(0, np.float32), last=True)
        out = np.concatenate((self._shape(rest), self._held if self._begun else self._held[:0]))
        self._held = self._held[:0]
        if len(out):
            ramp = min(_RAMP, len(out))
            out[-ramp:] *= np.linspace(1.0, 0.0, ramp, dtype=np.float32)
        return out

    def _shape(self, samples: Samples) -> Samples:
        samples = np.concatenate((self._held, limit(samples)))
        if not self._begun:
            loud = np.flatnonzero(np.abs(samples) > _QUIET)
            if not len(loud):
                self._held = samples[-_LEAD:]
                return samples[:0]
            samples = samples[max(int(loud[0]) - _LEAD, 0) :].copy()
            ramp = min(_RAMP, len(samples))
            samples[:ramp] *= np.linspace(0.0, 1.0, ramp, dtype=np.float32)
            self._begun = True
        # The last 5 ms wait: when the clause ends they are faded out.
        out, self._held = samples[:-_RAMP], samples[-_RAMP:]
        return out.copy()


class Speaking:
    """The process's voices; used from one event loop."""

    def __init__(self) -> None:
        """Load what is there.

        Raises:
            EngineMissingError: When neither flite nor espeak-ng is.
        """
        self._flite: Flite | None = None
        self._espeak: Espeak | None = None
        try:
            self._flite = Flite()
        except OSError:
            self._flite = None
        try:
            self._espeak = Espeak()
        except EngineMissingError:
            if self._flite is None:
                raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flite")
        self._closed = False
        self._gains = {False: 1.0, True: 1.0}

    @property
    def engines(self) -> list[str]:
        """Names of the engines that are there, the English one first."""
        found = ["flite"] if self._flite is not None else []
        return found + (["espeak-ng"] if self._espeak is not None else [])

    @property
    def worker_pid(self) -> int | None:
        """The espeak-ng worker's process id, None while there is none."""
        return None if self._espeak is None else self._espeak.pid

    async def warm(self) -> None:
        """Measure the voices' levels; start espeak-ng's worker when English needs it."""
        if self._flite is None:
            assert self._espeak is not None
            await self._espeak.say("Ready.", language="en-us", female=False)
            return
        flite, loop = self._flite, asyncio.get_running_loop()

        def measure(female: bool) -> float:
            parts: list[Samples] = []

            def take(samples: Samples) -> bool:
                parts.append(samples)
                return True

            flite.say(_CALIBRATION, female=female, sink=take)
            return _gain(np.concatenate(parts))

        for female in (False, True):
            self._gains[female] = await loop.run_in_executor(self._thread, measure, female)

    async def stream(
        self, text: str, speaker: Speaker, engine: str | None = None, *, speed: float = 1.0
    ) -> AsyncGenerator[Samples, None]:
        """Speak: float32 chunks at 24 kHz of 80 ms, the last one shorter.

        Closing the iterator stops the engine within a chunk; nothing is synthesised further
        ahead than the clause that is being taken.

        Args:
            text: Any length; cut into clauses.
            speaker: Whose voice.
            engine: ``flite`` or ``espeak-ng``; None chooses.
            speed: How fast, 1.0 being as usual.

        Raises:
            SpeechError: When no engine can speak it.
        """
        rest = np.zeros(0, np.float32)
        for clause in clauses(text):
            language = language_of(clause, speaker.language)
            english = language.startswith("en")
            if self._flite is not None and english and engine != "espeak-ng":
                source = self._by_flite(self._flite, clause, speaker, speed)
            elif self._espeak is not None:
                source = self._by_espeak(self._espeak, clause, language, speaker, speed)
            else:
                msg = f"only English can be spoken here: pip install espeakng-loader for {language}"
                raise SpeechError(msg)
            async for samples in source:
                rest = np.concatenate((rest, samples))
                while len(rest) >= CHUNK:
                    yield rest[:CHUNK]
                    rest = rest[CHUNK:]
        if len(rest):
            yield rest

    async def _by_flite(
        self, flite: Flite, clause: str, speaker: Speaker, speed: float
    ) -> AsyncIterator[Samples]:
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[Samples | None] = asyncio.Queue()
        stopped = False

        def take(samples: Samples) -> bool:
            if stopped or self._closed:
                return False
            loop.call_soon_threadsafe(ready.put_nowait, samples)
            return True

        def say() -> None:
            try:
                flite.say(_ascii(clause), female=speaker.female, sink=take, speed=speed)
            finally:
                loop.call_soon_threadsafe(ready.put_nowait, None)

        done = loop.run_in_executor(self._thread, say)
        shaper = _Shaper(flite.rate, self._gains[speaker.female])
        try:
            while (samples := await ready.get()) is not None:
                shaped = shaper.push(samples)
                if len(shaped):
                    yield shaped
            await done
            yield shaper.finish()
        finally:
            stopped = True
            done.cancel()

    async def _by_espeak(
        self, espeak: Espeak, clause: str, language: str, speaker: Speaker, speed: float
    ) -> AsyncIterator[Samples]:
        samples = await espeak.say(clause, language=language, female=speaker.female, speed=speed)

        def shape() -> Samples:  # some milliseconds for a long clause: not on the loop
            shaper = _Shaper(espeak.rate, _gain(samples))
            shaped = shaper.push(samples)
            return np.concatenate((shaped, shaper.finish()))

        yield await asyncio.get_running_loop().run_in_executor(self._thread, shape)

    async def close(self) -> None:
        """End the worker and the thread; idempotent."""
        self._closed = True  # a running clause stops at its next 20 ms
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)
        if self._espeak is not None:
            await self._espeak.close()


def _gain(samples: Samples) -> float:
    """Give the factor to -20 dBFS, at most 12 dB either way."""
    return float(10 ** (np.clip(TARGET_DBFS - level(samples), -12.0, 12.0) / 20))
