"""The command itself: what helps a user who has never seen it."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest
import typer

from tests.cli.commands import run
from tests.cli.inside import run_inside
from vivavoce.cli.main import app
from vivavoce.cli.mistakes import MISTAKES, is_mistake
from vivavoce.cli.program import WRITE

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "cli.md"
COMMANDS = sorted(
    command.name or command.callback.__name__  # type: ignore[union-attr]
    for command in app.registered_commands
)


def complete(folder: Path, line: str) -> list[str]:
    """Return what bash would offer behind a line."""
    words = line.split(" ")
    done = run(
        folder,
        _VIVAVOCE_COMPLETE="complete_bash",
        COMP_WORDS="\n".join(words),
        COMP_CWORD=str(len(words) - 1),
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The command under its own name: the shell's completion goes by that."""
    program = tmp_path / "bin" / "vivavoce"
    program.parent.mkdir()
    program.write_text("from vivavoce.cli.main import main\nmain()\n")
    monkeypatch.setattr(
        "tests.cli.commands.COMMAND",
        (sys.executable, "-W", "ignore::DeprecationWarning", str(program)),
    )
    return tmp_path


def test_the_shell_completes_commands_options_and_agents(named: Path) -> None:
    assert complete(named, "vivavoce ch") == ["chat"]
    assert {"--push", "--headphones", "--devices"} <= set(complete(named, "vivavoce talk --"))
    (named / "shop").mkdir()
    (named / "shop" / "desk.py").touch()
    (named / "shop.py").touch()
    (named / "notes.txt").touch()
    assert complete(named, "vivavoce chat sh") == ["shop/", "shop.py"]
    assert complete(named, "vivavoce chat shop/") == ["shop/desk.py"]
    assert complete(named, "vivavoce chat no") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_it_would_install_is_shown(named: Path, shell: str) -> None:
    done = run(named, _VIVAVOCE_COMPLETE=f"source_{shell}")
    assert "vivavoce" in done.stdout
    assert "_VIVAVOCE_COMPLETE" in done.stdout


def test_help_names_every_command_and_the_exit_codes(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"[│|] {command} ", done.stdout), command
    assert done.stdout.index(WRITE) < done.stdout.index("Let it take calls")
    assert "Exit codes: 0 all went well" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_tells_what_it_does(command: str) -> None:
    found = typer.main.get_command(app)
    context = typer.Context(found)
    each = found.get_command(context, command)  # type: ignore[attr-defined]
    assert each.help
    for parameter in each.params:
        assert getattr(parameter, "help", None), parameter.name


@pytest.mark.parametrize("command", ["new", "chat", "talk", "dev"])
def test_the_page_has_the_options(command: str) -> None:
    text = PAGE.read_text()
    found = typer.main.get_command(app)
    each = found.get_command(typer.Context(found), command)  # type: ignore[attr-defined]
    options = {name for parameter in each.params for name in parameter.opts if "--" in name}
    missing = {name for name in options - {"--models"} if name not in text}
    assert not missing


@pytest.mark.parametrize("words", [["dance"], ["chat", "--dance", "x.py"], ["new"]])
def test_what_is_no_command(tmp_path: Path, words: list[str]) -> None:
    done = run_inside(tmp_path, *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_a_mistake_has_the_name_that_it_is_known_by(name: str) -> None:
    module, _, kind = name.rpartition(".")
    error = getattr(importlib.import_module(module), kind)
    assert f"{error.__module__}.{error.__qualname__}" == name
    assert issubclass(error, Exception)
    assert is_mistake(type("Special", (error,), {})())


def test_what_is_no_mistake_of_a_users() -> None:
    assert not is_mistake(ValueError("a defect of ours"))
