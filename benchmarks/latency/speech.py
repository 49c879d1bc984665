"""The callers' speech: human recordings that Debian carries, or a folder of one's own.

Synthetic voices mislead the models that judge the end of a turn, so turns are human only. The
default set is read telephone speech (`asterisk-core-sounds-en-g722`, one speaker, 16 kHz,
CC-BY-SA-3.0) and audio books (`pocketsphinx-testdata`, LibriVox, public domain), named one by one
in `clips.tsv`. The packages are unpacked in the cache folder; nothing is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import av
import numpy as np

from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.audio.wav import WavReader
from vivavoce.pipelines.benching.clip import Clip, ClipError, Samples, make_clip
from vivavoce.pipelines.benching.take import RATE

PACKAGES = ("asterisk-core-sounds-en-g722", "pocketsphinx-testdata")
CLIPS = Path(__file__).with_name("clips.tsv")

LONGEST = 4.5
"""Longest utterance of a run (s): longer ones only cost time."""


def load(cache: Path, folder: Path | None = None) -> list[Clip]:
    """Return the clips: of a folder with WAV files and `transcripts.tsv`, or the default set.

    Args:
        cache: Where packages are unpacked.
        folder: Holds `NAME.wav` files and `transcripts.tsv` (name, words; ``|`` for pauses).

    Raises:
        ClipError: If there are none.
    """
    if folder is not None:
        return _load_folder(folder)
    roots = {package: _unpack(package, cache / "speech") for package in PACKAGES}
    clips = []
    for row in CLIPS.read_text(encoding="utf-8").splitlines():
        if row.startswith("#") or not row.strip():
            continue
        name, use, text = row.split("\t")
        if name.startswith("librivox/"):
            path = roots[PACKAGES[1]] / "usr/share/pocketsphinx/test/data" / f"{name}.wav"
        else:
            path = roots[PACKAGES[0]] / "usr/share/asterisk/sounds/en_US_f_Allison" / f"{name}.g722"
        clips.append(make_clip(name, use, read(path), text))
    return clips


def chosen(cache: Path, folder: Path | None = None) -> list[Clip]:
    """Return the clips of a run: all of a folder, or those of the default set that are short.

    Raises:
        ClipError: If there are none.
    """
    clips = load(cache, folder)
    return clips if folder is not None else [c for c in clips if c.voiced_end < LONGEST * RATE]


def _load_folder(folder: Path) -> list[Clip]:
    table = folder / "transcripts.tsv"
    if not table.is_file():
        raise ClipError(f"{table} is missing: write a line `name<TAB>words` for each name.wav")
    clips = []
    for row in table.read_text(encoding="utf-8").splitlines():
        name, _, text = row.partition("\t")
        if text.strip():
            path = folder / f"{name.removesuffix('.wav')}.wav"
            clips.append(make_clip(name, "cut", read(path), text))
    if not clips:
        raise ClipError(f"{table} names no recording")
    return clips


def read(path: Path) -> Samples:
    """Return a recording as int16 at 16 kHz.

    Raises:
        ClipError: If it cannot be read.
    """
    try:
        if path.suffix == ".wav":
            reader = WavReader(path, RATE, block=RATE)
            try:
                return np.concatenate(list(reader))
            finally:
                reader.close()
        with av.open(str(path), format="g722") as container:
            parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
            rate = container.streams.audio[0].rate
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise ClipError(f"{path} cannot be read: {error}") from error
    samples = np.concatenate(parts).astype(np.int16)
    return samples if rate == RATE else resample(samples, rate, RATE)


def _unpack(package: str, into: Path) -> Path:
    """Fetch a Debian package and unpack it without installing it; return where."""
    root = into / package
    if (root / "usr").is_dir():
        return root
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise ClipError(
                f"{tool} is missing, so Debian's {package} cannot be fetched: give --speech DIR"
                " with WAV files and transcripts.tsv"
            )
    into.mkdir(parents=True, exist_ok=True)
    for old in into.glob(f"{package}_*.deb"):
        old.unlink()
    fetched = subprocess.run(
        ["apt-get", "download", "-q", package],
        cwd=into,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = sorted(into.glob(f"{package}_*.deb"))
    if fetched.returncode or not found:
        raise ClipError(
            f"apt-get cannot download {package} ({fetched.stderr.strip()[-200:]}): run `apt-get"
            " update`, or give --speech DIR with WAV files and transcripts.tsv"
        )
    half = into / f"{package}.half"
    shutil.rmtree(half, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", str(found[0]), str(half)], check=True, timeout=300)
    half.rename(root)
    return root
