"""Parcels: what of an agent's folder is sent to other machines, and what is not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from vivavoce.cli import parcel
from vivavoce.cli.parcel import ParcelError, digest, home, inside, pack, unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "agents" / "__pycache__").mkdir(parents=True)
    (made / ".git").mkdir()
    (made / "env").mkdir()
    (made / "env" / "pyvenv.cfg").write_text("home = /usr")
    (made / "agents" / "host.py").write_text("agent = 1")
    (made / "agents" / "__pycache__" / "host.pyc").write_text("x")
    (made / ".git" / "config").write_text("x")
    (made / ".env").write_text("MISTRAL_API_KEY=secret")
    (made / "prompt.txt").write_text("Be kind.")
    (tmp_path / "elsewhere.txt").write_text("not ours")
    (made / "link.txt").symlink_to(tmp_path / "elsewhere.txt")
    return made


def test_what_an_agent_needs_is_sent_and_secrets_are_not(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    unpack(pack(folder), there)
    found = {str(each.relative_to(there)) for each in there.rglob("*") if each.is_file()}
    assert found == {"agents/host.py", "prompt.txt"}
    assert (there / "agents" / "host.py").read_text() == "agent = 1"


def test_the_same_files_make_the_same_parcel(folder: Path) -> None:
    first = pack(folder)
    (folder / "prompt.txt").write_text("Be kind.")  # another time
    assert pack(folder) == first
    (folder / "prompt.txt").write_text("Be brief.")
    assert pack(folder) != first


def test_a_folder_that_is_too_large_is_refused(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(parcel, "MOST", 10)
    with pytest.raises(ParcelError, match="sent to every machine"):
        pack(folder)


@pytest.mark.parametrize("name", ["../outside.py", "/etc/outside.py"])
def test_a_parcel_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(name, "x")
    with pytest.raises(ParcelError, match="has a file"):
        unpack(out.getvalue(), tmp_path / "there")
    with pytest.raises(ParcelError, match="no agent's folder"):
        unpack(b"no zip", tmp_path / "there")


def test_where_agents_are_found(folder: Path, tmp_path: Path) -> None:
    assert home(("shop.agents:host",), folder) is None
    assert home(("agents/host.py", "shop.agents:host"), folder) == folder
    with pytest.raises(ParcelError, match="a folder above it"):
        home(("../other.py",), folder)
    assert inside(str(folder / "agents" / "host.py") + ":agent", folder) == "agents/host.py:agent"
    assert inside("shop.agents:host", folder) == "shop.agents:host"


def test_parts_are_told_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab", b"c") == digest("ab", "c")
