"""Servers that records and recordings are kept on in tests: PostgreSQL, and moto's S3."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port


def _user() -> str | None:
    """Whom PostgreSQL runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("PostgreSQL needs a user who is not root")


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of our own, on a socket in a temporary folder; gives its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("needs Debian's postgresql: apt install postgresql")
    programs, user = found[-1].parent, _user()
    folder = Path(tempfile.mkdtemp(prefix="vv-pg-"))
    folder.chmod(0o700)
    if user:
        shutil.chown(folder, user)
    where = {"user": user, "cwd": folder, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}}
    process = None
    try:
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "viva", "-A", "trust", "-E", "UTF8",
             "--no-sync", "--no-instructions"],
            check=True, capture_output=True, timeout=120, **where,
        )  # fmt: skip
        log = (folder / "log").open("w")
        process = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-F",
             "-c", "max_connections=20", "-c", "shared_buffers=16MB", "-c", "autovacuum=off"],
            stdout=log, stderr=log, **where,
        )  # fmt: skip
        log.close()
        _wait(process, lambda: _speaks(folder / ".s.PGSQL.5432"), folder / "log")
        yield f"postgresql://viva@/postgres?host={folder}"
    finally:
        if process is not None:
            _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _speaks(path: Path) -> bool:
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            # A start-up message; "R" asks who we are: it takes connections.
            text = b"user\0viva\0database\0postgres\0\0"
            client.sendall((8 + len(text)).to_bytes(4, "big") + b"\0\3\0\0" + text)
            return client.recv(1) == b"R"
        except OSError:
            return False


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[str]:
    """Moto's S3 server; gives its URL. Its keys are "key" and "secret"."""
    pytest.importorskip("moto", reason="needs moto, of the extra `dev`")
    port = free_port()
    log = folder / "moto.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
        )
    try:
        _wait(process, lambda: _listens(port), log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(process)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _wait(process: subprocess.Popen[bytes], ready, log: Path) -> None:
    limit = time.monotonic() + 60
    while not ready():
        if process.poll() is not None or time.monotonic() > limit:
            raise AssertionError(f"it does not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(2)  # SIGINT: at once for PostgreSQL, without waiting for clients
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
