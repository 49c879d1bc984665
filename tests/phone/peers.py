"""Real telephones for tests: programs from Debian, started on loopback and ended by their pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.ports import HERE, free_port

RATE = 8000
PACKAGES = {
    "sipp": "sip-tester",
    "baresip": "baresip-core",
    "kamailio": "kamailio",
    "kamcmd": "kamailio",
    "linphonec": "linphone-cli",
    "turnserver": "coturn",
}


def needs(program: str) -> str:
    """Skip the test, by the package's name, where a program is missing; return its path."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"needs Debian's {PACKAGES[program]}: apt install {PACKAGES[program]}")
    return found


def tone(seconds: float, frequency: float, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def write(path: Path, pcm: np.ndarray, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype(np.int16).tobytes())
    return path


def read(path: Path) -> tuple[np.ndarray, int]:
    """Read a WAV, also one whose writer was ended before it wrote the lengths."""
    data = path.read_bytes()
    at = data.index(b"data") + 8
    channels = int.from_bytes(data[22:24], "little")
    rate = int.from_bytes(data[24:28], "little")
    pcm = np.frombuffer(data[at : at + (len(data) - at) // 2 * 2], np.int16)
    return pcm[: len(pcm) // channels * channels].reshape(-1, channels)[:, 0], rate


def right(pcm: np.ndarray, frequency: float, rate: int = RATE, window: float = 0.1) -> float:
    """Return the share of windows, from the first to the last loud one, that are the tone."""
    size = round(rate * window)
    count = len(pcm) // size
    if not count:
        return 0.0
    rows = pcm[: count * size].reshape(count, size).astype(float)
    loud = np.sqrt((rows**2).mean(axis=1)) > 1000
    if not loud.any():
        return 0.0
    first, last = np.flatnonzero(loud)[[0, -1]]
    rows, loud = rows[first : last + 1], loud[first : last + 1]
    peaks = np.abs(np.fft.rfft(rows * np.hanning(size), axis=1)).argmax(axis=1) * rate / size
    return float(((np.abs(peaks - frequency) <= 1.5 / window) & loud).mean())


def best(pcm: np.ndarray, frequency: float, rate: int = RATE, seconds: float = 1.5) -> float:
    """Return the share of windows that are the tone in the best stretch of a recording."""
    size, step = round(rate * seconds), rate // 10
    starts = range(0, max(1, len(pcm) - size), step)
    return max(right(pcm[start : start + size], frequency, rate) for start in starts)


@dataclass
class Program:
    """A running peer, with what it printed."""

    process: asyncio.subprocess.Process
    output: list[str] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, line: str) -> None:
        """Write a line to what it reads."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()

    async def read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(4096):
            self.output.append(chunk.decode("utf-8", "replace"))
            self._changed.set()
        self._changed.set()

    @property
    def text(self) -> str:
        return "".join(self.output)

    async def until(self, condition: Callable[[str], bool], within: float = 15.0) -> None:
        try:
            async with asyncio.timeout(within):
                while not condition(self.text):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pytest.fail(f"it never happened; the peer printed:\n{self.text[-3000:]}")

    async def says(self, what: str, within: float = 15.0) -> None:
        await self.until(lambda text: what in text, within)


@asynccontextmanager
async def running(*command: str | Path, cwd: Path | None = None, told: bool = False, **env: str):
    """Run a peer; it is ended by its pid when the block is left.

    Args:
        command: The program and its arguments.
        cwd: Where it runs, and its home.
        told: Whether it is steered by lines on its standard input (`Program.tell`).
        env: More of its environment.
    """
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(cwd or "/nonexistent"), **env},
        stdin=asyncio.subprocess.PIPE if told else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    program = Program(process)
    reading = asyncio.create_task(program.read())
    try:
        yield program
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 4)
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.wait_for(reading, 5)
        # The pipe's transport is closed by the loop's next turns.
        process._transport.close()
        await asyncio.sleep(0)


async def sipp(
    port: int, folder: Path, *options: str | Path, scenario: str | None = None, within: float = 30
) -> tuple[int, str]:
    """Run sipp against our port; return its exit code and what it logged."""
    program = needs("sipp")
    given: list[str | Path] = []
    if scenario is not None:
        path = folder / "scenario.xml"
        path.write_text(scenario)
        given = ["-sf", path]
    own = free_port(8)
    command = [program, f"{HERE}:{port}", *given, "-i", HERE, "-p", str(own), "-mi", HERE]
    command += ["-mp", str(free_port(8)), "-nostdin", "-recv_timeout", "8000", "-trace_err"]
    command += ["-trace_logs", "-error_file", folder / "errors.log", "-log_file", folder / "log"]
    async with running(*command, *options, cwd=folder) as peer:
        await asyncio.wait_for(peer.process.wait(), within)
        errors = folder / "errors.log"
        text = errors.read_text() if errors.exists() else ""
        logged = (folder / "log").read_text() if (folder / "log").exists() else ""
        return peer.process.returncode or 0, logged + text


@asynccontextmanager
async def sipp_answering(
    folder: Path, steps: str, *options: str | Path
) -> AsyncIterator[tuple[int, Callable[[], Awaitable[None]]]]:
    """Run a sipp that is called, by a scenario; give its port, and what waits for its good end."""
    program, port = needs("sipp"), free_port(8)
    path = folder / "scenario.xml"
    path.write_text(steps)
    command = [program, "-sf", path, "-i", HERE, "-p", str(port), "-mi", HERE, "-m", "1"]
    command += [
        "-mp",
        str(free_port(8)),
        "-nostdin",
        "-trace_err",
        "-error_file",
        folder / "err",
    ]
    async with running(*command, *options, cwd=folder) as peer:

        async def ends_well(within: float = 20.0) -> None:
            await asyncio.wait_for(peer.process.wait(), within)
            errors = folder / "err"
            assert peer.process.returncode == 0, errors.read_text() if errors.exists() else ""

        async with asyncio.timeout(10):
            while _free(port):  # noqa: ASYNC110 - it tells nobody that it listens
                await asyncio.sleep(0.02)
        yield port, ends_well


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((HERE, port))
        except OSError:
            return False
        return True


class Baresip:
    """A baresip that is steered over its control socket."""

    def __init__(self, program: Program, folder: Path, port: int, control: int) -> None:
        self.program, self.folder, self.port = program, folder, port
        self._control = control
        self.events: list[dict] = []
        self._changed = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task | None = None

    async def connect(self) -> None:
        async with asyncio.timeout(15):
            while True:
                try:
                    reader, self._writer = await asyncio.open_connection(HERE, self._control)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads(await reader.readexactly(length))
                await reader.readexactly(1)
                self.events.append(message)
                self._changed.set()

    async def do(self, command: str, params: str = "") -> None:
        text = json.dumps({"command": command, "params": params})
        assert self._writer is not None
        self._writer.write(f"{len(text)}:{text},".encode())
        await self._writer.drain()

    async def until(self, kind: str, within: float = 20.0, **more: str) -> dict:
        """Wait for an event of a type, with some other fields."""
        wanted = {"type": kind, **more}

        def found() -> dict | None:
            return next((e for e in self.events if wanted.items() <= e.items()), None)

        try:
            async with asyncio.timeout(within):
                while (event := found()) is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pytest.fail(f"no {kind}: {self.events}\n{self.program.text[-2000:]}")
        return event

    def heard(self) -> tuple[np.ndarray, int]:
        """What it heard in its last call."""
        files = sorted(self.folder.glob("rec/dump-*-dec.wav"))
        assert files, f"nothing was recorded: {self.program.text[-2000:]}"
        return read(files[-1])

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        if self._reading is not None:
            await asyncio.wait_for(self._reading, 5)


CONFIG = """
sip_listen {here}:{port}
net_interface {here}
{extra}
audio_source aufile,{source}
audio_player aubridge,sink
audio_alert aufile,/dev/null
ausrc_srate 8000
auplay_srate 8000
rtp_ports {media}-{last}
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {here}:{control}
snd_path {folder}/rec
"""


@asynccontextmanager
async def baresip(
    folder: Path,
    plays: np.ndarray,
    *,
    account: str = "",
    config: str = "",
    user: str = "alice",
    transport: str = "udp",
    host: str | None = None,
) -> AsyncIterator[Baresip]:
    """Run a baresip that plays samples (int16, 8 kHz) and records what it hears."""
    program = needs("baresip")
    modules = Path(program).parent.parent / "lib/baresip/modules"
    (folder / "rec").mkdir(parents=True, exist_ok=True)
    port, control, media = free_port(3), free_port(1), free_port(8)
    source = write(folder / "plays.wav", plays)
    (folder / "config").write_text(
        CONFIG.format(
            here=HERE, port=port, extra=config, source=source, media=media, last=media + 7,
            modules=modules, control=control, folder=folder,
        )
    )  # fmt: skip
    kind = "" if transport == "udp" else f";transport={transport}"
    own = host or f"{HERE}:{port}"
    (folder / "accounts").write_text(f"<sip:{user}@{own}{kind}>;regint=0{account}\n")
    (folder / "contacts").touch()
    async with running(program, "-4", "-f", folder, "-t", "90", cwd=folder) as peer:
        it = Baresip(peer, folder, port, control)
        try:
            await it.connect()
            yield it
        finally:
            await it.close()
