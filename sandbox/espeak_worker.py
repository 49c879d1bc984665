"""Speaks with espeak-ng in a process of its own: run as a script, imports nothing of ours.

espeak-ng is GPL-3.0-or-later; this process and its pipes keep it apart. It also keeps global
state and may crash, so a fresh process is the way back.

On stdin, one JSON line per clause: {"text", "language", "female", "rate"}. On stdout, frames of
a kind byte, a little-endian uint32 length and that many bytes:

    R  the sample rate in Hz, as decimal text; once, when ready
    A  s16le mono audio
    D  the clause is complete
    E  what went wrong, as text; the clause is over
"""

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: the callback gets the samples, nothing is played
_BUFFER_MS = 60
_UTF8 = 1
_RATE = 1  # espeakRATE


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere stdin's end does it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def main() -> None:
    """Serve clauses until stdin ends."""
    out = os.dup(1)
    os.dup2(2, 1)  # what the library prints must not get among the frames

    def send(kind: bytes, body: bytes = b"") -> None:
        view = memoryview(kind + struct.pack("<I", len(body)) + body)
        while view:
            view = view[os.write(out, view) :]

    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Initialize.argtypes = [
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
    ]
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data, 0)
    if rate <= 0:
        send(b"E", b"espeak-ng did not start")
        return

    def heard(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if count > 0:
            send(b"A", ctypes.string_at(samples, 2 * count))
        return 0

    callback = _Callback(heard)  # kept: the library holds only a pointer
    library.espeak_SetSynthCallback(callback)
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    send(b"R", str(rate).encode())
    for line in sys.stdin.buffer:
        clause = json.loads(line)
        voice = _Voice(languages=clause["language"].encode(), gender=2 if clause["female"] else 1)
        if library.espeak_SetVoiceByProperties(ctypes.byref(voice)) != 0:
            send(b"E", f"espeak-ng has no voice for {clause['language']!r}".encode())
            continue
        library.espeak_SetParameter(_RATE, int(clause["rate"]), 0)
        text = clause["text"].encode() + b"\0"
        if library.espeak_Synth(text, len(text), 0, 0, 0, _UTF8, None, None) != 0:
            send(b"E", b"espeak-ng could not speak this text")
            continue
        send(b"D")


if __name__ == "__main__":
    _die_with_parent()
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
