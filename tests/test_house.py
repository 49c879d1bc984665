"""The house: what may import what, what is installed, and what no file may say."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = sorted(
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"
)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def packages() -> list[Path]:
    """All package folders of the rooms, relative to the root."""
    found = {path.parent.relative_to(ROOT) for room in ROOMS for path in modules(room)}
    return sorted(found)


# -- what may import what


@functools.cache
def arrows() -> dict[str, set[str]]:
    """Read CONTRIBUTING's table: for each room, the rooms that it may import."""
    rows = re.findall(r"^\| `(\w+)/` \|[^|]*\|([^|]*)\|", _contributing(), re.MULTILINE)
    allowed: dict[str, set[str]] = {}
    for room, cell in rows:
        names = set(re.findall(r"`(\w+)`", cell))
        plain = set(re.split(r"[,\s]+", cell.replace("`", " ")))
        allowed[room] = set(ROOMS) if "everything" in plain else names | (plain & set(ROOMS))
    return allowed


def _contributing() -> str:
    return (ROOT / "CONTRIBUTING.md").read_text()


def imports(path: Path, source: str | None = None) -> Iterator[str]:
    """Yield the absolute names that a module imports, anywhere in it.

    Imports within functions and under `TYPE_CHECKING` count: they are arrows as well.
    """
    place = ("vivavoce", *path.relative_to(ROOT).with_suffix("").parts)
    package = place[:-1]
    for node in ast.walk(ast.parse(source or path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "vivavoce" and len(parts) > 1 else None


def strangers(name: str) -> bool:
    """Whether an import is neither ours nor the standard library's."""
    top = name.split(".", maxsplit=1)[0]
    return top != "vivavoce" and top not in sys.stdlib_module_names


def test_the_table_names_every_room_and_no_other():
    assert sorted(arrows()) == ROOMS


def test_the_makefile_names_every_room():
    line = re.search(r"^ROOMS\s*:=\s*(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line is not None
    assert sorted(line[1].split()) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_up_the_table(room):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path)
        if (other := room_of(name)) is not None and other != room and other not in arrows()[room]
    ]
    assert not wrong


def test_the_table_has_no_circle():
    seen: set[str] = set()

    def climb(room: str, above: tuple[str, ...]) -> None:
        assert room not in above, f"{' -> '.join(above)} -> {room}"
        seen.add(room)
        for other in arrows()[room] - {room}:
            climb(other, (*above, room))

    for room in ROOMS:
        climb(room, ())
    assert seen == set(ROOMS)


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        # httpx2 is how the mcp package is given headers.
        ("tools", {"pydantic", "docstring_parser", "mcp", "httpx2"}),
        ("agent", {"pydantic", "pydantic_settings", "typing_extensions"}),
    ],
)
def test_rooms_that_only_decide_stay_light(room, allowed):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path)
        if strangers(name) and name.split(".")[0] not in allowed
    ]
    assert not wrong


# Pure: they decide, and know no socket, no loop and no pipecat.
PURE = (
    "tools/confirmation.py",
    "tools/execution.py",
    "pipelines/clauses.py",
    "pipelines/models/refusals.py",
    "pipelines/audio/cuts.py",
    "pipelines/models/segments.py",
    "pipelines/models/watch.py",
    "pipelines/models/sse.py",
    *(
        f"pipelines/interpret/{name}.py"
        for name in (
            *("aligning", "amounts", "cutting", "grammar", "grammar_brackets", "grammar_choice"),
            *("grammar_tokens", "grammar_words", "language", "prompt", "rendering", "settling"),
        )
    ),
    *(
        f"pipelines/models/transcription/{name}.py"
        for name in ("openai", "options", "retry", "seams", "text")
    ),
    *(f"pipelines/observing/{name}.py" for name in ("spans", "tally")),
    "pipelines/subtitles.py",
    *(f"pipelines/turns/{name}.py" for name in ("bargein", "endpointing", "heard", "playout")),
    *(
        f"web/{name}.py"
        for name in (
            *("limits", "narrator", "realtime", "rtvi", "sdp", "store_beats", "store_calendar"),
            *("shelf", "store_journal", "store_redaction", "store_rows", "tokens", "turn"),
        )
    ),
    *(
        f"web/cluster/{name}.py"
        for name in ("names", "placement", "proof", "quota", "routing", "scaling", "state")
    ),
    "phone/plan.py",
    "phone/policy.py",
    "phone/voicemail.py",
    *(f"phone/sip/{path.name}" for path in modules("phone/sip") if path.stem != "transport"),
    *(
        f"phone/media/{path.name}"
        for path in modules("phone/media")
        if path.stem not in {"endpoint", "thread"}
    ),
)


@pytest.mark.parametrize("module", PURE)
def test_what_decides_is_pure(module):
    forbidden = {"asyncio", "socket", "pipecat", "aiohttp", "websockets", "time", "threading"}
    tops = {name.split(".")[0] for name in imports(ROOT / module)}
    assert not tops & forbidden


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import vivavoce.cli.main", "cli"),
        ("from vivavoce import cli", "cli"),
        ("from ..cli import main", "cli"),
        ("from .. import cli", "cli"),
        ("from . import pcm", "sandbox"),
        ("if TYPE_CHECKING:\n    from vivavoce.web import page", "web"),
        ("def late():\n    import vivavoce.cli", "cli"),
    ],
)
def test_no_spelling_of_an_import_is_overlooked(source, expected):
    found = imports(ROOT / "sandbox" / "server.py", source)
    assert expected in {room_of(name) for name in found}


# -- what is installed


def test_every_package_is_installed_under_our_name_from_its_folder():
    listed = dict.fromkeys(SETUPTOOLS["packages"])
    expected = [".".join(("vivavoce", *folder.parts)) for folder in packages()]
    assert sorted(listed) == sorted(expected)
    assert len(listed) == len(SETUPTOOLS["packages"])
    places = SETUPTOOLS["package-dir"]
    assert places == {f"vivavoce.{room}": room for room in ROOMS}


@pytest.mark.parametrize("folder", packages(), ids=str)
def test_every_package_is_one_and_imports_from_here(folder):
    assert (ROOT / folder / "__init__.py").is_file()
    spec = importlib.util.find_spec(".".join(("vivavoce", *folder.parts)))
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).resolve() == ROOT / folder / "__init__.py"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_typed(room):
    assert (ROOT / room / "py.typed").is_file()


def _installable() -> set[str]:
    """What of the tree belongs into the wheel: modules and package data."""
    patterns = ["*.py", *SETUPTOOLS["package-data"]["*"]]
    return {
        f"vivavoce/{path.relative_to(ROOT).as_posix()}"
        for folder in packages()
        for pattern in patterns
        for path in (ROOT / folder).glob(pattern)
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    """What a wheel that is built from this tree contains."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests", "examples", "benchmarks"):  # what must not get in
        (tree / name).mkdir()
        (tree / name / "__init__.py").touch()
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, tree)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(out), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode and "find a version that satisfies" in done.stderr:
        pytest.skip("needs a package index for the build backend (setuptools)")
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return [name for name in archive.namelist() if not name.endswith("/")]


def test_a_wheel_holds_all_of_vivavoce_and_nothing_under_bare_names(wheel):
    info = f"vivavoce-{PYPROJECT['project']['version']}.dist-info"
    assert {name.split("/")[0] for name in wheel} == {"vivavoce", info}
    ours = {name for name in wheel if name.startswith("vivavoce/")}
    assert _installable() - ours == set()
    assert {name.split("/")[1] for name in ours} == set(ROOMS)
    for name in ("LICENSE", "NOTICE", "entry_points.txt"):
        assert any(entry.startswith(info) and entry.endswith(name) for entry in wheel)


def test_no_file_of_a_room_is_left_out_of_the_wheel_unseen():
    kept = _installable()
    lost = [
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and f"vivavoce/{path.relative_to(ROOT).as_posix()}" not in kept
    ]
    assert not lost, "name their kind in [tool.setuptools.package-data]"


# -- what no file may say

# Character classes keep these patterns from finding themselves.
MACHINES = re.compile(r"(?<![\w.:}~*])/(?:[w]ork|[h]ome|[r]oot|[U]sers|[t]mp)/\w|\.\./[s]hared\b")
MAKERS = re.compile(
    r"[c]laude|[c]opilot|chat[g]pt|[c]o-authored-by|(?:previous|earlier|next|this) [w]ork session",
    re.IGNORECASE,
)
TEXTS = {".py", ".md", ".toml", ".html", ".css", ".js", ".json", ".txt", ".yml", ".yaml", ""}


def _sources() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("needs a git work tree to know which files are sources")
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix in TEXTS]


@pytest.mark.parametrize("pattern", [MACHINES, MAKERS], ids=["machines", "makers"])
def test_no_source_speaks_of_one_machine_or_of_how_it_was_made(pattern):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in _sources()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    "line", ["see /" + "home/me/x", 'p = "/' + 'work/main"', "../" + "shared/a"]
)
def test_a_path_of_one_machine_is_found(line):
    assert MACHINES.search(line)


@pytest.mark.parametrize("line", ["POST /v1/audio", "from /dev/null", "https://x.test/home/page"])
def test_other_paths_are_let_be(line):
    assert not MACHINES.search(line)
