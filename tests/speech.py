"""A voice for tests: speech made on the spot, so that no recording has to be kept.

flite (Debian's libflite1) speaks best and is used in this process when it is there; else
espeak-ng from PyPI (`espeakng-loader`), in a process of its own because of its licence and
its global state. Without either, a test that wants speech is skipped and says why.
"""

import ctypes
import ctypes.util
import functools
import importlib.util
import subprocess
import sys
import threading

import numpy as np
import pytest
import soxr

ESPEAK_RATE = 22_050

_ESPEAK = """
import ctypes, sys, espeakng_loader
sound = bytearray()
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
@Callback
def collect(samples, count, events):
    if samples and count > 0:
        sound.extend(ctypes.string_at(samples, 2 * count))
    return 0
espeak = ctypes.CDLL(espeakng_loader.get_library_path())
rate = espeak.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
assert rate == 22050, rate
espeak.espeak_SetSynthCallback(collect)
assert espeak.espeak_SetVoiceByName(b"en-us") == 0
text = sys.stdin.buffer.read() + b"\\0"
espeak.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 0, 0, 1, None, None)
espeak.espeak_Synchronize()
sys.stdout.buffer.write(sound)
"""


class _Wave(ctypes.Structure):
    """flite's `cst_wave`."""

    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


_flite_lock = threading.Lock()  # flite's voices are global and not thread-safe


@functools.cache
def _flite():
    try:
        library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL("libflite_cmulex.so.1", mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL("libflite_usenglish.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None
    library.flite_init()
    library.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
    library.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    library.delete_wave.argtypes = [ctypes.POINTER(_Wave)]
    return library


@functools.cache
def _flite_voice(name):
    try:
        library = ctypes.CDLL(f"libflite_cmu_us_{name}.so.1")
    except OSError:
        return None
    register = getattr(library, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    register.argtypes = [ctypes.c_char_p]
    return library, register(None)


def has_flite(voice="rms"):
    """Tell whether flite and this voice of it are installed."""
    return _flite() is not None and _flite_voice(voice) is not None


def has_espeak():
    """Tell whether espeak-ng from PyPI is installed."""
    return importlib.util.find_spec("espeakng_loader") is not None


def _speak_flite(text, voice):
    with _flite_lock:
        library = _flite()
        # The voices' breath is libc's rand: from one seed, a text sounds the same in whatever
        # order the tests run.
        ctypes.CDLL(None).srand(1)
        wave = library.flite_text_to_wave(text.encode(), _flite_voice(voice)[1])
        try:
            found = wave.contents
            samples = np.ctypeslib.as_array(found.samples, (found.num_samples,)).copy()
            return samples, found.sample_rate
        finally:
            library.delete_wave(wave)


def _speak_espeak(text):
    done = subprocess.run(
        [sys.executable, "-c", _ESPEAK],
        input=text.encode(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    if done.returncode or not done.stdout:
        pytest.skip(f"espeak-ng does not speak here: {done.stderr.decode().strip()[-200:]}")
    return np.frombuffer(done.stdout, np.int16), ESPEAK_RATE


@functools.cache
def _native(text, voice):
    if has_flite(voice):
        return _speak_flite(text, voice)
    if has_espeak():
        return _speak_espeak(text)
    pytest.skip("no speech for tests: install libflite1 (Debian) or espeakng-loader (PyPI)")


@functools.cache
def _spoken(text, rate, voice):
    samples, native = _native(text, voice)
    if native != rate:
        samples = soxr.resample(samples, native, rate)
    samples.setflags(write=False)
    return samples


def speak(text, rate=16_000, voice="rms"):
    """Speak English text.

    Args:
        text: What to say; one sentence or a few.
        rate: Sample rate of the result (Hz).
        voice: flite's voice: rms, slt, awb, kal16 or kal; espeak-ng has its one voice.

    Returns:
        Mono samples, int16, shape (n,), read-only and cached: copy before changing them.
    """
    return _spoken(text, rate, voice)
