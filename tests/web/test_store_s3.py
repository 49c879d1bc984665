"""Recordings in S3: against moto's server, over its socket."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.web.storage import s3
from tests.web.test_store import call, record
from vivavoce.web.records import Query, RecordsError
from vivavoce.web.store import Store
from vivavoce.web.store_sqlite import SqliteDatabase

pytest.importorskip("obstore", reason="needs the extra `s3`")
from vivavoce.web.store_s3 import S3Recordings

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    with s3(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture
def bucket(server, monkeypatch):
    boto3 = pytest.importorskip("boto3")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    made = boto3.resource("s3", endpoint_url=server).Bucket("calls")
    made.create()
    yield made
    made.objects.all().delete()
    made.delete()


@pytest.fixture
def names(bucket):
    """What an S3 client that is not ours sees in the bucket."""
    return lambda: sorted(each.key for each in bucket.objects.all())


@pytest.fixture
async def store(server, bucket, tmp_path):
    recordings = S3Recordings("s3://calls/voice/eu", endpoint=server)
    database = SqliteDatabase(tmp_path / "calls.sqlite3")
    made = Store(
        database, recordings, tmp_path / "spool", upkeep=False, now=lambda: time.time() + 600
    )
    async with made:
        yield made


async def test_recordings_in_a_bucket(store, bucket, names, tmp_path):
    for ident in ("a", "b"):
        store.put(call(ident, caller=ident))
    data = record(store, "a", 60.0)  # 4 MB
    record(store, "b")
    await store.keep("a")
    await store.keep("b")
    assert names() == ["voice/eu/a.wav", "voice/eu/b.wav"]
    assert not list((tmp_path / "spool").iterdir())
    found = await store.recording("a")
    assert found is not None
    assert (found.size, found.path) == (len(data), None)
    assert b"".join([part async for part in store.stream("a")]) == data
    part = [part async for part in store.stream("a", 1_000_000, 3_500_000)]
    assert b"".join(part) == data[1_000_000:3_500_000]
    assert await store.recording("../b") is None
    assert await store.recording("nobody") is None
    with pytest.raises(RecordsError, match="no such recording"):
        [part async for part in store.stream("nobody")]
    assert await store.forget("a") == 1
    assert names() == ["voice/eu/b.wav"]
    bucket.put_object(Key="voice/eu/read.me", Body=b"not ours")
    bucket.put_object(Key="voice/eu/deeper/c.wav", Body=b"not ours")
    bucket.put_object(Key="voice/eu/orphan.wav", Body=b"of no record")
    await store.purge(datetime.fromtimestamp(time.time() - 3600, UTC))
    assert "voice/eu/orphan.wav" in names()
    await store.purge(datetime.fromtimestamp(time.time() + 3600, UTC))
    assert names() == ["voice/eu/deeper/c.wav", "voice/eu/read.me"]


async def test_a_bucket_that_is_away_gets_it_later(store, bucket, names, tmp_path, caplog):
    bucket.delete()
    store.put(call("a"))
    record(store, "a")
    await store.keep("a")
    assert "the recording of call a waits" in caplog.text
    assert (tmp_path / "spool" / "a.wav").exists()
    bucket.create()
    assert not (await store.search(Query())).entries[0].recorded
    await store.look_after()  # as every half minute
    assert names() == ["voice/eu/a.wav"]
    assert (await store.search(Query())).entries[0].recorded


async def test_what_is_wrong_is_told(server, bucket):
    for url in ("s3:///x", "http://calls/x", "s3://key:secret@calls/x"):
        with pytest.raises(RecordsError, match="s3://BUCKET/PREFIX"):
            S3Recordings(url)
    with pytest.raises(RecordsError, match="no such bucket"):
        await S3Recordings("s3://nowhere/x", endpoint=server).open()
    with pytest.raises(RecordsError, match=r"no such bucket|cannot use"):
        await S3Recordings("s3://nowhere/x", endpoint=server).keep("a", Path(os.devnull))
