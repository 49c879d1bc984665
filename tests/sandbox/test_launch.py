from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from vivavoce.sandbox.launch import KEY_VARIABLE, Sandbox, SandboxError

_GONE_S = 5.0

PARENT = """
import asyncio, json, sys
from vivavoce.sandbox.launch import Sandbox
from mistralai.client import Mistral

async def main():
    async with Sandbox.launch() as sandbox:
        async with Mistral(api_key=sandbox.key, server_url=sandbox.url) as sdk:
            await sdk.audio.speech.complete_async(
                input="Bonjour.", voice_id="fr_marie_neutral", response_format="pcm")
        print(sandbox.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=_GONE_S)
    return not alive


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_neither_sandbox_nor_worker_outlives_a_killed_parent(sig):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        family = [child, *child.children(recursive=True)]
        assert len(family) == 2  # the sandbox and its espeak-ng worker
        parent.send_signal(sig)
    assert gone(family)


def test_the_pipe_alone_ends_it_where_the_kernel_does_not_help():
    command = [sys.executable, "-m", "vivavoce.sandbox", "--watch-stdin"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        ready = json.loads(child.stdout.readline())
        assert ready["pid"] == child.pid
        assert ready["url"].startswith("http://127.0.0.1:")
        assert ready["key"]
        # A terminal's Ctrl-C reaches all of its processes, and calls behind it still end.
        for process in (child, *psutil.Process(child.pid).children(recursive=True)):
            process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.stdin.close()
        assert child.wait(_GONE_S) == 0
        assert child.stderr.read() == b""


def test_sigterm_ends_it_in_good_order():
    command = [sys.executable, "-m", "vivavoce.sandbox"]
    environment = {**os.environ, KEY_VARIABLE: "my-key"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as child:
        assert json.loads(child.stdout.readline())["key"] == "my-key"
        child.terminate()
        assert child.wait(_GONE_S) == 0
        assert child.stderr.read() == b""


async def test_async_life_from_start_to_end():
    async with Sandbox.launch() as sandbox:
        assert sandbox.engines["think"] == "embedded-rules"
        pid = sandbox.pid
        assert psutil.pid_exists(pid)
        # Neither the key nor anything else secret is on the command line.
        assert sandbox.key not in " ".join(psutil.Process(pid).cmdline())
    assert not psutil.pid_exists(pid)
    await asyncio.to_thread(sandbox.close)


def test_a_sandbox_may_be_started_by_a_thread_that_ends():
    sandbox = Sandbox()

    async def start() -> None:
        await asyncio.to_thread(sandbox.start)

    asyncio.run(start())  # its threads end with it
    try:
        assert sandbox.report(sandbox.key)["connections"] == 0
    finally:
        sandbox.close()
        sandbox.close()
    with pytest.raises(OSError, match="refused"):
        sandbox.report(sandbox.key)


def test_a_failed_start_says_why_and_leaves_nothing():
    with Sandbox() as other:
        port = int(other.url.rsplit(":", 1)[1])
        second = Sandbox(port=port)
        with pytest.raises(SandboxError, match="in use"):
            second.start()
        assert second.pid is None


def test_a_start_that_takes_too_long_is_ended():
    sandbox = Sandbox(ready_s=0.01)
    with pytest.raises(SandboxError, match=r"not ready after 0\.01 s"):
        sandbox.start()
    assert sandbox.pid is None


async def test_a_cancelled_start_leaves_nothing():
    sandbox = Sandbox.launch()
    starting = asyncio.create_task(sandbox.__aenter__())
    await asyncio.sleep(0.1)
    child = psutil.Process(sandbox.pid)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert gone([child])


def test_a_running_sandbox_is_not_started_twice(sandbox):
    with pytest.raises(RuntimeError, match="running already"):
        sandbox._spawn()


def test_importing_the_sandbox_does_not_import_pipecat():
    code = "import sys, vivavoce.sandbox.server; print('pipecat' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
