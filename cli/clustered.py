"""`vivavoce serve --cluster`: a front, whose workers are actors on a Ray cluster's machines."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vivavoce.cli.membership import Membership
from vivavoce.cli.models import open_sandbox
from vivavoce.cli.parcel import home, inside, pack
from vivavoce.cli.ray_link import addresses, connect, disconnect
from vivavoce.cli.serve import ServeError, Serving, Setup, tell_drain
from vivavoce.cli.steward import Plan
from vivavoce.cli.stopping import hurried, signals
from vivavoce.cli.workers import WorkerSpec, opened_front
from vivavoce.pipelines.tasks import Tasks
from vivavoce.web.cluster.front import Front
from vivavoce.web.cluster.proof import KEY
from vivavoce.web.cluster.scaling import Scale

OURS, THEIRS = "VIVAVOCE_", ("MISTRAL_API_KEY", "TELNYX_PUBLIC_KEY")
"""Variables of the environment that workers on other machines get: all of ours, and these."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster, and how many workers.

    Attributes:
        address: As `connect` takes it.
        scale: How many workers; None: one to each core of its machines.
    """

    address: str = ""
    scale: Scale | None = None


def plan_of(spec: WorkerSpec, cluster: Cluster, drain: float, here: Path, *, near: bool) -> Plan:
    """Return what the workers are to be.

    Args:
        spec: Their specification, with the key.
        cluster: How many.
        drain: Seconds that calls may go on where a worker ends.
        here: The working folder.
        near: Whether they all run on this machine: then nothing has to be sent.

    Raises:
        ParcelError: The agents' folder cannot be sent.
        ServeError: Something would be left on one machine of several.
    """
    if spec.as_json:
        raise ServeError("--json tells of calls, which other machines carry: leave it out")
    scale = cluster.scale
    least, most = (1, None) if scale is None else (scale.least, scale.most)
    parcel, folder, agents = b"", str(here), spec.agents
    if not near:
        if spec.out is not None:
            raise ServeError("--out is a folder on one machine: keep records in PostgreSQL")
        files = [each for each in (spec.setup, spec.phone) if each is not None]
        found = home((*spec.agents, *files), here)
        agents = tuple(inside(where, here) for where in spec.agents)
        parcel, folder = (pack(found) if found is not None else b""), ""
        spec = replace(
            spec,
            setup=None if spec.setup is None else inside(spec.setup, here),
            phone=None if spec.phone is None else inside(spec.phone, here),
        )
    spec = replace(
        spec,
        name="",
        slot=0,
        host="",
        agents=agents,
        quiet=True,  # what Ray keeps of a process' output is for everybody who looks after it
        environment=environment(os.environ),
    )
    given = spec.to_json()
    return Plan(given, parcel, folder, least, most, drain, time.time())


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that workers get; the cluster's key is not among them."""
    return {
        name: value
        for name, value in given.items()
        if (name.startswith(OURS) and name != KEY) or name in THEIRS
    }


def run_cluster(cluster: Cluster, spec: WorkerSpec, serving: Serving) -> int:
    """Take calls by a front and a cluster's workers, until Ctrl-C or SIGTERM.

    The workers end with the last front, once their calls are over; a second signal does not wait.
    SIGHUP sends the newest agent, and puts a new worker in the place of each, one after the other.

    Args:
        cluster: Which one.
        spec: What the workers are.
        serving: The front.

    Returns:
        The exit code.

    Raises:
        ServeError: It is set up wrongly, or the port cannot be had.
        ClusterError: There is no such cluster, or no worker starts there.
        ParcelError: The agents cannot be sent.
    """
    most = None if cluster.scale is None else cluster.scale.most
    # Before asyncio: Ray takes SIGTERM for itself.
    connect(cluster.address, cores=most, show_logs=serving.settings.log_format != "json")
    try:
        return asyncio.run(_serve(cluster, spec, serving))
    finally:
        disconnect()


async def _serve(cluster: Cluster, spec: WorkerSpec, serving: Serving) -> int:
    setup, settings, console = serving.setup, serving.settings, serving.console
    stop, again, renew = asyncio.Event(), asyncio.Event(), asyncio.Event()
    membership, tasks = Membership(), Tasks()
    where = addresses()
    near = all(ipaddress.ip_address(each).is_loopback for each in where) and len(where) == 1
    here = await asyncio.to_thread(Path.cwd)
    with signals(stop, again, renew):
        try:
            spec = replace(spec, key=await _key(membership))
            front = _make_front(setup, spec.key, membership)
            async with opened_front(front, setup), open_sandbox(settings) as (url, key):
                if url and settings.needs_sandbox and not near:
                    text = "the sandbox would run on this machine alone: start one"
                    raise ServeError(f"{text} (`vivavoce sandbox`) and give VIVAVOCE_SANDBOX_URL")
                if not near and setup.records.where and "://" not in setup.records.where:
                    text = "[records] is a folder on one machine: keep records in PostgreSQL"
                    raise ServeError(text)
                own = {"sandbox_url": url, "sandbox_key": key} if url else {}
                spec = replace(spec, settings={**spec.settings, **own})

                def make() -> Plan:
                    return plan_of(spec, cluster, serving.drain, here, near=near)

                membership.met = front.meet
                plan = await asyncio.to_thread(make)
                using = asyncio.create_task(membership.use(plan), name="start of the workers")
                asked = tasks.spawn(stop.wait(), "end")
                await asyncio.wait({using, asked}, return_when=asyncio.FIRST_COMPLETED)
                if not using.done():
                    using.cancel()
                else:
                    console.print(f"[dim]{escape(using.result())}[/]", highlight=False)
                    await membership.look()
                    membership.start()
                    if serving.opened is not None:
                        serving.opened(front.url)
                    tasks.spawn(_renew(membership, make, renew, console), "renewal")
                    await stop.wait()
                front.draining = True
                ending = tasks.spawn(_end(membership, front, serving), "end")
                if not await hurried(ending, again):
                    await membership.leave(0.0)
        finally:
            await tasks.close()
            await membership.leave(0.0)
    return 0


async def _key(membership: Membership) -> str:
    """Return the key of the workers that there are, or one for those that there will be."""
    ours = os.environ.get(KEY, "")
    key = await membership.key(ours or secrets.token_hex(32))
    if ours and key != ours:
        text = f"the cluster's workers have another {KEY}: give that, or `vivavoce cluster stop`"
        raise ServeError(text)
    return key


def _make_front(setup: Setup, key: str, membership: Membership) -> Front:
    try:
        return Front(
            setup.exposure,
            setup.limits,
            key,
            name=membership.name,
            spending=membership,
            version=version("vivavoce"),
        )
    except ValueError as error:
        raise ServeError(str(error)) from None


async def _renew(
    membership: Membership, make: Callable[[], Plan], asked: asyncio.Event, console: Console
) -> None:
    while True:
        await asked.wait()
        asked.clear()
        try:
            told = await membership.use(await asyncio.to_thread(make))
            told = told if "renewed" in told else await membership.renew()
        except ValueError as error:
            text = f"the workers are not renewed: {error}"
            console.print(f"[red]{escape(text)}[/]", highlight=False)
        else:
            console.print(f"[dim]{escape(told)}[/]", highlight=False)


async def _end(membership: Membership, front: Front, serving: Serving) -> None:
    """End with the calls: all of them where this is the last front, else those that pass it."""
    until = time.monotonic() + serving.drain
    tell_drain(serving, sum(state.calls for state in front.placement.states()))
    last = await membership.leave(serving.drain)
    while not last and front.sockets and time.monotonic() < until:  # noqa: ASYNC110 (rarely)
        await asyncio.sleep(0.2)
