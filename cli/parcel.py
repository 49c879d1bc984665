"""Parcels: an agent's folder, packed to be sent to machines that have no copy of it."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

MOST = 16 * 2**20
"""Bytes of a folder's files, and of the parcel: an agent and its prompts, not its recordings."""
_LEFT = {"__pycache__", "node_modules"}


class ParcelError(ValueError):
    """A folder cannot be sent, or what came is none; the message says what to do."""


def home(agents: Sequence[str], here: Path) -> Path | None:
    """Return the folder that has to be sent for agents to be found; None: none of them is a file.

    Args:
        agents: file.py, file.py:name or module:name; or other files.
        here: The working folder: what is in it is sent, since agents read files beside them.

    Raises:
        ParcelError: An agent's file is not below the working folder.
    """
    found = None
    for where in agents:
        path = Path(where.rpartition(":")[0] if ":" in where else where)
        if path.suffix != ".py" and not (here / path).is_file():
            continue  # a module: it is installed on every machine
        if not (here / path).resolve().is_relative_to(here.resolve()):
            raise ParcelError(
                f"{where}: it is sent to the cluster's machines with the folder that the command"
                f" runs in: change to a folder above it, or install it there and name module:name"
            )
        found = here
    return found


def inside(where: str, here: Path) -> str:
    """Return an agent's name as it is below the folder that is sent."""
    path, colon, name = where.rpartition(":") if ":" in where else (where, "", "")
    if Path(path).suffix != ".py" and not (here / path).is_file():
        return where
    return str((here / path).resolve().relative_to(here.resolve())) + colon + name


def pack(folder: Path) -> bytes:
    """Pack a folder.

    Files and folders whose name begins with a dot stay (`.env`, `.git`), so do virtual
    environments, caches and links that lead out of it. The same files make the same bytes.

    Raises:
        ParcelError: It is too large, or cannot be read.
    """
    root, size = folder.resolve(), 0
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
            for path in _files(root):
                size += path.stat().st_size
                if size > MOST:
                    raise ParcelError(
                        f"{folder} has more than {MOST // 2**20} MB, and would be sent to every"
                        " machine of the cluster: run the command in a folder with the agent alone,"
                        " or install the agent there and name it as module:name"
                    )
                # Without times: they do not change what an agent does.
                entry = zipfile.ZipInfo(path.relative_to(root).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                made.writestr(entry, path.read_bytes())
    except OSError as error:
        raise ParcelError(f"cannot read {error.filename}: {error.strerror}") from None
    return out.getvalue()


def unpack(parcel: bytes, folder: Path) -> None:
    """Unpack a folder.

    Raises:
        ParcelError: It is no parcel, is too large, or would write elsewhere.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(parcel)) as given:
            entries = given.infolist()
            if sum(each.file_size for each in entries) > MOST:
                raise ParcelError("the agent's folder is too large")
            for entry in entries:
                path = PurePosixPath(entry.filename)
                if path.is_absolute() or ".." in path.parts:
                    raise ParcelError(f"the agent's folder has a file {entry.filename!r}")
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(given.read(entry))
    except zipfile.BadZipFile as error:
        raise ParcelError(f"what came is no agent's folder: {error}") from None


def digest(*parts: bytes | str) -> str:
    """Return what tells parts from others: 16 hexadecimal digits."""
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "big"))
        made.update(data)
    return made.hexdigest()[:16]


def _files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root, onerror=_raise):
        here = Path(folder)
        names[:] = sorted(
            name
            for name in names
            if not name.startswith(".")
            and name not in _LEFT
            and not (here / name / "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            path = here / name
            if name.startswith(".") or not path.resolve().is_relative_to(root):
                continue
            if path.is_file():
                yield path


def _raise(error: OSError) -> None:
    raise error
