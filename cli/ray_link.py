"""What is asked of Ray itself. All of it blocks, some of it for as long as Ray's head is away."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import secrets
from typing import Any

SPACE = "vivavoce"
"""Ray's namespace in which our actors have their names."""
KEEPER = "keeper"
"""The name of the actor that keeps them."""
WORKER = "worker-"
"""What the names of workers' actors begin with."""
STORE = 80_000_000
"""Bytes of shared memory for objects on a cluster of our own: audio never goes through Ray."""


BORN = {"OPENBLAS_NUM_THREADS": "1", "LOGURU_LEVEL": "WARNING"}
"""Variables that our actors' processes are started with: more threads for linear algebra cost twice
the CPU and are no faster. Never a secret: Ray keeps and shows these."""


class ClusterError(ValueError):
    """There is no cluster, or it cannot be used; the message says what to do."""


def connect(address: str, *, cores: int | None = None, show_logs: bool = True) -> None:
    """Connect this process to a Ray cluster, or start one of its own. Blocks for some seconds.

    A cluster of our own listens on loopback alone, has no dashboard, and ends with this process.

    Args:
        address: HOST:PORT of a cluster, "auto" for the one of this machine, "" for RAY_ADDRESS and,
            without that, one of our own; "local" always for that.
        cores: Workers that fit on a cluster of our own; None: as many as there are cores.
        show_logs: Show what workers log.

    Raises:
        ClusterError: Ray is not installed, or there is no such cluster.
    """
    address = address or os.environ.get("RAY_ADDRESS", "") or "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    if address == "local":
        # Read when Ray is imported. With it, all of Ray listens on 127.0.0.1.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        if "RAY_AUTH_MODE" not in os.environ:
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise ClusterError(
            "--cluster needs Ray: pip install 'vivavoce[cluster]'; --workers N does without"
        ) from None
    own = {"num_cpus": cores, "object_store_memory": STORE, "include_dashboard": False}
    try:
        ray.init(
            address=address,
            namespace=SPACE,
            log_to_driver=show_logs,
            logging_level=logging.WARNING,
            **(own if address == "local" else {}),
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no Ray cluster at {address}: {said(error)}") from None


def disconnect() -> None:
    """Leave the cluster; one of our own ends. Idempotent."""
    import ray

    ray.shutdown()


def cores() -> dict[str, int]:
    """Return how many cores each of the cluster's machines has, as Ray counts them, by its id."""
    import ray

    alive = (node for node in ray.nodes() if node["Alive"])
    return {str(node["NodeID"]): int(node["Resources"].get("CPU", 0)) for node in alive}


def addresses() -> set[str]:
    """Return the addresses of the cluster's machines."""
    import ray

    return {str(node["NodeManagerAddress"]) for node in ray.nodes() if node["Alive"]}


def demand(count: int) -> None:
    """Tell Ray's autoscaler, where there is one, that so many workers are to fit; 0: none."""
    from ray.autoscaler.sdk import request_resources

    request_resources(bundles=[{"CPU": 1}] * count)


def keeper(kind: type) -> Any:
    """Return the cluster's keeper, made if there is none: an actor that is restarted."""
    import ray

    return (
        ray.remote(kind)
        .options(
            name=KEEPER,
            namespace=SPACE,
            get_if_exists=True,
            lifetime="detached",
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=64,
            runtime_env={"env_vars": BORN},
        )
        .remote()
    )


def make_worker(kind: type, name: str, node: str) -> Any:
    """Make a worker's actor on a machine, by its id.

    It reserves half a core, so that its successor finds room while its calls run out; that there is
    one to a core is `vivavoce.cli.steward.node_for`'s to see to.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return (
        ray.remote(kind)
        .options(
            name=WORKER + name,
            namespace=SPACE,
            lifetime="detached",
            num_cpus=0.5,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=16,
            runtime_env={"env_vars": BORN},
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        .remote()
    )


def there() -> Any:
    """Return the cluster's keeper.

    Raises:
        ClusterError: There is none.
    """
    found = find_actor(KEEPER)
    if found is None:
        raise ClusterError("no front is there: `vivavoce serve --cluster` begins one")
    return found


def end_keeper() -> None:
    """End the cluster's keeper: it is not started again until a front comes."""
    kill(find_actor(KEEPER))


def worker_names() -> list[str]:
    """Return the names of all workers' actors."""
    from ray.util import list_named_actors

    given = [each["name"] for each in list_named_actors(True) if each["namespace"] == SPACE]
    return sorted(name for name in given if name.startswith(WORKER))


def find_actor(name: str) -> Any:
    """Return one of our actors; None if there is none of that name."""
    import ray

    try:
        return ray.get_actor(name, namespace=SPACE)
    except ValueError:
        return None


def kill(actor: Any) -> None:
    """End an actor by force, and for good; never raises."""
    import ray

    with contextlib.suppress(Exception):  # it is dead already
        ray.kill(actor, no_restart=True)


def own_address() -> str:
    """Return the address of the machine that this runs on, as other machines reach it."""
    from ray.util import get_node_ip_address

    return str(get_node_ip_address())


def own_node() -> str:
    """Return the machine's name for people: its address, and the beginning of Ray's id of it."""
    return f"{own_address()}-{own_ident()[:6]}"


def own_ident() -> str:
    """Return Ray's id of the machine that this runs on."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


def said(error: BaseException) -> str:
    """Return what an error of Ray's says, in one line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, ClusterError):
        return str(cause)
    if isinstance(cause, Exception):
        return f"{type(cause).__name__}: {cause}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "Error" not in line), lines[0] if lines else "") or (
        type(error).__name__
    )
