"""Settings: what is kept of calls, and where, as a set-up file has it under `[records]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from vivavoce.web.records import RecordsError
from vivavoce.web.store import Store
from vivavoce.web.store_database import Database
from vivavoce.web.store_files import FileRecordings
from vivavoce.web.store_recordings import Recordings
from vivavoce.web.store_redaction import USUAL, Redaction

DATABASE = "calls.sqlite3"
"""The database's file in a folder of records."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What is kept of calls; nothing unless `where` says where.

    Attributes:
        where: A folder, for SQLite and files, or postgresql://USER@HOST/DATABASE; "" for nowhere.
        recordings: A folder or s3://BUCKET/PREFIX; "" for none. None: in the folder `where`, and
            none beside PostgreSQL.
        endpoint: URL of the S3 server, where it is not Amazon's.
        spool: The folder on this machine where recordings grow while their calls go on; "" for one
            in the folder of records or of recordings.
        days: Days after which all of a call is deleted; None for never.
        redact: What is taken out of what is kept: see `vivavoce.web.store_redaction.KINDS`.
        patterns: Regular expressions of your own.
        keys: Whether it is kept which keys callers press.
    """

    where: str = ""
    recordings: str | None = None
    endpoint: str = ""
    spool: str = ""
    days: float | None = None
    redact: tuple[str, ...] = USUAL
    patterns: tuple[str, ...] = ()
    keys: bool = False

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> StoreSettings:
        """Read a `[records]` section.

        Raises:
            RecordsError: Something in it is wrong.
        """
        types: dict[str, tuple[type, ...]] = {
            **dict.fromkeys(("where", "recordings", "endpoint", "spool"), (str,)),
            "days": (int, float),
            **dict.fromkeys(("redact", "patterns"), (list, tuple)),
            "keys": (bool,),
        }
        known = {each.name for each in fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise RecordsError(
                    f"[records]: there is no {name!r}; known: {', '.join(sorted(known))}"
                )
            if not isinstance(value, types[name]) or (isinstance(value, bool) and name != "keys"):
                raise RecordsError(f"[records] {name}: {value!r} is none")
        values: dict[str, Any] = {
            name: tuple(str(each) for each in value) if isinstance(value, list) else value
            for name, value in given.items()
        }
        settings = cls(**values)
        if not settings.where and values:
            raise RecordsError("[records]: say where: a folder, or postgresql://…")
        return settings

    def make(self, *, upkeep: bool = True) -> Store | None:
        """Make the store; None where nothing is kept. It is not open yet.

        Args:
            upkeep: Look after it while it is open: for servers.

        Raises:
            RecordsError: Something is set wrongly, or a package is missing.
        """
        if not self.where:
            return None
        database, folder = self._database()
        recordings = self._recordings(folder)
        try:
            redaction = Redaction(self.redact, self.patterns, keys=self.keys)
            return Store(
                database,
                recordings,
                self._spool(folder) if recordings is not None else None,
                redaction=redaction,
                days=self.days,
                upkeep=upkeep,
            )
        except ValueError as error:
            raise RecordsError(f"[records]: {error}") from None

    def told(self) -> str:
        """Return what is kept, for people."""
        if not self.where:
            return "nothing is kept of calls"
        where = _without_password(self.where)
        sound = self.recordings
        if sound is None and not _is_url(self.where):
            sound = self.where
        kept = f"kept in {where}: transcripts, figures, events"
        kept += f"; recordings in {sound}" if sound else "; no recordings"
        return f"{kept}; {f'deleted after {self.days:g} days' if self.days else 'for ever'}"

    def _database(self) -> tuple[Database, Path | None]:
        if _is_url(self.where):
            from vivavoce.web.store_postgres import PostgresDatabase

            return PostgresDatabase(self.where), None
        from vivavoce.web.store_sqlite import SqliteDatabase

        folder = Path(self.where)
        return SqliteDatabase(folder / DATABASE), folder

    def _recordings(self, folder: Path | None) -> Recordings | None:
        if self.recordings is None:
            return None if folder is None else FileRecordings(folder / "recordings")
        if not self.recordings:
            return None
        if _is_url(self.recordings):
            from vivavoce.web.store_s3 import S3Recordings

            return S3Recordings(self.recordings, endpoint=self.endpoint)
        return FileRecordings(Path(self.recordings))

    def _spool(self, folder: Path | None) -> Path:
        if self.spool:
            return Path(self.spool)
        if folder is not None:
            return folder / "spool"
        if self.recordings and not _is_url(self.recordings):
            return Path(self.recordings) / "spool"
        raise RecordsError("[records]: say spool: a folder where recordings grow until uploaded")


def _is_url(text: str) -> bool:
    return "://" in text


def _without_password(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if mark else text
