"""An echo on baresip-python, in an environment of its own; imports nothing of ours.

Like `worker.py` it prints its port, answers every call and says back what it hears.
"""

import asyncio
import contextlib
import random
import socket
import sys

from baresip import Account, AudioNotActive, AudioRestarted, Config
from baresip.call import Call, CallState
from baresip.runtime import Runtime
from baresip.ua import UserAgent

STEP = 0.020


async def echo(call: Call) -> None:
    # Without video it sends a re-INVITE of its own 100 ms after each answer, and sipp gives up.
    await call.answer(video=True)
    loop = asyncio.get_running_loop()
    due = loop.time()
    began = False
    while call.state is not CallState.CLOSED:
        due += STEP
        await asyncio.sleep(max(0.0, due - loop.time()))
        try:
            pcm = call.audio.read(4096)
            if pcm:
                call.audio.write(pcm)
            began = True
        except (AudioNotActive, AudioRestarted):
            if began:
                return


def free_port() -> int:
    """Find a port that is free, and the next, which it binds for TLS unasked."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(24_100, 29_900, 2)
        with contextlib.ExitStack() as stack:
            try:
                for number in (port, port + 1):
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
                        sock.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port


async def main() -> None:
    port = free_port()
    runtime = Runtime()
    extra = f"sip_listen 127.0.0.1:{port}\nrtp_ports 20000-24000\n"
    await runtime.start(
        Config(net_interface="127.0.0.1", max_concurrent_calls=None, extra_config_text=extra)
    )
    agent = await UserAgent.create(
        runtime,
        Account("echo", f"127.0.0.1:{port}", "", reg_interval=0, audio_codecs=("pcmu",)),
    )
    tasks = set()

    def incoming(call: Call) -> None:
        task = asyncio.create_task(echo(call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    agent.on_incoming(incoming)
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runtime.close()


asyncio.run(main())
