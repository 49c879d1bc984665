"""Loads an agent again when its files change, for any server that carries calls meanwhile."""

from __future__ import annotations

import asyncio
import importlib
import linecache
import sys
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from vivavoce.agent import Agent, Interpreter
from vivavoce.cli.load import LoadError, load_host
from vivavoce.pipelines.hosting import Host

SLOW = 20.0
"""Seconds after which it is told that an agent is still being imported."""
_FOREIGN = {"site-packages", "dist-packages", "node_modules", ".venv", "venv", ".tox"}


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a change.

    Attributes:
        agent: Who answers from now on; the one before where `error` is set.
        error: Why the new one could not be loaded, in one line; empty if it could.
        files: What had changed, relative to the agent's folder, sorted.
    """

    agent: Host
    error: str
    files: tuple[str, ...]


class Reloader:
    """An agent that can be loaded again, with the modules beside it that it imports.

    A change is loaded whole or not at all: while a file is broken, the agent that worked and its
    modules stay. Only modules that the agent's own import brought in, from the agent's folder, are
    ever loaded again; installed packages and Viva Voce are not. Objects that a call holds
    (`call.deps`, its state) stay as they are, of the classes that they were made of.

    Args:
        where: `file.py`, `file.py:name` or `package.module:name`.

    Attributes:
        agent: The newest that could be loaded.

    Raises:
        LoadError: If there is none to begin with.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        path = where.rpartition(":")[0] if ":" in where else where
        file = Path(path)
        from_file = path.endswith(".py") or file.is_file()
        # Imports of a module begin in the working folder; those of a file beside it.
        self.folder = (file.parent if from_file else Path.cwd()).resolve()
        self._main = file.resolve() if from_file else None
        self._modules: dict[str, ModuleType] = {}
        self._broken = False
        self.agent: Host = self._load()

    @property
    def files(self) -> frozenset[Path]:
        """The source files that the agent was loaded from."""
        found = {_file(module) for module in self._modules.values()}
        return frozenset(path for path in (*found, self._main) if path is not None)

    def concerns(self, changed: Iterable[Path]) -> bool:
        """Whether files are the agent's: its own, or any Python file while it is broken."""
        mine = self.files
        return any(
            path.suffix == ".py" and (self._broken or path.resolve() in mine) for path in changed
        )

    def reload(self, changed: Iterable[Path] = ()) -> Reloaded:
        """Load the agent again, now; blocks as long as its import takes.

        Args:
            changed: Why, for whoever is told.
        """
        names = tuple(sorted({self._name(path) for path in changed}))
        try:
            self.agent = self._load()
        except LoadError as error:
            self._broken = True
            return Reloaded(self.agent, str(error), names)
        self._broken = False
        return Reloaded(self.agent, "", names)

    def successor(self, agent: Agent[Any]) -> Agent[Any] | None:
        """Return who takes the place of an agent of the same files, as after a hand-off.

        That is the one of its name; `agent` itself (None) if there is none any more.
        """
        if isinstance(self.agent, Interpreter):
            return None  # a session goes on with the interpreter that it began with
        if self.agent.name == agent.name:
            return self.agent
        for module in self._modules.values():
            for value in vars(module).values():
                if isinstance(value, Agent) and value.name == agent.name:
                    return value
        return None

    async def changes(self) -> AsyncGenerator[Reloaded]:
        """Watch the files, and load the agent again whenever one of its own changes.

        The import runs in a thread, so that a call in this process does not stutter. It goes on
        until it is closed or cancelled, either of which is safe at any time.
        """
        from watchfiles import PythonFilter, awatch

        watching = awatch(self.folder, watch_filter=PythonFilter(), debounce=400, step=50)
        async with aclosing(watching):
            try:
                async for group in watching:
                    async for change in self._changed([Path(path) for _, path in group]):
                        yield change
            except OSError as error:
                # Too many files are watched on this machine, or the folder is gone.
                reason = f"{self.folder.name} is not watched any more: {error.strerror or error}"
                yield Reloaded(self.agent, reason, ())

    async def _changed(self, changed: list[Path]) -> AsyncGenerator[Reloaded]:
        if not self.concerns(changed):
            return
        loading = asyncio.ensure_future(asyncio.to_thread(self.reload, changed))
        done, _ = await asyncio.wait({loading}, timeout=SLOW)
        if not done:
            error = f"{self._where}: still being imported after {SLOW:g} s"
            yield Reloaded(self.agent, error, ())
        yield await loading

    def _name(self, path: Path) -> str:
        path = path.resolve()
        return str(path.relative_to(self.folder) if path.is_relative_to(self.folder) else path)

    def _load(self) -> Host:
        """Import the agent anew; put everything back if that fails."""
        old = {
            name: module
            for name, module in self._modules.items()
            if sys.modules.get(name) is module
        }
        for name in old:
            del sys.modules[name]
        before = set(sys.modules)
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        # Compiled files are told apart by whole seconds and size, which quick edits share.
        _forget_compiled(old.values())
        importlib.invalidate_caches()
        linecache.checkcache()
        try:
            agent = load_host(self._where)
        except BaseException:
            for name in set(sys.modules) - before:
                if self._owns(sys.modules[name]):
                    del sys.modules[name]
            sys.modules.update(old)
            raise
        finally:
            sys.dont_write_bytecode = writes
        self._modules = {
            name: sys.modules[name]
            for name in set(sys.modules) - before
            if self._owns(sys.modules[name])
        }
        return agent

    def _owns(self, module: ModuleType) -> bool:
        path = _file(module)
        if path is None or not path.is_relative_to(self.folder):
            return False
        inside = path.relative_to(self.folder).parts
        return module.__name__.partition(".")[0] != "vivavoce" and not _FOREIGN & set(inside)


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _forget_compiled(modules: Iterable[ModuleType]) -> None:
    for module in modules:
        if cached := getattr(module, "__cached__", None):
            Path(cached).unlink(missing_ok=True)
