"""Counts and checks the four agents, each in its framework's own environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.compared.book import EVENTS_GREETING, GREETING
from benchmarks.compared.count import Count, count_file
from benchmarks.compared.script import ANSWERS, BOOK, DAY, TIME
from benchmarks.latency.roster import RosterError, python_of
from vivavoce.sandbox.launch import Sandbox

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIMIT = 180.0
"""Seconds a check may take; peers load models on the way."""


@dataclass(frozen=True, slots=True)
class Framework:
    """One of the four.

    Attributes:
        key: The name of its files here.
        name: What it is called.
        peer: The requirements file of its environment, without `.txt`; empty for ours.
        speaks: Whether its clients can speak to the sandbox, so that a conversation is held;
            otherwise its tools are called by its own scripted transport.
    """

    key: str
    name: str
    peer: str
    speaks: bool = True


FRAMEWORKS = (
    Framework("vivavoce", "Viva Voce", ""),
    Framework("livekit", "livekit-agents", "livekit"),
    Framework("pipecat", "pipecat", "pipecat"),
    Framework("openai", "openai-agents", "openai", speaks=False),
)


class ComparedError(ValueError):
    """A framework's name is unknown; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one.

    Attributes:
        lines: Its length.
        version: Of the framework; empty where it did not run.
        fault: What went wrong; empty if the agent did what it should.
    """

    lines: Count
    version: str
    fault: str


def judge(framework: Framework, told: dict[str, Any]) -> str:
    """Return what is wrong with what a check told; empty if nothing is."""
    given = BOOK["arguments"]
    wanted = [[DAY, f"{TIME}:00", str(given["people"]), given["name"]]]
    if told["booked"] != wanted:
        return f"booked {told['booked']} instead of {wanted}"
    if told["agent"] != "events":
        return f"it ended with {told['agent']}, not with events"
    if framework.speaks:
        texts = [answer for answer in ANSWERS if isinstance(answer, str)]
        said = [GREETING, *texts, EVENTS_GREETING]
        if told["said"] != said:
            return f"it said {told['said']} instead of {said}"
    return ""


def check(framework: Framework, python: Path | str, url: str, key: str) -> tuple[str, str]:
    """Run one agent in its environment.

    Args:
        framework: Which.
        python: Its environment's interpreter.
        url: The sandbox.
        key: A key of it whose script is `ANSWERS`.

    Returns:
        The framework's version and what went wrong; one of them may be empty.
    """
    command = [str(python), "-m", f"benchmarks.compared.checks.{framework.key}"]
    given = json.dumps({"url": url, "key": key})
    try:
        done = subprocess.run(
            [*command, given],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"it took longer than {LIMIT:g} s"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return "", last[0]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return told["version"], judge(framework, told)


def choose(only: str | None) -> list[Framework]:
    """Return the frameworks that a list of names, parted by commas, means; all for None.

    Raises:
        ComparedError: If there is none of a name.
    """
    if only is None:
        return list(FRAMEWORKS)
    wanted = {name.strip() for name in only.split(",")}
    known = {framework.key for framework in FRAMEWORKS}
    if unknown := wanted - known:
        raise ComparedError(
            f"--only {only}: there is no {', '.join(sorted(unknown))}; there are"
            f" {', '.join(framework.key for framework in FRAMEWORKS)}"
        )
    return [framework for framework in FRAMEWORKS if framework.key in wanted]


def compare(chosen: Sequence[Framework], python: Path | str, cache: Path) -> dict[str, Found]:
    """Count and check frameworks, one after the other.

    Args:
        chosen: Which.
        python: The interpreter for ours.
        cache: Where the others' environments are, and are made where they are not.
    """
    found: dict[str, Found] = {}
    with Sandbox() as sandbox:
        for framework in chosen:
            lines = count_file(HERE / f"on_{framework.key}.py")
            try:
                where = python_of(framework.peer, cache) if framework.peer else python
            except (RosterError, OSError, subprocess.SubprocessError) as error:
                found[framework.key] = Found(lines, "", str(error))
                continue
            key = sandbox.make_key(script={"think": list(ANSWERS)})
            found[framework.key] = Found(lines, *check(framework, where, sandbox.url, key))
    return found


def show(found: dict[str, Found], console: Console) -> None:
    """Print the table."""
    table = Table("framework", "version", "agent", "running it", "lines", "check")
    for framework in FRAMEWORKS:
        if (one := found.get(framework.key)) is not None:
            held = "conversation held" if framework.speaks else "tools called, no model"
            lines = (str(one.lines.agent), str(one.lines.running), str(one.lines.total))
            table.add_row(framework.name, one.version or "-", *lines, one.fault or held)
    console.print(table)


def to_json(found: dict[str, Found]) -> dict[str, Any]:
    """Return what was found, JSON-able."""
    return {key: asdict(one) for key, one in found.items()}
