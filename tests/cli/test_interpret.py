"""`vivavoce interpret`: what is asked for, and a recording dubbed from end to end."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.speech import speak
from vivavoce.agent import Interpreter
from vivavoce.agent.interpreter import InterpreterError
from vivavoce.agent.segment import Segment
from vivavoce.agent.settings import Settings
from vivavoce.cli.interpret import (
    GlossaryError,
    Wanted,
    check_captions,
    chosen,
    interpret,
    lag_table,
    read_glossary,
)
from vivavoce.cli.load import LoadError
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.pipelines.interpret.downloads import DownloadError
from vivavoce.pipelines.models.consent import ConsentError

TALK = "Good morning, everybody, and thank you for coming. Today I would like to speak about bread."
RATE = 16_000


def test_a_glossary_of_either_kind(tmp_path: Path) -> None:
    table = tmp_path / "terms.csv"
    table.write_text('term,translation\npain au levain,sourdough\n"Marie, Anne",\n\nChez Marie\n')
    assert read_glossary(table) == {
        "pain au levain": "sourdough",
        "Marie, Anne": "",
        "Chez Marie": "",
    }
    pairs = tmp_path / "terms.toml"
    pairs.write_text('"pain au levain" = "sourdough"\n')
    assert read_glossary(pairs) == {"pain au levain": "sourdough"}
    pairs.write_text('[glossary]\nfour = "oven"\n')
    assert read_glossary(pairs) == {"four": "oven"}


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "four = 4"), ("a.toml", "four"), ("a.csv", ",x")]
)
def test_a_glossary_that_is_none(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GlossaryError, match=name):
        read_glossary(tmp_path / name)
    with pytest.raises(GlossaryError, match="cannot read"):
        read_glossary(tmp_path / "nothing.csv")


def test_what_the_command_line_asks_for(tmp_path: Path) -> None:
    (tmp_path / "terms.csv").write_text("four,oven\n")
    found = chosen(
        None, "fr", "en,es", policy="captions", latency=900, glossary=tmp_path / "terms.csv"
    )
    assert found.targets == ("en", "es")
    assert (found.policy, found.latency, found.glossary) == ("captions", 900, {"four": "oven"})
    assert chosen(None, "fr", "en", both_ways=True, voice="speaker").copies
    host = tmp_path / "booth.py"
    host.write_text('from vivavoce.agent import Interpreter\nbooth = Interpreter("fr", "en")\n')
    assert isinstance(chosen(str(host), None, None), Interpreter)
    with pytest.raises(LoadError, match="leave --from and --to out"):
        chosen(str(host), "fr", None)
    with pytest.raises(LoadError, match="--from fr --to en"):
        chosen(None, "fr", None)
    with pytest.raises(InterpreterError, match="policy"):
        chosen(None, "fr", "en", policy="never")


def test_captions_have_a_form(tmp_path: Path) -> None:
    check_captions(None)
    check_captions(tmp_path / "a.SRT")
    with pytest.raises(DownloadError, match=r"\.srt or \.vtt"):
        check_captions(tmp_path / "a.txt")


def test_nothing_spoken_has_no_table() -> None:
    assert lag_table([Segment(1, "A", "fr", "en", "Oui.", 0.0, 0.5)]) is None


async def test_a_voice_is_copied_only_with_consent(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="--consent"):
        await interpret(
            Interpreter("en", "fr", voice="speaker"),
            Settings(models="sandbox"),
            Console(file=io.StringIO()),
            Wanted(tmp_path / "talk.wav"),
        )


@pytest.mark.needs_flite
async def test_a_recording_is_dubbed(profile: Callable[..., Any], tmp_path: Path) -> None:
    source, out = tmp_path / "talk.wav", tmp_path / "dubbed.wav"
    pcm = speak(TALK, RATE)
    writer = WavWriter(source, RATE, 1)
    writer.write(pcm)
    writer.close()
    key = profile()
    shown = io.StringIO()
    wanted = Wanted(
        source,
        out,
        captions=tmp_path / "talk.fr.srt",
        transcript=tmp_path / "talk.json",
        fast=True,
    )
    ended = await interpret(
        Interpreter("en", "fr"),
        Settings(models="sandbox", sandbox_url=key.url, sandbox_key=key.key),
        Console(file=shown, width=120),
        wanted,
    )
    segments = ended.call.transcript.segments
    assert {segment.state for segment in segments} == {"spoken"}
    french = " ".join(segment.translation for segment in segments).lower()
    assert "bonjour" in french
    assert "pain" in french
    # It began to speak while the speaker did.
    assert segments[0].spoken_from is not None
    assert segments[0].spoken_from < len(pcm) / RATE
    stereo = np.frombuffer(out.read_bytes()[44:], "<i2").reshape(-1, 2).astype(int)
    assert np.abs(stereo[:, 0]).max() > 1_000
    assert np.abs(stereo[:, 1]).max() > 1_000
    record = json.loads((tmp_path / "talk.json").read_text())
    assert [row["translation"] for row in record["transcript"]] == [
        segment.translation for segment in segments
    ]
    assert record["usage"]["said"] > 1
    assert record["latency_ms"]["p50"] > 0
    assert "-->" in (tmp_path / "talk.fr.srt").read_text()
    assert "fr" in shown.getvalue()
    assert "queue" in shown.getvalue()
