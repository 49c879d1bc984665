"""A call on a bad network: packets lost and late, and an address that changes.

`sudo python -m benchmarks.web.network` plays a call to a server of its own, with aiortc's client:

* `loss`: a relay between the two loses 5 % of the packets each way and delays each by 20 to 80 ms
  (user space: it needs no kernel module and no root);
* `change`: the client stands in a network namespace with two networks. In the middle of a reply the
  one it talks over goes down and the other one up, and it restarts ICE, as a phone does that leaves
  its Wi-Fi. Needs root.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger

from tests.speech import speak
from tests.web.calls import Browser, host, humming, sandboxed, serving
from tests.web.relay import Relay, Relayed
from vivavoce.sandbox.launch import Sandbox
from vivavoce.web.exposure import Exposure
from vivavoce.web.tokens import Signer

RESULTS = Path(__file__).parent.parent / "results" / "web_network.json"
LOSS, DELAY, JITTER = 0.05, 0.020, 0.060
SENTENCES = (
    "What are your opening hours?",
    "I would like a table for two people.",
    "Could you tell me what the soup is today?",
    "Thank you very much and good bye.",
)
NAMESPACE = "vivavoce-bench"
NETWORKS = ("10.99.0", "10.99.1")
SECRET = "a secret of the benchmark's, 32 or more"
WORDS = "one two three four five six seven eight nine ten " * 6


def errors(said: str, heard: str) -> tuple[int, int]:
    """Return words wrong, and words said."""
    a, b = ([w for w in re.split(r"\W+", text.lower()) if w] for text in (said, heard))
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1], len(a)


async def loss() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with Sandbox() as sandbox:
        for name in ("clean", "lossy"):
            wrong = total = 0
            relay = Relay(loss=LOSS, delay=DELAY, jitter=JITTER)
            async with (
                serving(host("Good evening."), models=sandboxed(sandbox)) as server,
                Browser(server.url) if name == "clean" else Relayed(server.url, relay) as browser,
            ):
                await browser.call()
                await browser.spoken()
                await asyncio.sleep(3)  # the greeting may be over before the data channel is open
                for number, sentence in enumerate(SENTENCES, 1):
                    browser.mic.say(speak(sentence, 48_000))
                    heard = (await browser.event("caller_said", number))["utterance"]["text"]
                    count, words = errors(sentence, heard)
                    wrong, total = wrong + count, total + words
                    reply = (await browser.event("turn", number))["reply"]
                    await browser.until(
                        lambda reply=reply: (
                            reply in [each["reply"]["id"] for each in browser.events("agent_said")]
                        )
                    )
                network = browser.events("network")[-1]
                found[name] = {
                    "word_errors": wrong,
                    "words": total,
                    "turn_ms": [
                        round(each["latency"]["total_us"] / 1000) for each in browser.events("turn")
                    ],
                    **{k: v for k, v in network.items() if k not in {"event", "at"}},
                }
                if relay.sent:
                    found[name]["packets"] = relay.sent
                    found[name]["packets_lost"] = relay.lost
    return found


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _ns(*words: str) -> None:
    _run("ip", "netns", "exec", NAMESPACE, *words)


async def change() -> dict[str, Any]:
    token = Signer(SECRET).issue(time.time(), lifetime=600)
    exposure = Exposure("0.0.0.0", 0, origins=("https://x.example",), secret=SECRET)
    with contextlib.suppress(subprocess.CalledProcessError):
        _run("ip", "netns", "del", NAMESPACE)
    _run("ip", "netns", "add", NAMESPACE)
    try:
        for number, network in enumerate(NETWORKS):
            _run("ip", "link", "add", f"vv{number}", "type", "veth", "peer", "name", f"vp{number}")
            _run("ip", "link", "set", f"vp{number}", "netns", NAMESPACE)
            _run("ip", "addr", "add", f"{network}.1/24", "dev", f"vv{number}")
            _run("ip", "link", "set", f"vv{number}", "up")
            _ns("ip", "addr", "add", f"{network}.2/24", "dev", f"vp{number}")
        _ns("ip", "link", "set", "vp0", "up")
        async with (
            humming() as models,
            serving(host(WORDS), models=models, exposure=exposure) as server,
        ):
            process = await asyncio.create_subprocess_exec(
                "ip", "netns", "exec", NAMESPACE,
                sys.executable, "-m", "benchmarks.web.network", "--client", str(server.port),
                token, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await asyncio.wait_for(process.communicate(), 90)
            return json.loads(out.decode().strip().splitlines()[-1])
    finally:
        for number in range(len(NETWORKS)):
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("ip", "link", "del", f"vv{number}")
        _run("ip", "netns", "del", NAMESPACE)


async def client(port: int, token: str) -> None:
    first, second = (f"http://{network}.1:{port}" for network in NETWORKS)
    async with Browser(first, headers={"Authorization": f"Bearer {token}"}) as browser:
        await browser.call()
        await browser.spoken()
        await asyncio.sleep(2)
        at = time.monotonic()
        _run("ip", "link", "set", "vp0", "down")
        _run("ip", "link", "set", "vp1", "up")
        count = len(browser.heard)
        await asyncio.sleep(0.5)  # until a browser notices
        await browser.restart_ice(second)
        # aiortc's receiver makes nothing up: its next frame is the first that came again.
        await browser.until(lambda: len(browser.heard) > count + 10, 20)
        back = time.monotonic() - at
        said = await browser.event("agent_said", within=40)
        snapshots = browser.events("network")[-1]
        sound = browser.sound
        print(
            json.dumps(
                {
                    "silent_s": round(back, 2),
                    "heard_whole": said["reply"]["heard"] == WORDS.strip(),
                    "interrupted": said["reply"]["interrupted"],
                    "restarts": snapshots["restarts"],
                    "sound_s": round(len(sound) / 48_000, 1),
                    "loud_s": round(float((np.abs(sound.astype(int)) > 1_000).mean())
                                    * len(sound) / 48_000, 1),
                }
            )
        )  # fmt: skip
        browser.send("disconnect-bot")
        await browser.event("call_ended")


async def main(only: str) -> None:
    logger.remove()
    result: dict[str, Any] = {"load": round(os.getloadavg()[0], 1)}
    if only != "change":
        result["loss"] = {
            "loss": LOSS, "delay_ms": DELAY * 1000, "jitter_ms": JITTER * 1000, **await loss()
        }  # fmt: skip
    if only != "loss":
        result["change"] = await change()
    print(json.dumps(result, indent=2))
    if not only:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=["loss", "change"], default="")
    parser.add_argument("--client", nargs=2, metavar=("PORT", "TOKEN"))
    given = parser.parse_args()
    if given.client:
        asyncio.run(client(int(given.client[0]), given.client[1]))
    else:
        asyncio.run(main(given.only))
