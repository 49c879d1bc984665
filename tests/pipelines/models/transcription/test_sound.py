"""Bodies that are made in pieces: whole, of the length that they say, and read by others."""

import base64
import io
import json
import random
from email import message_from_bytes

import pytest

from vivavoce.pipelines.models.transcription.sound import PIECE, Sound, json_with_audio, multipart

SIZES = (0, 1, 2, 3, 1000, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7)


async def whole(body):
    data = b"".join([piece async for piece in body.pieces])
    assert len(data) == body.length
    return data


@pytest.mark.parametrize("size", SIZES)
async def test_a_form_is_read_by_the_standard_library(size):
    audio = random.Random(size).randbytes(size)
    sound = Sound(io.BytesIO(audio), name='my "call"\r\nX: y é')
    body = multipart([("model", "m"), ("context_bias", "é"), ("context_bias", "b")], sound)
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    parts = message_from_bytes(head + await whole(body)).get_payload()
    assert [part.get_param("name", header="content-disposition") for part in parts] == [
        "model",
        "context_bias",
        "context_bias",
        "file",
    ]
    assert parts[1].get_payload(decode=True).decode() == "é"
    assert len(parts[3].items()) == 2
    if b"\n" not in audio and b"\r" not in audio:
        assert parts[3].get_payload(decode=True) == audio
    assert audio in head + await whole(multipart([], sound))


@pytest.mark.parametrize("size", SIZES)
async def test_audio_in_json_is_its_base64(size):
    audio = random.Random(size).randbytes(size)
    body = json_with_audio({"model": "m", "language": "fr"}, Sound(io.BytesIO(audio), form="flac"))
    found = json.loads(await whole(body))
    assert base64.b64decode(found["input_audio"]["data"], validate=True) == audio
    assert found == {
        "model": "m",
        "language": "fr",
        "input_audio": {"data": found["input_audio"]["data"], "format": "flac"},
    }


async def test_a_sound_without_a_file_is_a_form_of_fields():
    data = await whole(multipart([("file_url", "http://x/a")], Sound(url="http://x/a")))
    assert b"filename" not in data
    assert b"http://x/a" in data
