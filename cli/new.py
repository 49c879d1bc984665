"""`vivavoce new`: a project with an agent, its tests, and all that surrounds them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

FILES = {
    "agent.py": "agent.py",
    "test_agent.py": "test_agent.py",
    "pyproject.toml": "pyproject.toml",
    "Makefile": "Makefile",
    "Dockerfile": "Dockerfile",
    "serve.toml": "serve.toml",
    "README.md": "README.md",
    "ci.yml": ".github/workflows/test.yml",
    "gitignore": ".gitignore",
    "env.example": ".env.example",
    "local.mk": ".local.mk",
}
"""Where each template goes."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}[A-Za-z0-9]|[A-Za-z]")
_TAKEN = {"vivavoce", "pytest", "pytest-asyncio", "mypy", "ruff", "con", "nul", "aux", "prn"}


class ProjectError(ValueError):
    """A project cannot be made; the message says why and what to do."""


def create(name: str, parent: Path) -> Path:
    """Make a project in a folder of its own.

    Args:
        name: The project's and the folder's: letters, digits, dashes and underscores.
        parent: Where the folder goes.

    Returns:
        The folder.

    Raises:
        ProjectError: If the name cannot be one, the folder is not empty, or cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ProjectError(
            f"{name!r} is no name for a project: use up to 64 letters, digits, dashes and"
            " underscores, with a letter first"
        )
    if re.sub(r"[-_]+", "-", name.lower()) in _TAKEN:
        raise ProjectError(f"{name!r} is the name of something else: choose another one")
    folder = parent / name
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file: choose another name, or move it away")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ProjectError(f"{folder} is not empty: choose another name, or empty it first")
        for path, text in render(name).items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ProjectError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def render(name: str) -> dict[str, str]:
    """Return a project's files: what stands in each, by its path in the project."""
    requirement, origin = _source()
    words = {
        "{{name}}": name,
        "{{title}}": " ".join(re.split(r"[-_]+", name)).strip().title(),
        "{{requirement}}": requirement,
        "{{python}}": _base_python(),
        "{{origin}}": origin,
    }
    templates = files("vivavoce.cli") / "templates"
    made = {}
    for template, path in FILES.items():
        text = (templates / f"{template}.tmpl").read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        made[path] = text
    return made


def _source() -> tuple[str, str]:
    """Return what a project requires, and from where this machine installs it.

    An installation from a repository can be had by everybody; one from a folder or a wheel is
    this machine's alone, and an index may not have it.
    """
    try:
        installed = version("vivavoce")
        note = json.loads(distribution("vivavoce").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return "vivavoce", ""
    major, minor = ([*installed.split("."), "0"])[:2]
    requirement = f"vivavoce>={major}.{minor},<{int(major)}.{int(minor) + 1}"
    url = str(note.get("url", ""))
    if vcs := note.get("vcs_info"):
        return f"vivavoce @ {vcs['vcs']}+{url}@{vcs['commit_id']}", ""
    if not url.startswith("file:"):
        return requirement, ""
    path = Path(url2pathname(unquote(urlparse(url).path)))
    return requirement, shlex.quote(f"vivavoce @ {path.as_uri()}") if path.exists() else ""


def _base_python() -> str:
    """Return the Python that this one's environment was made with."""
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    return base if " " not in base else "python3"
