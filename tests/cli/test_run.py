"""`vivavoce run` with files of every shape, in this process; what it prints and leaves."""

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.speech import speak
from vivavoce.agent import Agent
from vivavoce.agent.settings import Settings
from vivavoce.cli.run import Ended, run_file
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.audio.wav import AudioFileError, WavReader

LINE = "Please bring the small table to the window."

Key = Any


def wav(format_tag: int, channels: int, rate: int, bits: int, data: bytes) -> bytes:
    size = channels * bits // 8
    fmt = struct.pack("<IHHIIHH", 16, format_tag, channels, rate, rate * size, size, bits)
    body = b"WAVEfmt " + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def shape(kind: str, channels: int, rate: int) -> bytes:
    pcm = resample(speak(LINE, 16_000), 16_000, rate)
    many = np.repeat(pcm[:, None], channels, axis=1)
    if kind == "int16":
        return wav(1, channels, rate, 16, many.astype("<i2").tobytes())
    if kind == "int24":
        wide = (many.astype("<i4") << 8).view(np.uint8).reshape(-1, 4)[:, :3]
        return wav(1, channels, rate, 24, wide.tobytes())
    return wav(3, channels, rate, 32, (many / 32768).astype("<f4").tobytes())


def echo() -> Agent[None]:
    agent: Agent[None] = Agent(name="echo")

    @agent.reply
    def answer(call: Any, heard: str) -> str:
        return heard

    return agent


@pytest.fixture
def call(profile: Callable[..., Key], tmp_path: Path) -> Callable[..., Any]:
    async def make(source: Path, agent: Agent[Any] | None = None, **given: Any) -> Ended:
        key = profile(**given.pop("profile", {}))
        options: dict[str, Any] = {
            "recording": tmp_path / "call.wav",
            "transcript": tmp_path / "call.json",
            "fast": True,
            "as_json": False,
        } | given
        console = options.pop("console", Console(file=io.StringIO(), width=160))
        settings = Settings(models="sandbox", sandbox_url=key.url, sandbox_key=key.key)
        return await run_file(agent or echo(), settings, console, source=source, **options)

    return make


def words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


@pytest.mark.needs_flite
# Each rate and each kind once; tests/pipelines/audio/test_wav.py reads all of them in all ways.
@pytest.mark.parametrize(
    ("kind", "channels", "rate"),
    [("int16", 1, 8_000), ("int16", 2, 48_000), ("int24", 1, 44_100), ("float32", 2, 16_000)],
)
async def test_every_shape_of_audio_is_understood(
    call: Callable[..., Any], tmp_path: Path, kind: str, channels: int, rate: int
) -> None:
    source = tmp_path / "in.wav"
    source.write_bytes(shape(kind, channels, rate))
    ended = await call(source)
    heard = words(" ".join(u.text for u in ended.call.transcript.caller))
    assert len(set(words(LINE)) & set(heard)) >= 6
    assert ended.call.transcript.heard
    stereo = np.frombuffer((tmp_path / "call.wav").read_bytes()[44:], "<i2").reshape(-1, 2)
    assert 1_000 < np.abs(stereo[:, 1].astype(int)).max() < 32_767
    record = json.loads((tmp_path / "call.json").read_text())
    assert record["ended"] == "the recording ended"
    assert [entry["kind"] for entry in record["transcript"]] == ["caller", "agent"]


@pytest.mark.parametrize("level", [0, 1_500, 9_000])
async def test_silence_and_noise_are_no_turn(
    call: Callable[..., Any], tmp_path: Path, level: int
) -> None:
    noise = np.random.default_rng(7).normal(0, level, 16_000 * 4).clip(-32_768, 32_767)
    source = tmp_path / "in.wav"
    source.write_bytes(wav(1, 1, 16_000, 16, noise.astype("<i2").tobytes()))
    out = io.StringIO()
    ended = await call(source, console=Console(file=out))
    assert not ended.call.transcript.caller
    assert "No words were understood" in out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"no audio at all " * 50, "not a WAV file"),
        (b"ID3\x03\x00" + bytes(900), "ffmpeg"),
        (wav(1, 1, 16_000, 16, b""), "no audio"),
        (wav(1, 1, 16_000, 16, bytes(3_200))[:30], "cut short"),
    ],
)
async def test_what_is_no_audio_is_refused_in_one_line(
    call: Callable[..., Any], tmp_path: Path, data: bytes, said: str
) -> None:
    source = tmp_path / "in.wav"
    source.write_bytes(data)
    with pytest.raises(AudioFileError, match=said) as caught:
        await call(source)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "call.json").exists()


@pytest.mark.needs_flite
async def test_a_truncated_file_is_used_as_far_as_it_goes(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    source = tmp_path / "in.wav"
    data = shape("int16", 1, 16_000)
    source.write_bytes(data[: len(data) * 3 // 4])
    out = io.StringIO()
    ended = await call(source, console=Console(file=out, width=200))
    assert ended.call.transcript.caller
    assert "cut short" in out.getvalue()


async def test_long_silences_lose_no_sentence(call: Callable[..., Any], tmp_path: Path) -> None:
    """A hundred seconds with a sentence in each quarter; the call ends with the file."""
    sentence = speak(LINE, 16_000)
    pcm = np.zeros(16_000 * 100, np.int16)
    for start in range(0, 100, 25):
        pcm[start * 16_000 : start * 16_000 + len(sentence)] = sentence
    source = tmp_path / "in.wav"
    source.write_bytes(wav(1, 1, 16_000, 16, pcm.tobytes()))
    ended = await call(source, recording=None)
    assert len(ended.call.transcript.caller) == 4
    assert len(ended.call.transcript.replies) == 4
    assert ended.record["seconds"] >= 100


@pytest.mark.needs_flite
async def test_json_lines_end_with_the_record(
    call: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.wav"
    source.write_bytes(shape("int16", 1, 16_000))
    ended = await call(source, as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["event"] for row in (rows[0], rows[-2], rows[-1])] == [
        "call_started",
        "call_ended",
        "record",
    ]
    assert rows[-1]["transcript"] == ended.record["transcript"]
    for entry in rows[-1]["transcript"]:
        if latency := entry.get("latency"):
            assert sum(latency["stages_us"].values()) == latency["total_us"]


@pytest.mark.needs_flite
async def test_the_ledger_is_printed(call: Callable[..., Any], tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    source.write_bytes(shape("int16", 1, 16_000))
    out = io.StringIO()
    ended = await call(source, console=Console(file=out, width=160))
    text = out.getvalue()
    assert "caller" in text
    assert "total" in text
    assert f"{ended.call.ledger.percentiles()['p50']:.0f}" in text


@pytest.mark.needs_flite
async def test_a_failing_reply_function_is_apologised_for(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    source = tmp_path / "in.wav"
    source.write_bytes(shape("int16", 1, 16_000))
    agent: Agent[None] = Agent("Answer.", name="broken")

    @agent.reply
    def answer(call: Any, heard: str) -> str:
        raise ValueError("the book is lost")

    ended = await call(source, agent)
    failures = ended.call.transcript.failures
    assert [failure.stage for failure in failures] == ["thinking"]
    assert "the book is lost" in failures[0].message
    assert "Sorry" in ended.call.transcript.heard
    with WavReader(tmp_path / "call.wav", None) as reader:
        recorded = reader.read()
    assert np.abs(recorded.astype(int)).max() > 1_000
