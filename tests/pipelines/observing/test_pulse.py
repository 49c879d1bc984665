from vivavoce.pipelines.observing.pulse import RECENT, Pulse


def test_the_worst_of_the_last_seconds_is_forgotten_after_them():
    now = [100.0]
    pulse = Pulse(lambda: now[0])
    assert pulse.worst == 0
    pulse.add(0.4)
    now[0] += 5
    pulse.add(0.1)
    assert pulse.worst == 0.4
    now[0] += RECENT - 3
    pulse.add(-1.0)
    assert pulse.worst == 0.1
    now[0] += 2 * RECENT
    assert pulse.worst == 0.0
    assert (pulse.count, pulse.longest) == (3, 0.4)
