"""A process of an engine's that is measured: what it and its children have used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from vivavoce.pipelines.benching.process import ChildError, Process

ROOT = Path(__file__).parents[1]
"""Where engines run: their modules are found from there."""
READY = 120.0
"""Seconds one may take until it is ready: peers load models on the way."""
STOP = 15.0
"""Seconds it may take to end."""


class Measured(Process):
    """A process with its figures.

    Args:
        name: What it is called in errors.
        python: The interpreter of its environment.
        module: What it runs.
        options: What that is given, as JSON.
        cores: Cores that it has from its beginning on; empty for any.

    Attributes:
        ready: What it said of itself when it was: versions, port or sample rate.
    """

    def __init__(
        self,
        name: str,
        python: Path | str,
        module: str,
        options: dict[str, Any],
        *,
        cores: Sequence[int] = (),
    ) -> None:
        super().__init__(
            [str(python), "-m", module, json.dumps(options)],
            name=name,
            folder=ROOT,
            env={"PYTHONUNBUFFERED": "1"},
            cores=cores,
            stop=STOP,
        )
        self.ready: dict[str, Any] = {}

    def cpu(self) -> float:
        """Return the CPU time that it and its children have used (s).

        Raises:
            ChildError: It does not run any more.
        """
        try:
            return float(sum(sum(one.cpu_times()[:2]) for one in self.family()))
        except psutil.NoSuchProcess as error:
            raise ChildError(f"{self.name} ended\n{self.log}") from error

    def memory(self) -> float:
        """Return the memory that it and its children hold (MB).

        Raises:
            ChildError: It does not run any more.
        """
        try:
            return float(sum(one.memory_info().rss for one in self.family())) / 1e6
        except psutil.NoSuchProcess as error:
            raise ChildError(f"{self.name} ended\n{self.log}") from error

    def family(self) -> list[psutil.Process]:
        """Return it and its children.

        Raises:
            ChildError: It does not run any more.
        """
        if not self.pid:
            raise ChildError(f"{self.name} does not run\n{self.log}")
        try:
            process = psutil.Process(self.pid)
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess as error:
            raise ChildError(f"{self.name} ended\n{self.log}") from error
