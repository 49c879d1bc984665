"""Ray nodes on loopback: several on one machine, each with as many cores as it is told to have.

They belong to a process of their own, which ends them when its standard input is closed: also when
who started it is killed. `python -m benchmarks.cluster.nodes CORES` tells the cluster's address in
its first line, and adds a node for each line that it reads.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

CORES = 1
STOP = 30.0
"""Seconds in which all nodes end."""


class Nodes:
    """A Ray cluster of one's own. Use it as a context manager.

    All of it listens on 127.0.0.1 and asks for a token, has no dashboard, and ends with the block.

    Args:
        cores: Of each node.

    Attributes:
        address: For `--ray`.
        environment: What processes need to be let in.
    """

    def __init__(self, cores: int = CORES) -> None:
        self.environment = {
            # Read when Ray is imported: its nodes then have the address 127.0.0.1.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            # How long a node may take to start (s): the machine may be busy.
            "RAY_raylet_start_wait_time_s": "150",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
        self._module = ["benchmarks.cluster.nodes", str(cores)]
        self.address = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self.environment},
            cwd=Path(__file__).parents[2],
        )
        try:
            self.address = self._told()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        family = self.processes()
        process.stdin.close()
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for each in family:  # what does not end by itself
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.stdout.close()

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the cluster: Ray's, and ours in it."""
        try:
            return list(psutil.Process(self._process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def add(self) -> None:
        """Start another node; returns once it is there."""
        assert self._process.stdin is not None
        self._process.stdin.write("add\n")
        self._process.stdin.flush()
        self._told()

    def _told(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError("Ray's nodes do not start")
        return line


def main() -> None:
    """Have nodes until the standard input ends."""
    from ray.cluster_utils import Cluster

    about: dict[str, Any] = {
        "num_cpus": int(sys.argv[1]),
        "object_store_memory": 80_000_000,
        "include_dashboard": False,
    }
    cluster = Cluster(initialize_head=True, head_node_args=about)
    try:
        print(cluster.address, flush=True)
        for _ in sys.stdin:
            cluster.add_node(**about)
            print("added", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
