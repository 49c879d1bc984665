"""Media on real sockets: pace, ports and an orderly end."""

import asyncio
import gc
import socket
import time

import numpy as np
import psutil
import pytest

from vivavoce.phone.media.endpoint import MediaEndpoint
from vivavoce.phone.media.rtp import RtpPacket
from vivavoce.phone.media.session import Goodbye, MediaConfig, MediaSession

PORTS = range(41_000, 43_000)


def tone(seconds, frequency=440, rate=8000):
    return (8000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(
        np.int16
    )


async def until(condition, within=30.0):
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - conditions of many kinds, on any thread
            await asyncio.sleep(0.005)


def pitch(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return int(spectrum.argmax()) * 8000 / len(sound)


async def test_two_ports_speak_to_each_other():
    heard, events = [], []
    async with (
        await MediaEndpoint.open(ports=PORTS, heard=heard.append, happened=events.append) as theirs,
        await MediaEndpoint.open(ports=PORTS) as ours,
    ):
        assert ours.address[1] % 2 == 0
        theirs.start(MediaSession(MediaConfig(remote=ours.address)))
        ours.start(MediaSession(MediaConfig(remote=theirs.address)))
        ours.push(tone(2))
        await until(lambda: len(heard) >= 40)
        ours.send_dtmf("7")
        await until(lambda: events)
        ours.flush()
        await ours.close()
        await until(lambda: len(events) >= 2)
    assert pitch(np.concatenate(heard[15:40])) == pytest.approx(440, abs=3)
    assert events[0].key == "7"
    assert isinstance(events[1], Goodbye)
    assert theirs.statistics().heard.packets.received > 30


async def test_a_source_is_asked_for_exactly_what_is_needed():
    asked = []

    def source(count):
        asked.append(count)
        return np.full(count, 5000, np.int16) if len(asked) != 3 else None

    session = MediaSession(MediaConfig(remote=("127.0.0.1", 9)))
    async with await MediaEndpoint.open(session, ports=PORTS, source=source):
        await until(lambda: session.statistics().sent.packets >= 8)
    # One packet's, or that of several that leave at once where a busy machine was late.
    assert set(asked) <= {160, 320, 480}
    assert sum(asked) == 160 * session.statistics().sent.packets


async def test_the_pace_is_twenty_milliseconds():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(2.0)
        session = MediaSession(MediaConfig(remote=sock.getsockname()))
        async with await MediaEndpoint.open(session, ports=PORTS):
            times, stamps = [], []
            for _ in range(20):
                data = await asyncio.to_thread(sock.recv, 2048)
                times.append(time.monotonic())
                stamps.append(RtpPacket.parse(data).timestamp)
        # Never ahead of time, and the timestamps tell the time even if this machine is busy.
        told = ((stamps[-1] - stamps[0]) & 0xFFFF_FFFF) / 8000
        assert told >= 19 * 0.02
        assert times[-1] - times[0] == pytest.approx(told, abs=0.07)
    finally:
        sock.close()


async def test_a_loop_that_hung_drops_what_is_late():
    session = MediaSession(MediaConfig(remote=("127.0.0.1", 9)))
    async with await MediaEndpoint.open(session, ports=PORTS) as endpoint:
        endpoint.push(tone(1))
        await until(lambda: session.statistics().sent.packets >= 3)
        asyncio.get_running_loop().slow_callback_duration = 1.0  # it is slow on purpose
        time.sleep(0.3)  # noqa: ASYNC251 - the loop is to hang
        await until(lambda: session.statistics().sent.skipped)
        assert session.statistics().sent.skipped >= 10
        assert session.queued < 0.75


async def test_a_callback_that_fails_does_not_end_the_call(caplog):
    def broken(_pcm):
        raise ZeroDivisionError

    session = MediaSession(MediaConfig(remote=("127.0.0.1", 9)))
    async with await MediaEndpoint.open(session, ports=PORTS, heard=broken):
        await until(lambda: session.statistics().sent.packets >= 5)
    assert [record.message for record in caplog.records] == ["A media callback (heard) failed"]


async def test_a_callback_may_close_the_call():
    done = []

    def heard(_pcm):
        if not done:
            done.append(asyncio.ensure_future(endpoint.close()))

    session = MediaSession(MediaConfig(remote=("127.0.0.1", 9)))
    endpoint = await MediaEndpoint.open(ports=PORTS, heard=heard)
    endpoint.start(session)
    await until(lambda: done and done[0].done())
    await endpoint.close()
    endpoint.start(session)
    assert endpoint._timer is None or endpoint._timer.cancelled()


async def test_closing_gives_the_ports_back():
    ports = range(43_000, 43_002)
    for _ in range(3):
        endpoint = await MediaEndpoint.open(ports=ports)
        assert endpoint.address == ("127.0.0.1", 43_000)
        with pytest.raises(OSError, match="widen the range"):
            await MediaEndpoint.open(ports=ports)
        await endpoint.close()
        await endpoint.close()


async def test_names_are_no_hosts():
    with pytest.raises(ValueError, match="not to the name 'localhost'"):
        await MediaEndpoint.open(host="localhost")


async def test_ipv6():
    try:
        endpoint = await MediaEndpoint.open(host="::1", ports=PORTS)
    except OSError:
        pytest.skip("no IPv6 loopback here")
    async with endpoint:
        endpoint.start(MediaSession(MediaConfig(remote=("::1", endpoint.address[1]))))
        await until(lambda: endpoint.statistics().heard.packets.received >= 3)


async def test_nothing_is_left_of_many_calls():
    def sockets():
        return len(psutil.Process().net_connections("udp"))

    gc.collect()  # what other tests have left may not go meanwhile
    before, tasks = sockets(), len(asyncio.all_tasks())
    for _ in range(10):
        async with await MediaEndpoint.open(ports=PORTS) as endpoint:
            endpoint.start(MediaSession(MediaConfig(remote=endpoint.address)))
            await asyncio.sleep(0.005)
    await until(lambda: sockets() <= before)
    assert len(asyncio.all_tasks()) == tasks
