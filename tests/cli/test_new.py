"""`vivavoce new`: what is made, what is refused, and that it works where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import environment, run
from vivavoce.cli import new
from vivavoce.cli.load import load_agent
from vivavoce.cli.new import FILES, ProjectError, create, render
from vivavoce.cli.serve import read_setup
from vivavoce.web.exposure import ExposureError

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = sorted(
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"
)


def test_a_project_is_made(tmp_path: Path) -> None:
    folder = create("chez-marie", tmp_path)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == set(FILES.values())
    for path in found:
        text = (folder / path).read_text(encoding="utf-8")
        assert "{{name}}" not in text.replace("${{ ", "")
        assert text.endswith("\n")
        if path != "local.mk":
            assert str(ROOT) not in text or path == ".local.mk"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "chez-marie"
    assert "this is Chez Marie." in (folder / "agent.py").read_text()
    agent = load_agent(str(folder / "agent.py"))
    assert agent.name == "chez-marie"
    assert ".env\n" in (folder / ".gitignore").read_text()
    assert ".local.mk\n" in (folder / ".gitignore").read_text()


def test_its_server_needs_nothing_but_a_secret(tmp_path: Path, monkeypatch: Any) -> None:
    folder = create("chez-marie", tmp_path)
    with pytest.raises(ExposureError, match="secret"):
        read_setup(folder / "serve.toml", {})
    monkeypatch.setenv("VIVAVOCE_WEB_SECRET", "0123456789abcdef" * 4)
    setup = read_setup(folder / "serve.toml", {})
    assert setup.exposure.names == ("chez-marie.example.com",)
    assert '"serve.toml"]' in (folder / "Dockerfile").read_text()


def test_its_workflow_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(render("x")[".github/workflows/test.yml"])["jobs"]
    assert [step.get("run") for step in jobs["test"]["steps"]][-2:] == ["make test", "make check"]
    assert jobs["test"]["steps"][1]["with"]["python-version"] == "${{ matrix.python }}"


@pytest.mark.parametrize("name", ["x", "Host2", "a_b", "a-b", "a" * 64])
def test_names(tmp_path: Path, name: str) -> None:
    assert create(name, tmp_path).name == name


@pytest.mark.parametrize(
    "name",
    ["", "2x", "-x", "x-", "a b", "a/b", "../x", ".", "é", "a" * 65, "x\n", "vivavoce", "PyTest"],
)
def test_what_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="name"):
        create(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    create("host", tmp_path)
    mine = tmp_path / "host" / "agent.py"
    mine.write_text("# mine")
    with pytest.raises(ProjectError, match="not empty"):
        create("host", tmp_path)
    assert mine.read_text() == "# mine"
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="is a file"):
        create("file", tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot write"):
        create("x", Path("/proc"))


@pytest.mark.parametrize(
    ("note", "requirement", "origin"),
    [
        ("", "vivavoce>=1.4,<1.5", ""),
        ('{"url": "https://x.test/v.whl"}', "vivavoce>=1.4,<1.5", ""),
        (
            '{"url": "https://x.test/v.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}',
            "vivavoce @ git+https://x.test/v.git@abc",
            "",
        ),
        ('{"url": "file:///nowhere/at%20all"}', "vivavoce>=1.4,<1.5", ""),
        ('{"url": "HERE"}', "vivavoce>=1.4,<1.5", "'vivavoce @ HERE'"),
    ],
)
def test_where_vivavoce_comes_from(
    monkeypatch: Any, tmp_path: Path, note: str, requirement: str, origin: str
) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return note.replace("HERE", tmp_path.as_uri()) or None

    monkeypatch.setattr(new, "version", lambda _name: "1.4.2")
    monkeypatch.setattr(new, "distribution", lambda _name: Distribution())
    files = render("x")
    assert tomllib.loads(files["pyproject.toml"])["project"]["dependencies"] == [requirement]
    made = files[".local.mk"].splitlines()[-1].removeprefix("FROM :=").strip()
    assert made == origin.replace("HERE", tmp_path.as_uri())


def test_the_command(tmp_path: Path) -> None:
    done = run(tmp_path, "new", "host")
    assert done.returncode == 0, done.stderr
    assert "cd host\n    make test" in done.stdout
    done = run(tmp_path, "new", "host")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "not empty" in done.stderr


# In an environment that has nothing of ours but the wheel. What we depend on is borrowed from
# this one: that it can be installed is the index's business.


def _borrow(folder: Path) -> None:
    """Lend an environment all packages of this one, but Viva Voce."""
    lent = folder / "lent"
    lent.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "vivavoce" not in path.name and path.suffix != ".pth":
            (lent / path.name).symlink_to(path)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(f"{lent}\n")
    # A program, not a script that would run in this environment.
    (folder / "bin" / "ruff").symlink_to(Path(sys.executable).parent / "ruff")


def _make(environment_: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(environment_)], check=True, timeout=60
    )
    _borrow(environment_)
    return environment_ / "bin" / "python"


def _command(*words: str, folder: Path, path: Path | None = None) -> str:
    env = environment(PIP_DISABLE_PIP_VERSION_CHECK="1")
    env.pop("PYTHONPATH", None)
    env.pop("VIRTUAL_ENV", None)
    if path is not None:
        env["PATH"] = f"{path}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    said = done.stdout + done.stderr
    if done.returncode and "find a version that satisfies the requirement setuptools" in said:
        pytest.skip("needs a package index for the build backend (setuptools)")
    assert done.returncode == 0, said
    return said


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_its_tests_pass_in_a_fresh_environment(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tree)
    fresh = _make(tmp_path / "fresh")
    pip = (str(fresh), "-m", "pip")
    _command(*pip, "wheel", "--no-deps", "-q", "-w", str(tmp_path), str(tree), folder=tmp_path)
    (wheel,) = tmp_path.glob("vivavoce-*.whl")
    _command(*pip, "install", "--no-deps", "-q", str(wheel), folder=tmp_path)

    _command("vivavoce", "new", "x", folder=tmp_path, path=fresh.parent)
    project = tmp_path / "x"
    assert str(wheel.as_uri()) in (project / ".local.mk").read_text()
    python = _make(project / ".venv")
    said = _command("make", "test", folder=project)
    assert "3 passed" in said
    where = "import vivavoce.cli as room; print(room.__file__)"
    assert str(project) in _command(str(python), "-c", where, folder=tmp_path), "not the checkout"
    # What was made is as clean as what it is made to check.
    assert "no issues found" in _command("make", "check", folder=project)
