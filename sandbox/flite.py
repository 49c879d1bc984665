"""Flite, where the system has it: a better-understood English voice than espeak-ng's.

Called in the process (its licence allows it) through ctypes, with its streaming callback.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

import numpy as np

from vivavoce.sandbox.pcm import Samples

MALE, FEMALE = "rms", "slt"
_STRETCH = b"duration_stretch"


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.POINTER(_Wave),
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
)


class _Streaming(ctypes.Structure):
    _fields_ = (
        ("min_buffsize", ctypes.c_int),
        ("asc", _Callback),
        ("utt", ctypes.c_void_p),
        ("item", ctypes.c_void_p),
        ("userdata", ctypes.c_void_p),
    )


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class Flite:
    """Both voices. Calls are taken one at a time; they block, so give them a thread."""

    rate = 16_000  # Hz, of both voices

    def __init__(self) -> None:
        """Load the libraries (about 20 ms).

        Raises:
            OSError: When they are not installed (Debian: ``apt install libflite1``).
        """
        self._library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for language in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{language}.so.1", mode=ctypes.RTLD_GLOBAL)
        self._library.flite_init()
        self._library.new_audio_streaming_info.restype = ctypes.POINTER(_Streaming)
        self._library.audio_streaming_info_val.restype = ctypes.c_void_p
        self._library.audio_streaming_info_val.argtypes = [ctypes.POINTER(_Streaming)]
        self._library.get_param_float.restype = ctypes.c_float
        self._library.get_param_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
        self._library.feat_set.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        self._library.feat_set_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
        self._library.feat_remove.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._library.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
        self._library.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.POINTER(_Voice)]
        self._library.delete_wave.argtypes = [ctypes.POINTER(_Wave)]
        self._libc = ctypes.CDLL(None)
        self._lock = threading.Lock()
        self._sink: Callable[[Samples], bool] | None = None
        self._callback = _Callback(self._heard)  # kept: the library holds only a pointer
        self._voices = {name: self._register(name) for name in (MALE, FEMALE)}

    def _register(self, name: str) -> ctypes._Pointer[_Voice]:
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
        register.restype = ctypes.POINTER(_Voice)
        register.argtypes = [ctypes.c_char_p]
        voice: ctypes._Pointer[_Voice] = register(None)
        return voice

    def _stream(self, voice: ctypes._Pointer[_Voice]) -> None:
        """Have a voice call us back, until `feat_remove`.

        The library has one voice of a name per process. One that kept our callback would call
        into freed memory when somebody else spoke with it after we were gone.
        """
        streaming = self._library.new_audio_streaming_info()
        streaming.contents.min_buffsize = 256
        streaming.contents.asc = self._callback
        value = self._library.audio_streaming_info_val(streaming)
        self._library.feat_set(voice.contents.features, b"streaming_info", value)

    def _heard(
        self, wave: ctypes._Pointer[_Wave], start: int, size: int, _last: int, _info: int | None
    ) -> int:
        if self._sink is None:
            return -1
        if size <= 0:
            return 0
        held = wave.contents
        samples = np.ctypeslib.as_array(held.samples, (held.num_samples,))[start : start + size]
        return 0 if self._sink(samples.astype(np.float32) / np.float32(32768)) else -1

    def say(
        self,
        text: str,
        *,
        female: bool,
        sink: Callable[[Samples], bool],
        speed: float = 1.0,
    ) -> None:
        """Speak one clause.

        Args:
            text: English in ASCII; other characters are left out.
            female: slt instead of rms.
            sink: Called with float32 samples at ``rate`` as they come; False ends it.
            speed: How fast, 1.0 being as usual.
        """
        with self._lock:
            self._sink = sink
            # The voices' breath is libc's rand: from one seed, a text always sounds the same.
            self._libc.srand(1)
            voice = self._voices[FEMALE if female else MALE]
            self._stream(voice)
            features = voice.contents.features
            usual = self._library.get_param_float(features, _STRETCH, 1.0)
            if speed != 1.0:
                self._library.feat_set_float(features, _STRETCH, usual / speed)
            try:
                wave = self._library.flite_text_to_wave(text.encode("ascii", "ignore"), voice)
                if wave:
                    self._library.delete_wave(wave)
            finally:
                self._sink = None
                if speed != 1.0:
                    self._library.feat_set_float(features, _STRETCH, usual)
                self._library.feat_remove(voice.contents.features, b"streaming_info")
