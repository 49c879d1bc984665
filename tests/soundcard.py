"""A sound card in a test: PulseAudio without hardware, a microphone that tests speak into."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

NEEDS = "needs Debian's pulseaudio, pulseaudio-utils, libasound2-plugins and libportaudio2"


@dataclass
class SoundCard:
    """A running PulseAudio with a speaker that nobody hears.

    `environment` makes PortAudio, in a process of its own, use it and nothing else.
    """

    folder: Path
    environment: dict[str, str]

    def say(self, pcm: np.ndarray, rate: int) -> subprocess.Popen[bytes]:
        """Speak into the microphone (int16, mono)."""
        path = self.folder / f"say-{time.monotonic_ns()}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(pcm.astype("<i2").tobytes())
        return subprocess.Popen(
            ["paplay", "--device=mic", str(path)], env={**os.environ, **self.environment}
        )


def missing() -> bool:
    from vivavoce.pipelines.microphone import MicrophoneError, portaudio

    try:
        portaudio()
    except MicrophoneError:
        return True
    plugins = Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")
    return not (shutil.which("pulseaudio") and shutil.which("paplay") and any(plugins))


@contextmanager
def soundcard(folder: Path, *, echo: bool = False) -> Iterator[SoundCard]:
    """Run one; with `echo` its microphone hears its speaker."""
    if missing():
        pytest.skip(NEEDS)
    # A socket's path is short, whatever pytest calls its folders.
    socket = folder / "s"
    null = "load-module module-null-sink rate=48000 channels=1 sink_name="
    script = [
        f"load-module module-native-protocol-unix socket={socket} auth-anonymous=1",
        f"{null}mic",
        # What is played enters the room that the microphone stands in, or another one. Nothing in
        # between has a clock of its own, as nothing between loudspeaker and microphone has.
        "load-module module-remap-sink sink_name=speaker master=mic" if echo else f"{null}speaker",
        "set-sink-volume speaker 58000",
        # With nobody in a hurry, a device without hardware moves its sound every two seconds.
        f"{null}void",
        "load-module module-loopback source=speaker.monitor sink=void latency_msec=20",
        "load-module module-loopback source=mic.monitor sink=void latency_msec=20",
    ]
    (folder / "card.pa").write_text("\n".join(script) + "\n")
    # PortAudio sees what ALSA's default is: the sound server, and no hardware.
    (folder / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_RUNTIME_PATH": str(folder)}
    with (folder / "card.log").open("wb") as log:
        server = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                "-F", str(folder / "card.pa"),
            ],
            env={**os.environ, **home},
            stdout=log,
            stderr=log,
        )  # fmt: skip
        try:
            environment = {
                **home,
                "PULSE_SERVER": f"unix:{socket}",
                "PULSE_SINK": "speaker",
                "PULSE_SOURCE": "mic.monitor",
            }
            _wait(server, environment, folder / "card.log")
            yield SoundCard(folder, environment)
        finally:
            server.terminate()
            server.wait(10)


def _wait(server: subprocess.Popen[bytes], environment: dict[str, str], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        asked = subprocess.run(
            ["pactl", "list", "short", "sources"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        if "mic.monitor" in asked.stdout:
            return
        time.sleep(0.1)
    pytest.skip(f"PulseAudio does not run here: {log.read_text(errors='replace')[-300:]}")
