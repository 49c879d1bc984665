"""Finds what a command was given: `file.py`, `file.py:name` or `package.module:name`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from vivavoce.agent import Agent, Interpreter


class LoadError(ValueError):
    """There is no such agent; the message says what was found instead, in one line."""


def load_agent(where: str) -> Agent[Any]:
    """Import the agent that `where` names.

    Args:
        where: `file.py` with one agent in it, `file.py:name`, or `package.module:name`.

    Raises:
        LoadError: If it cannot be found or imported, or is an interpreter.
    """
    found = _load(where, agents=True)
    if isinstance(found, Interpreter):
        raise LoadError(
            f"{where}: is an Interpreter, which answers nobody: use it with dev, serve, phone,"
            " run, talk or interpret"
        )
    return found


def load_host(where: str) -> Agent[Any] | Interpreter:
    """Import the agent or the interpreter that `where` names.

    Args:
        where: `file.py` with one of them in it, `file.py:name`, or `package.module:name`.

    Raises:
        LoadError: If it cannot be found or imported.
    """
    return _load(where, agents=False)


def _load(where: str, *, agents: bool) -> Agent[Any] | Interpreter:
    path, _, name = where.rpartition(":") if ":" in where else (where, "", "")
    if path.endswith(".py") or Path(path).is_file():
        module = _from_file(Path(path))
    elif not name:
        raise LoadError(
            f"{where}: no such file; name an agent as file.py, file.py:name or module:name"
        )
    else:
        module = _from_module(path)
    return _pick(module, where, name, agents=agents)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise LoadError(f"{path}: no such file")
    # Under a name of its own: a user's `agent.py` or `tools.py` must not shadow anything.
    name = f"_vivavoce_agent_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise LoadError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # The agent's own neighbours can be imported, as when Python runs a script.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed(path.name, error) from error
    return module


def _from_module(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise LoadError(f"{name}: no such module") from error
        raise _failed(name, error) from error
    except Exception as error:
        raise _failed(name, error) from error


def _failed(what: str, error: Exception) -> LoadError:
    if isinstance(error, SyntaxError):
        # It may be in a module that the agent imports.
        where = Path(error.filename).name if error.filename else what
        return LoadError(f"{where}, line {error.lineno}: {error.msg}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    line = frames[1].lineno if len(frames) > 1 else None
    place = f"{what}, line {line}" if line else what
    text = " ".join(str(error).split())
    return LoadError(f"{place}: {type(error).__name__}: {text}")


def _pick(module: ModuleType, where: str, name: str, *, agents: bool) -> Agent[Any] | Interpreter:
    if name:
        found: object = getattr(module, name, None)
        if isinstance(found, Agent | Interpreter):
            return found
        raise LoadError(
            f"{where}: {name} is no Agent or Interpreter there"
            if found is not None
            else f"{where}: there is nothing called {name} there"
        )
    known = {
        k: value for k, value in vars(module).items() if isinstance(value, Agent | Interpreter)
    }
    if agents:  # beside which an interpreter may stand
        known = {k: value for k, value in known.items() if isinstance(value, Agent)} or known
    distinct = {id(value): key for key, value in known.items()}
    if len(distinct) == 1:
        return known[next(iter(distinct.values()))]
    if not known:
        raise LoadError(
            f'{where}: defines no Agent or Interpreter; write `agent = Agent("...")` or'
            ' `interpreter = Interpreter("fr", "en")` at its top level'
        )
    for usual in ("agent", "interpreter"):
        if usual in known:
            return known[usual]
    names = ", ".join(f"{where}:{key}" for key in sorted(distinct.values()))
    raise LoadError(f"{where}: defines several agents; choose one of {names}")
