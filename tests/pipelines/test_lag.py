"""How long the event loop kept a call waiting."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines import lag
from vivavoce.pipelines.lag import Lags, LoopLag


@given(st.lists(st.floats(0.0, 15.0), min_size=1), st.floats(0, 100))
def test_percentiles_are_right_to_a_tenth(delays, percent):
    lags = Lags()
    for delay in delays:
        lags.add(delay)
    exact = sorted(delays)[max(0, -int(-len(delays) * percent // 100) - 1)]
    assert lags.count == len(delays)
    assert lags.percentile(percent) <= exact * 1.1 + 1e-9
    assert lags.percentile(percent) >= exact / 1.1 - 1.1e-4
    assert lags.longest == pytest.approx(max(delays), abs=1e-4)


def test_none_and_what_no_clock_gives():
    lags = Lags()
    assert (lags.count, lags.longest, lags.percentile(99)) == (0, 0.0, 0.0)
    lags.add(-1.0)
    lags.add(1e9)
    assert (lags.count, lags.longest, lags.percentile(50)) == (2, 1e9, 0.0)
    with pytest.raises(ValueError, match="within 0 and 100"):
        lags.percentile(101)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any of several things
            await asyncio.sleep(0.01)


async def test_a_stall_is_seen():
    asyncio.get_running_loop().slow_callback_duration = 10  # this one is meant
    watch = LoopLag()
    watch.start()
    await until(lambda: watch.count >= 2)
    for _ in range(3):  # one of them begins before the timer is due for sure
        time.sleep(0.15)  # noqa: ASYNC251 - what must not be done
        await asyncio.sleep(0)
    await until(lambda: watch.count >= 6)
    watch.close()
    assert watch.max >= 0.15 * 1000 - lag.EVERY * 1000 - 1
    assert watch.p50 <= watch.p99 <= watch.max
    told = watch.to_dict()
    assert list(told) == ["p50", "p95", "p99", "max"]
    assert told["max"] == round(watch.max, 1)


async def test_calls_share_a_timer_and_see_their_own_time():
    one, other = LoopLag(), LoopLag()
    one.start()
    one.start()
    await until(lambda: one.count >= 3)
    other.start()
    assert one._timer is other._timer
    await until(lambda: other.count >= 2)
    one.close()
    one.close()
    seen = one.count
    assert other.count < seen
    before = other.count
    await until(lambda: other.count > before)
    assert one.count == seen
    timer = other._timer
    other.close()
    assert timer._handle is None


async def test_it_may_be_started_again():
    watch = LoopLag()
    assert watch.to_dict() == {}
    watch.start()
    await until(lambda: watch.count >= 1)
    watch.close()
    before = watch.count
    watch.start()
    await until(lambda: watch.count > before)
    watch.close()


def test_each_loop_has_its_own():
    async def look():
        watch = LoopLag()
        watch.start()
        await until(lambda: watch.count >= 1)
        watch.close()
        return watch.count

    assert asyncio.run(look()) >= 1
    assert asyncio.run(look()) >= 1
    assert lag._timers == {}


def test_lags_can_be_read_as_a_histogram():
    lags = Lags()
    for late in (0.0, 0.0009, 0.004, 0.02, 0.5):
        lags.add(late)
    assert lags.total == pytest.approx(0.5249)
    assert [lags.at_most(bound) for bound in (1e-4, 0.001, 0.005, 0.1, 1.0, 60.0)] == [
        1, 2, 3, 4, 5, 5,
    ]  # fmt: skip
