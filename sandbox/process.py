"""The server as a process: warms the engines, says that it is ready, and ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading

from vivavoce.sandbox.server import Server

_WATCH_S = 1.0  # how often the parent is looked for
_GRACE_S = 3.0  # from the order to stop to the end, whatever hangs

log = logging.getLogger("vivavoce.sandbox")


def _die_with_parent() -> None:
    """Ask Linux for SIGTERM when the thread that started this process is gone."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _until_stdin_ends(stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop.set()


def _until_parent_ends(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent:
        if stop.wait(_WATCH_S):
            return
    stop.set()


async def serve(
    port: int = 0,
    key: str | None = None,
    host: str = "127.0.0.1",
    *,
    stop: threading.Event | None = None,
) -> None:
    """Warm the engines, listen, print the ready line and serve until told to stop.

    The ready line is one JSON object on stdout: ``url``, ``key``, ``pid`` and ``engines``.

    Args:
        port: 0 takes a free one.
        key: The main API key; random when None.
        host: A loopback address.
        stop: Ends it when set by another thread; SIGTERM does too, and without it SIGINT. Who has
            another process to tell it when to stop is not to hear a terminal's Ctrl-C, behind which
            calls still end.

    Raises:
        EngineMissingError: When no engine is installed for hearing or speaking.
        OSError: When the port is taken.
    """
    from vivavoce.sandbox.hearing import Hearing
    from vivavoce.sandbox.speaking import Speaking

    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        if stop is None:
            loop.add_signal_handler(signal.SIGINT, ended.set)
    if stop is not None:
        watched = stop

        def wait() -> None:
            watched.wait()
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)
            # Whatever hangs now must not outlive the parent.
            threading.Event().wait(_GRACE_S)
            os._exit(1)

        threading.Thread(target=wait, name="watch", daemon=True).start()
    loading = asyncio.create_task(asyncio.to_thread(Hearing), name="load hearing")
    speaking = Speaking()
    hearing: Hearing | None = None
    try:
        await speaking.warm()
        hearing = await loading
    except BaseException:
        loading.cancel()
        await speaking.close()
        raise

    # What was loaded stays: the collector need not walk it while somebody speaks.
    gc.collect()
    gc.freeze()
    server = Server(hearing, speaking, key)
    try:
        url = await server.start(host, port)
        ready = {"url": url, "key": server.key, "pid": os.getpid(), "engines": server.engines}
        print(json.dumps(ready), flush=True)
        await ended.wait()
    finally:
        await server.close()


def run(
    port: int = 0,
    key: str | None = None,
    host: str = "127.0.0.1",
    *,
    parent: int | None = None,
    watch_stdin: bool = False,
) -> None:
    """Serve in this process until told to stop, or until the parent's end; see ``serve``.

    Args:
        port: 0 takes a free one.
        key: The main API key; random when None.
        host: A loopback address.
        parent: The process whose end is ours too.
        watch_stdin: End when stdin does, that is when whoever holds its other end dies.
    """
    logging.basicConfig(stream=sys.stderr, format="%(name)s %(levelname)s: %(message)s")
    stop = threading.Event()
    if parent is not None or watch_stdin:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent is not None:
        _die_with_parent()
        watch = threading.Thread(target=_until_parent_ends, args=(parent, stop), daemon=True)
        watch.start()
    if watch_stdin:
        threading.Thread(target=_until_stdin_ends, args=(stop,), daemon=True).start()
    watched = stop if parent is not None or watch_stdin else None
    asyncio.run(serve(port, key, host, stop=watched))
