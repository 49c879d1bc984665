"""Machines that come and go: Ray's own autoscaler over a provider that starts nodes on loopback.

Only where machines come from is not real: Ray's `FakeMultiNodeProvider` makes processes of them.
What decides is the autoscaler (its second version, as on KubeRay) that looks after a real cluster.

`python -m benchmarks.cluster.machines MOST IDLE` tells the cluster's address in its first line, and
ends all of it when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks.cluster.nodes import STOP, Nodes

PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
HEAD = "f" * 51 + "00000"
HEAD_TYPE = "ray.head.default"
"""What that provider takes for the id of the node that was there first, and for its type."""
STORE = 80_000_000
"""Bytes of shared memory of each node."""
STARTED = "Ray runtime started"
"""What Ray says once its first node is there."""
START = 150.0
"""Seconds in which the first node is there."""
_SUBREAPER = 36  # prctl(2): PR_SET_CHILD_SUBREAPER


class Machines(Nodes):
    """A Ray cluster of one node with one core, which gets more of them by need.

    Args:
        most: How many may come beside the first one.
        idle: Seconds after which one that nobody uses goes away.
    """

    def __init__(self, most: int = 2, idle: float = 10.0) -> None:
        super().__init__()
        self.environment["AUTOSCALER_UPDATE_INTERVAL_S"] = "1"
        self._module = ["benchmarks.cluster.machines", str(most), str(idle)]

    def add(self) -> None:
        """Nobody adds one by hand."""
        raise RuntimeError("the autoscaler adds nodes")


def configuration(port: int, most: int, idle: float) -> dict[str, Any]:
    """Return the autoscaler's configuration: one core to a machine, none before it is asked for."""
    provider = {
        "type": "external",
        "module": PROVIDER,
        "gcs_address": f"127.0.0.1:{port}",
        "head_node_id": HEAD,
        "launch_multiple": True,
    }
    machine = {
        "resources": {"CPU": 1, "object_store_memory": STORE},
        "node_config": {},
        "min_workers": 0,
        "max_workers": most,
    }
    head = {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0}
    # What the autoscaler wants to read and nobody uses: nothing is set up on these machines.
    commands = ("", "head_", "worker_")
    nothing = {
        **{f"{each}setup_commands": [] for each in commands},
        **{f"{each}start_ray_commands": [] for each in commands[1:]},
        **{each: [] for each in ("initialization_commands", "cluster_synced_files")},
    }
    return {
        **nothing,
        "file_mounts": {},
        "auth": {"ssh_user": "nobody"},
        "cluster_name": "vivavoce",
        "max_workers": most,
        "idle_timeout_minutes": idle / 60,
        "upscaling_speed": 1.0,
        "provider": provider,
        "head_node_type": HEAD_TYPE,
        "available_node_types": {HEAD_TYPE: head, "machine": machine},
    }


def main() -> None:
    """Have a first node and its autoscaler until the standard input ends."""
    # The nodes that the autoscaler starts outlive it: they become this process' children then.
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    most, idle = int(sys.argv[1]), float(sys.argv[2])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Ray's sockets have long names, and a socket's may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="vv-", ignore_cleanup_errors=True) as place:
        path = Path(place) / "machines.json"
        path.write_text(json.dumps(configuration(port, most, idle)))
        command = [
            *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"),
            *("--port", str(port), "--node-ip-address", "127.0.0.1", "--num-cpus", "1"),
            *("--object-store-memory", str(STORE), "--include-dashboard=false"),
            *("--dashboard-agent-listen-port", "0", "--temp-dir", place),
            f"--autoscaling-config={path}",
        ]
        given = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "RAY_FAKE_CLUSTER": "1",
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": HEAD,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
            "RAY_NODE_TYPE_NAME": HEAD_TYPE,
        }
        process = subprocess.Popen(
            command,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started, ended = threading.Event(), threading.Event()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", file=sys.stderr)
                if STARTED in line:  # its port is open long before it answers
                    started.set()
            ended.set()

        def wait() -> None:
            sys.stdin.read()
            ended.set()

        try:
            for each in (read, wait):
                threading.Thread(target=each, daemon=True).start()
            until = time.monotonic() + START
            while not started.wait(0.2):
                if ended.is_set() or time.monotonic() > until:
                    raise RuntimeError("Ray has not started")
            print(f"127.0.0.1:{port}", flush=True)
            ended.wait()
        finally:
            _end()


def _end() -> None:
    """End whatever this process has started, and what that has."""
    family = psutil.Process().children(recursive=True)
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.terminate()
    psutil.wait_procs(family, STOP / 3)
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


if __name__ == "__main__":
    main()
