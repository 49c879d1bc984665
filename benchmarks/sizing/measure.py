"""Measure what the parts beside the agents cost: `python -m benchmarks.sizing.measure`.

CPU time is counted and not how fast it went, so a busy machine hardly changes it. Each part is the
real program (Debian's Kamailio, coturn and PostgreSQL) with what is shipped in `deploy/`; one that
is missing is left out, and the figure that was kept stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.latency import machine
from tests.ports import HERE, free_port

RESULT = Path(__file__).parents[1] / "results" / "sizing-parts.json"
KAMAILIO = Path(__file__).parents[2] / "deploy" / "kamailio" / "kamailio.cfg"


def cpu(process: int) -> float:
    """Return the CPU seconds of a process and those that it has started and that live."""
    whole = psutil.Process(process)
    used = 0.0
    for each in (whole, *whole.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            used += times.user + times.system
    return used


@contextlib.contextmanager
def running(*command: str | Path, cwd: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; it is ended by its pid, and those that it has started with it."""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(ready: Callable[[], bool], within: float = 30.0) -> None:
    limit = time.monotonic() + within
    while not ready():
        if time.monotonic() > limit:
            raise TimeoutError("a program that is measured does not start")
        time.sleep(0.05)


def kamailio(folder: Path, calls: int = 1500, rate: int = 100) -> dict[str, Any] | None:
    """What a call costs Kamailio: INVITE, 200, ACK, BYE, 200, routes, one of two is taken."""
    programs = [shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("kamailio", "sipp")]
    if None in programs:
        return None
    port, uas = free_port(), [free_port(), free_port()]
    listed = folder / "dispatcher.list"
    listed.write_text("".join(f"1 sip:{HERE}:{each} 0 0 duid={each}\n" for each in uas))
    modules = next(iter(Path("/usr/lib").glob("*/kamailio/modules")))
    text = KAMAILIO.read_text()
    for ours, theirs in (
        ("!203.0.113.7!", f"!{HERE}!"),
        ("!5060!", f"!{port}!"),
        ("198.51.100.0/24", f"{HERE}/32"),
        ("/etc/kamailio/dispatcher.list", str(listed)),
        ("unix:/run/kamailio/kamailio_ctl", f"unix:{folder}/ctl"),
        ("debug=0\n", f'debug=0\nmpath="{modules}/"\n'),
        ('"ds_ping_interval", 5', '"ds_ping_interval", 0'),  # sipp answers no OPTIONS
    ):
        text = text.replace(ours, theirs)
    config = folder / "kamailio.cfg"
    config.write_text(text)
    called = folder / "called.xml"
    called.write_text(CALLED)
    with contextlib.ExitStack() as stack:
        for each in uas:
            stack.enter_context(
                running(
                    str(programs[1]), "-sf", called, "-i", HERE, "-p", str(each), "-nostdin",
                    "-mp", str(free_port()), "-rtp_echo", cwd=folder,
                )
            )  # fmt: skip
        proxy = stack.enter_context(
            running(
                str(programs[0]), "-DD", "-E", "-f", config, "-m", "64", "-Y", folder, "-w", folder,
                cwd=folder,
            )
        )  # fmt: skip
        until((folder / "ctl").exists)
        time.sleep(1)
        before = cpu(proxy.pid)
        caller = free_port()
        done = subprocess.run(
            [str(programs[1]), f"{HERE}:{port}", "-sf", _caller(folder), "-i", HERE, "-p",
             str(caller), "-s", "100", "-m", str(calls), "-r", str(rate), "-nostdin",
             "-timeout", "90", "-trace_err", "-error_file", folder / "errors"],
            cwd=folder, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        used = cpu(proxy.pid) - before
    if done.returncode:
        errors = folder / "errors"
        told = errors.read_text()[:1500] if errors.exists() else done.stdout[-500:]
        raise RuntimeError(f"calls through Kamailio failed: {told}")
    return {"calls": calls, "cpu_ms_per_call": round(used / calls * 1000, 3)}


def _answer(body: str, contact: str) -> str:
    return f"""<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
{contact}Content-Length: [len]

{body}]]></send>"""


SDP = (
    "v=0\no=s 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n"
    "m=audio 9 RTP/AVP 0\na=rtpmap:0 PCMU/8000\n"
)
# sipp's own scenarios follow no routes, and give none back.
CALLED = (
    '<?xml version="1.0"?><scenario name="called"><recv request="INVITE"/>'
    + _answer(
        SDP,
        "Contact: <sip:[local_ip]:[local_port]>\nContent-Type: application/sdp\n",
    )
    + '<recv request="ACK" optional="true"/><recv request="BYE"/>'
    + _answer("", "").replace(";tag=[call_number]", "")
    + "</scenario>"
)


def _caller(folder: Path) -> Path:

    def request(method: str, number: int, to: str, uri: str, routes: str, body: str = "") -> str:
        again = "" if method == "ACK" else ' retrans="500"'
        kind = "Content-Type: application/sdp\n" if body else ""
        return f"""<send{again}><![CDATA[
{method} {uri} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:s@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to}
Call-ID: [call_id]
CSeq: {number} {method}
Contact: <sip:s@[local_ip]:[local_port]>
Max-Forwards: 70
{routes}{kind}Content-Length: [len]

{body}]]></send>"""

    first = "sip:[service]@[remote_ip]:[remote_port]"
    text = (
        '<?xml version="1.0"?><scenario name="caller">'
        + request("INVITE", 1, "", first, "", SDP)
        + '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
        + '<recv response="200" rrs="true"/>'
        + request("ACK", 1, "[peer_tag_param]", "[next_url]", "[routes]\n")
        + '<pause milliseconds="500"/>'
        + request("BYE", 2, "[peer_tag_param]", "[next_url]", "[routes]\n")
        + '<recv response="200"/></scenario>'
    )
    path = folder / "caller.xml"
    path.write_text(text)
    return path


def coturn(folder: Path, clients: int = 20, packets: int = 1000) -> dict[str, Any] | None:
    """What a packet that is relayed costs coturn, 120 bytes of it, by channel."""
    names = ("turnserver", "turnutils_uclient", "turnutils_peer")
    programs = [shutil.which(name) for name in names]
    if None in programs:
        return None
    port, peer = free_port(), free_port()
    config = folder / "turnserver.conf"
    config.write_text(
        f"listening-ip={HERE}\nlistening-port={port}\nrelay-ip={HERE}\nlt-cred-mech\nuser=u:p\n"
        "realm=voice.example.com\nmin-port=46000\nmax-port=46999\nno-tls\nno-dtls\nno-cli\n"
        f"allow-loopback-peers\nno-stdout-log\nlog-file={folder / 'turn.log'}\nsimple-log\n"
        f"pidfile={folder / 'turn.pid'}\nuserdb={folder / 'turn.db'}\n"
    )
    with (
        running(str(programs[2]), "-L", HERE, "-p", str(peer), cwd=folder),
        running(str(programs[0]), "-c", config, cwd=folder) as server,
    ):
        until(lambda: _listens(port))
        before = cpu(server.pid)
        done = subprocess.run(
            [str(programs[1]), "-u", "u", "-w", "p", "-e", HERE, "-r", str(peer), "-p", str(port),
             "-n", str(packets), "-m", str(clients), "-l", "120", "-z", "20", "-c", HERE],
            cwd=folder, capture_output=True, timeout=240, check=False,
        )  # fmt: skip
        used = cpu(server.pid) - before
    told = done.stdout.decode(errors="replace")
    sent, came = (_last(told, f"tot_{word}_msgs=") for word in ("send", "recv"))
    if not came:
        raise RuntimeError(f"nothing came through coturn: {told[-500:]}")
    # Each message goes through it twice: to the peer, and back.
    relayed = sent + came
    return {
        "clients": clients, "packets": relayed, "lost": sent - came,
        "cpu_us_per_packet": round(used / relayed * 1e6, 2),
    }  # fmt: skip


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HERE, port), 1):
        return True
    return False


def _last(text: str, word: str) -> int:
    found = [part.split(",")[0].split()[0] for part in text.split(word)[1:]]
    return int(found[-1].strip(", ~")) if found else 0


def call_record(call: str, turns: int, *, live: bool) -> dict[str, Any]:
    """A call's record as it stands after some turns: what a caller said, what was answered."""
    transcript: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for turn in range(turns):
        at = turn * 12.0
        stages = dict.fromkeys(
            ("endpointing", "transcription", "thinking", "tools", "clause", "speech", "output"),
            70_000,
        )
        transcript += [
            {"kind": "caller", "text": f"Could we have table number {turn} for four on Friday?",
             "started": at, "ended": at + 3.0, "why_ended": "semantic: silence 220 ms"},
            {"kind": "agent", "generated": f"Table {turn} is free at seven and at nine. Which one?",
             "heard": f"Table {turn} is free at seven and at nine. Which one?", "unheard": "",
             "interrupted": False, "started": at + 3.5, "ended": at + 7.5,
             "latency": {"total_us": 490_000, "stages_us": stages, "hidden_us": {}}},
        ]  # fmt: skip
        events += [
            {"event": name, "at": at} for name in ("caller_started", "caller_stopped", "agent_said")
        ]
    return {
        "call": call, "agent": "host", "caller": "ada", "called": "", "kind": "webrtc",
        "began": "2026-11-21T12:00:00+00:00", "seconds": turns * 12.0, "live": live,
        "ended": "" if live else "the caller hung up", "cost_usd": 0.02,
        "models": {"hearing": "h", "thinking": "t", "speaking": "s"}, "transcript": transcript,
        "events": events,
    }  # fmt: skip


async def _write_calls(url: str, calls: int, turns: int, day: int = 21) -> int:
    from vivavoce.web.store import Store
    from vivavoce.web.store_postgres import PostgresDatabase

    async with Store(PostgresDatabase(url), upkeep=False) as store:
        for first in range(0, calls, 20):
            group = [f"202611{day}T120000-{number:08x}" for number in range(first, first + 20)]
            for turn in range(turns + 1):
                for call in group:
                    store.put(call_record(call, turn, live=turn < turns))
                await store.flush()
        return store.written


def postgres(folder: Path, calls: int = 200, turns: int = 15) -> dict[str, Any] | None:
    """What a call's records cost PostgreSQL: begun, after each turn, and over."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    user = next(
        (name for name in ("postgres", "nobody") if any(p.pw_name == name for p in pwd.getpwall())),
        None,
    )
    if not found or (os.geteuid() == 0 and user is None):
        return None
    home = folder / "pg"
    home.mkdir(mode=0o700)
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(home, user)
        folder.chmod(0o755)
        who = {"user": user}
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [found[-1].parent / "initdb", "-D", home / "data", "-U", "viva", "-A", "trust", "-E",
         "UTF8", "--no-instructions"],
        check=True, capture_output=True, timeout=120, cwd=home, env=env, **who,
    )  # fmt: skip
    # As it comes: it waits for the disk at each commit.
    with running(
        found[-1], "-D", home / "data", "-k", home, "-h", "", "-c", "shared_buffers=256MB",
        cwd=home, env=env, **who,
    ) as server:  # fmt: skip
        until((home / ".s.PGSQL.5432").exists)
        time.sleep(1)
        url = f"postgresql://viva@/postgres?host={home}"
        asyncio.run(_write_calls(url, 20, 1, 20))  # tables, and what is warm afterwards
        size = _size(home / "data" / "base")
        ended = psutil.Process(server.pid).cpu_times()
        before = cpu(server.pid) + ended.children_user + ended.children_system
        began = time.monotonic()
        written = asyncio.run(_write_calls(url, calls, turns))
        took = time.monotonic() - began
        time.sleep(1)  # what served the connection has ended, and is counted with its parent
        ended = psutil.Process(server.pid).cpu_times()
        used = cpu(server.pid) + ended.children_user + ended.children_system - before
        grown = _size(home / "data" / "base") - size
    return {
        "calls": calls, "turns": turns, "writes": written,
        "writes_per_call": round(written / calls, 1),
        "cpu_ms_per_write": round(used / written * 1000, 3),
        "one_after_the_other_per_s": round(written / took, 1),
        "disk_kb_per_call": round(grown / calls / 1000, 1),
    }  # fmt: skip


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def series(_: Path) -> dict[str, Any]:
    """How many series a process has: with three kinds of calls and three providers."""
    from vivavoce.agent.ledger import Request, Span, account
    from vivavoce.agent.usage import Usage
    from vivavoce.pipelines.observing.meter import Meter
    from vivavoce.pipelines.observing.tally import Gain, Turn

    meter = Meter("1.0.0")
    spans = [Span("transcription", 1.0, 1.1), Span("thinking", 1.1, 1.3), Span("speech", 1.3, 1.4)]
    served = {"hearing": "a at m", "thinking": "b at m", "speaking": "c at m"}
    whole = [Request(stage, name, 1.0, 1.2, 2.0, "whole") for stage, name in served.items()]  # type: ignore[arg-type]
    for kind in ("webrtc", "socket", "phone in"):
        meter.began(kind)
        gain = Gain(
            turns=[Turn(account(1.0, 1.5, spans), served)], reactions=[0.1], partials=[0.3],
            requests=whole, usage=Usage(3, 100, 20, 50, 2.0, 1.0), costs={"b": 0.001},
        )  # fmt: skip
        meter.gained(kind, gain, "")
        meter.ended(kind, "the caller hung up", 30.0)
    count = sum(len(metric.samples) for metric in meter.registry.collect())
    return {"series_per_process": count}


PARTS: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    "kamailio": kamailio,
    "coturn": coturn,
    "postgres": postgres,
    "prometheus": series,
}


def main(only: list[str]) -> int:
    """Measure, and keep what came of it."""
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name, work in PARTS.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory(prefix="vv-sizing-") as folder:
            found = work(Path(folder))
        if found is None:
            print(f"{name}: its program is missing here; left as it was")
            continue
        kept[name] = {**found, "machine": machine.describe()}
        print(name, json.dumps(found))
        RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
