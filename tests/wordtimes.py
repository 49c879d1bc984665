"""Where each word of synthesised speech really is: the synthesisers' own account of it.

flite keeps the segments of an utterance, espeak-ng tells each word as it begins. With these, what
a caller has heard at any sample is known, and an estimate can be judged.
"""

import ctypes
import functools
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.speech import _flite, _flite_lock, _flite_voice, _Wave, has_espeak, has_flite

# Speaks texts, each with a voice: its name, or language, gender and pace (words a minute).
WORKER = """
import base64, ctypes, json, sys, espeakng_loader
class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8)]
class Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p), ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte), ("xx1", ctypes.c_ubyte), ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p)]
sound, words = bytearray(), []
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
@Callback
def collect(samples, count, events):
    if samples and count > 0:
        sound.extend(ctypes.string_at(samples, 2 * count))
    index = 0
    while events[index].type != 0:
        if events[index].type == 1:
            words.append([events[index].text_position - 1, events[index].audio_position])
        index += 1
    return 0
espeak = ctypes.CDLL(espeakng_loader.get_library_path())
rate = espeak.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
espeak.espeak_SetSynthCallback(collect)
out = []
for text, voice in json.load(sys.stdin):
    sound.clear(); words.clear()
    if isinstance(voice, str):
        assert espeak.espeak_SetVoiceByName(voice.encode()) == 0, voice
    else:
        language, gender, pace = voice
        voice = Voice(languages=language.encode(), gender=gender)
        assert espeak.espeak_SetVoiceByProperties(ctypes.byref(voice)) == 0, language
        espeak.espeak_SetParameter(1, pace, 0)
    data = text.encode() + b"\\0"
    espeak.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 0, 0, 1, None, None)
    espeak.espeak_Synchronize()
    out.append([rate, base64.b64encode(bytes(sound)).decode(), list(words)])
json.dump(out, sys.stdout)
"""

_END = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"


def flite(text, voice="rms"):
    """Speak a text with flite; return samples (int16), rate, and each word's end in samples.

    A word is what stands between white space.
    """
    if not has_flite(voice):
        pytest.skip("needs Debian's libflite1: apt install libflite1")
    with _flite_lock:
        library = _flite()
        for name in ("flite_synth_text", "utt_relation", "relation_head", "item_next", "utt_wave"):
            getattr(library, name).restype = ctypes.c_void_p
        library.ffeature_float.restype = ctypes.c_float
        library.ffeature_string.restype = ctypes.c_char_p
        pointer = ctypes.c_void_p
        utterance = pointer(
            library.flite_synth_text(text.encode(), pointer(_flite_voice(voice)[1]))
        )
        try:
            wave = ctypes.cast(library.utt_wave(utterance), ctypes.POINTER(_Wave)).contents
            samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
            ends, last = [], 0.0
            item = library.relation_head(pointer(library.utt_relation(utterance, b"Token")))
            while item:
                # A token without a word of its own (a dash) ends where the one before does.
                last = max(last, library.ffeature_float(pointer(item), _END))
                ends.append(last)
                item = library.item_next(pointer(item))
            return samples, wave.sample_rate, np.array(ends) * wave.sample_rate
        finally:
            library.delete_utterance(utterance)


@functools.cache
def espeak(texts):
    """Speak texts (a tuple) with espeak-ng; return what `flite` does, for each."""
    if not has_espeak():
        pytest.skip("needs espeakng-loader: pip install espeakng-loader==0.2.4")
    import base64

    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=json.dumps([(text, "en-us") for text in texts]).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode or not done.stdout:
        pytest.skip(f"espeak-ng does not speak here: {done.stderr.decode().strip()[-200:]}")
    made = []
    for text, (rate, sound, events) in zip(texts, json.loads(done.stdout), strict=True):
        samples = np.frombuffer(base64.b64decode(sound), np.int16)
        starts, place = [], 0
        for word in text.split():
            place = text.index(word, place)
            began = [ms for at, ms in events if place <= at < place + len(word)]
            starts.append(began[0] * rate / 1000 if began else None)
            place += len(word)
        ends = []
        for index in range(len(starts)):
            later = [start for start in starts[index + 1 :] if start is not None]
            ends.append(later[0] if later else float(len(samples)))
        made.append((samples, rate, np.array(ends)))
    return made
