"""Ports of this machine that nobody has."""

from __future__ import annotations

import contextlib
import random
import socket

HERE = "127.0.0.1"


def free_port(span: int = 2) -> int:
    """Find a port that is free for UDP and TCP, and those behind it.

    Args:
        span: How many in a row; two by default, as a SIP port has that of TLS behind it.

    Raises:
        OSError: There is none.
    """
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randrange(31_000, 39_000, 10)
        with contextlib.ExitStack() as stack:
            try:
                for number in range(port, port + span):
                    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                        sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
                        sock.bind((HERE, number))
            except OSError:
                continue
            return port
    raise OSError("no port is free")
