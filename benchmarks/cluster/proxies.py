"""`python -m benchmarks.cluster.proxies`: our front beside Ray Serve's proxy, and beside nothing.

The same echo is asked straight, through our front, and on Ray Serve with its own proxy and with
HAProxy as its proxy. Signalling is a POST of 3 KB that is answered with 3 KB; audio is a
websocket's frame of 20 ms (24 kHz, 16 bit: 960 bytes) that comes back. What is printed is the way
there and back; what a proxy adds is the difference to "straight". CPU is that of all processes
that the bytes pass through, but not the client's; "straight" is the echo's own.

The ways take turns, several rounds, so that what else runs on the machine meets all of them. Serve
is installed once, in `benchmarks/.cache`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from vivavoce.pipelines.benching import machine
from vivavoce.web.cluster.proof import KEY

HERE = Path(__file__).parent
CACHE, RESULTS = HERE.parent / ".cache", HERE.parent / "results"
SERVE = "ray[serve]==2.60.0"
FRAME, EVERY = 960, 0.02
SOCKETS = 50
OFFER = json.dumps({"type": "offer", "sdp": "v=0 " + "a=rtpmap:111 opus/48000/2 " * 120})
WAYS = ("straight", "front", "serve", "serve-haproxy")


@dataclass
class Way:
    """A way to the echo.

    Attributes:
        url: Where it begins.
        pids: The processes that bytes pass through.
        process: What has to be ended with it.
        offers: Seconds of each POST.
        frames: Seconds of each frame, there and back.
        cpu: Seconds of CPU that a second of all sockets took, a round each.
        cpu_offers: Seconds of CPU of a POST, a round each.
        memory: Bytes of its processes (PSS).
    """

    url: str
    pids: list[int]
    process: subprocess.Popen[str]
    offers: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    cpu_offers: list[float] = field(default_factory=list)
    memory: int = 0

    def used(self) -> float:
        """CPU time of its processes so far (s)."""
        times = [psutil.Process(pid).cpu_times() for pid in self.pids]
        return float(sum(each.user + each.system for each in times))


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(HERE.parent.parent), **more}


def _begin(command: list[str], **more: str) -> Way:
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_environment(**more),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            told = json.loads(line)
            return Way(told["url"], told["pids"], process)
    process.wait(10)
    raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")


def _end(way: Way) -> None:
    process = way.process
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        family = psutil.Process(process.pid).children(recursive=True)
        for each in [*family, process]:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                each.kill()
        process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def _serve_python() -> str:
    """Make the environment that Serve runs in; return its Python."""
    folder = CACHE / "serve"
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", SERVE, "psutil"]
        subprocess.run(install, check=True, timeout=600)
        ready.touch()
    return str(python)


@contextlib.asynccontextmanager
async def ways(names: list[str]) -> AsyncGenerator[dict[str, Way]]:
    """Begin all ways; end them."""
    found: dict[str, Way] = {}
    key = os.urandom(32).hex()
    free = {"serve": "28101", "serve-haproxy": "28102"}
    try:
        own = [sys.executable, "-m"]
        for name in names:
            match name:
                case "straight":
                    command, more = [*own, "benchmarks.cluster.echo"], {}
                case "front":
                    echo = found["straight"].url
                    command, more = [*own, "benchmarks.cluster.front", echo], {KEY: key}
                case _:
                    command = [_serve_python(), str(HERE / "on_serve.py"), free[name]]
                    flag = "1" if name == "serve-haproxy" else "0"
                    more = {"RAY_SERVE_ENABLE_HA_PROXY": flag, "RAY_AUTH_TOKEN": key}
            found[name] = await asyncio.to_thread(_begin, command, **more)
            if name == "front":  # bytes pass through the echo, too, as they do through Serve's
                found[name].pids += found["straight"].pids
        yield found
    finally:
        for way in reversed(found.values()):
            await asyncio.to_thread(_end, way)


async def offers(way: Way, http: aiohttp.ClientSession, count: int) -> None:
    """Ask one after the other."""
    before = way.used()
    for number in range(count + 5):
        began = time.perf_counter()
        async with http.post(f"{way.url}/api/offer", data=OFFER, headers=JSON) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{way.url} answered {answer.status}: {await answer.text()}")
            await answer.read()
        if number >= 5:
            way.offers.append(time.perf_counter() - began)
    way.cpu_offers.append((way.used() - before) / (count + 5))


async def audio(way: Way, http: aiohttp.ClientSession, seconds: float, sockets: int) -> None:
    """Let so many sockets send frames, and take them back."""
    loop = asyncio.get_running_loop()
    opened = asyncio.Event()
    waiting = sockets

    async def talk(number: int) -> None:
        nonlocal waiting
        async with http.ws_connect(f"{way.url}/api/ws", compress=0) as socket:
            waiting -= 1
            if not waiting:
                opened.set()
            await opened.wait()
            begin = loop.time() + number * EVERY / sockets

            async def listen() -> None:
                async for message in socket:
                    if message.type != aiohttp.WSMsgType.BINARY:
                        raise RuntimeError(f"{way.url}: {message}")
                    then = np.frombuffer(message.data[:8], "<f8")[0]
                    if then > begin + 0.5:  # the first half second is none
                        way.frames.append(time.perf_counter() - then)

            listening = asyncio.create_task(listen())
            rest = bytes(FRAME - 8)
            for frame in range(round(seconds / EVERY)):
                await asyncio.sleep(max(0.0, begin + frame * EVERY - loop.time()))
                stamp = np.float64(time.perf_counter()).tobytes()
                await socket.send_bytes(stamp + rest)
            await asyncio.sleep(0.2)
            await socket.close()
            await asyncio.wait_for(listening, 10)

    async with asyncio.TaskGroup() as group:
        for number in range(sockets):
            group.create_task(talk(number))
        await opened.wait()
        await asyncio.sleep(0.5)
        before, began = way.used(), loop.time()
        await asyncio.sleep(seconds - 1.0)
        way.cpu.append((way.used() - before) / (loop.time() - began))


JSON = {"Content-Type": "application/json"}


def _ms(values: list[float], share: float) -> float:
    return round(float(np.percentile(values, share)) * 1000, 3)


async def measure(names: list[str], rounds: int, count: int, seconds: float) -> dict[str, Any]:
    """Let the ways take turns."""
    async with (
        ways(names) as found,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        for turn in range(rounds):
            order = names[turn % len(names) :] + names[: turn % len(names)]
            for name in order:
                await offers(found[name], http, count)
                await audio(found[name], http, seconds, SOCKETS)
        for way in found.values():
            family = [psutil.Process(pid) for pid in way.pids]
            way.memory = sum(each.memory_full_info().pss for each in family)
        return {
            name: {
                "offer_ms": {"p50": _ms(way.offers, 50), "p99": _ms(way.offers, 99)},
                "offer_cpu_ms": round(float(np.median(way.cpu_offers)) * 1000, 3),
                "frame_ms": {"p50": _ms(way.frames, 50), "p99": _ms(way.frames, 99)},
                "cpu_of_50_sockets": round(float(np.median(way.cpu)), 4),
                "memory_mb": round(way.memory / 2**20, 1),
                "frames": len(way.frames),
            }
            for name, way in found.items()
        }


def show(found: dict[str, Any], console: Console) -> None:
    """Print what came out."""
    table = Table(title=f"There and back; {SOCKETS} sockets, a frame each 20 ms")
    for name in ("way", "POST p50", "p99", "CPU", "frame p50", "p99", "CPU of all", "memory"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, one in found.items():
        table.add_row(
            name,
            *(f"{one['offer_ms'][share]:.2f} ms" for share in ("p50", "p99")),
            f"{one['offer_cpu_ms']:.2f} ms",
            *(f"{one['frame_ms'][share]:.2f} ms" for share in ("p50", "p99")),
            f"{one['cpu_of_50_sockets']:.0%}",
            f"{one['memory_mb']:.0f} MB",
        )
    console.print(table)


def main() -> int:
    """Measure; return the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.cluster.proxies", description=__doc__)
    parser.add_argument("--only", default=",".join(WAYS), help="ways, parted by commas")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--offers", type=int, default=200, help="of each way and round")
    parser.add_argument("--seconds", type=float, default=6.0, help="of sound, likewise")
    options = parser.parse_args()
    names = [each for each in WAYS if each in options.only.split(",")]
    about = machine.describe()
    found = asyncio.run(measure(names, options.rounds, options.offers, options.seconds))
    show(found, Console(width=None if sys.stdout.isatty() else 140))
    result = {"machine": about, "load_after": machine.describe()["load_average"], "ways": found}
    path = RESULTS / "cluster-proxies.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
