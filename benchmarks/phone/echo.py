"""Many calls at once: what a call's signalling, media and echo cost, without models."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

SCENARIO = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="speech">
<send retrans="500"><![CDATA[
INVITE sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]T[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: sip:sipp@[local_ip]:[local_port]
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=user1 53655765 2353687637 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
<recv response="100" optional="true"/><recv response="180" optional="true"/>
<recv response="200" rtd="true"/>
<send><![CDATA[
ACK sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]T[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<nop><action><exec rtp_stream="{file},-1,0,PCMU/8000"/></action></nop>
<pause milliseconds="{milliseconds}"/>
<send retrans="500"><![CDATA[
BYE sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]T[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""


PATIENCE = 60.0
"""Seconds that a station may take to tell its figures."""


class Worker(psutil.Process):
    """A station's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(process.pid)
        self._pipes = process

    def ask(self) -> str:
        """Ask for a line of figures; `worker.py` knows some."""
        assert self._pipes.stdin is not None
        assert self._pipes.stdout is not None
        self._pipes.stdin.write("\n")
        self._pipes.stdin.flush()
        # It answers with one line, so that nothing of it waits in the buffer.
        if not select.select([self._pipes.stdout], [], [], PATIENCE)[0]:
            raise TimeoutError(f"the station says nothing for {PATIENCE:.0f} s")
        return self._pipes.stdout.readline()


OURS: tuple[str, ...] = (sys.executable, "-m", "benchmarks.phone.worker")


@contextmanager
def station(core: int | None = None, command: Sequence[str] = OURS) -> Iterator[tuple[Worker, int]]:
    """Start a station on one core; give its process and its port."""
    process = subprocess.Popen(
        list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})  # before it has made any thread
        assert process.stdout is not None
        yield Worker(process), int(process.stdout.readline())
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def speech(path: Path, seconds: float = 10.0) -> Path:
    """Noise in bursts, as loud and as often silent as speech, as raw μ-law."""
    from benchmarks.media import voice
    from vivavoce.pipelines.audio.convert import encode_mulaw

    path.write_bytes(encode_mulaw(voice(8000, seconds)))
    return path


def run(calls: int = 50, seconds: float = 20.0, command: Sequence[str] = OURS) -> dict[str, object]:
    """Hold `calls` calls at once; return what they took of a core, and of memory."""
    with tempfile.TemporaryDirectory() as folder, station(0, command) as (process, port):
        file = speech(Path(folder) / "speech.ulaw")
        scenario = Path(folder) / "scenario.xml"
        hold = seconds + calls / 10 + 5
        scenario.write_text(SCENARIO.format(file=file, milliseconds=round(hold * 1000)))
        time.sleep(1)
        before = process.memory_info().rss
        files = process.num_fds()
        sipp = subprocess.Popen(
            ["sipp", f"127.0.0.1:{port}", "-sf", scenario, "-i", "127.0.0.1", "-mi", "127.0.0.1",
             "-mp", str(random.randrange(30_000, 60_000, 1000)), "-l", str(calls), "-m", str(calls),
             "-r", "10", "-nostdin"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            time.sleep(calls / 10 + 3)
            start, clock = process.cpu_times(), time.monotonic()
            lines = (process.num_fds() - files) // 2
            time.sleep(seconds)
            used, took = process.cpu_times(), time.monotonic() - clock
            memory = process.memory_info().rss
            code = sipp.wait(seconds + 60)
        finally:
            if sipp.poll() is None:
                sipp.kill()
                sipp.wait()
        time.sleep(2)
        cpu = used.user + used.system - start.user - start.system
        return {
            "calls": calls,
            "calls_up": lines,
            "all_went_well": code == 0,
            "cpu_share_of_a_core": round(cpu / took, 3),
            "rss_before_mb": round(before / 2**20, 1),
            "rss_mb": round(memory / 2**20, 1),
            "kb_per_call": round((memory - before) / calls / 1024),
            "sockets_left": process.num_fds() - files,
        }
