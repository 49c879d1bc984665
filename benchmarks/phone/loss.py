"""A bad network for ten minutes: loss, jitter and a sender whose clock runs fast or slow. Pure."""

from __future__ import annotations

import random

import numpy as np

from benchmarks.media import voice
from vivavoce.phone.media.session import MediaConfig, MediaSession

PEER = ("192.0.2.9", 4000)


def run(
    minutes: float = 10.0, loss: float = 0.05, jitter: float = 0.060, drift: float = 0.01
) -> dict[str, object]:
    """Send speech through the network, pull it at our own clock, count what was made up."""
    chance = random.Random(1)
    sender = MediaSession(MediaConfig(remote=PEER, inband=False))
    ours = MediaSession(MediaConfig(remote=PEER, inband=False))
    sound = voice(8000, 30.0)
    schedule: list[tuple[float, bytes]] = []
    packets = round(minutes * 60 * 50)
    for index in range(packets):
        start = index * 160 % (len(sound) - 160)
        sender.push(sound[start : start + 160])
        for packet in sender.tick(index * 0.02):
            if not packet.rtcp and chance.random() >= loss:
                # The sender's clock runs fast: its 20 ms are shorter than ours.
                at = index * 0.02 / (1 + drift) + chance.uniform(0, jitter)
                schedule.append((at, packet.data))
    schedule.sort(key=lambda entry: entry[0])
    at = 0
    delays: list[float] = []
    concealed: list[float] = []
    end = packets * 0.02 / (1 + drift)
    for block in range(round(end / 0.02)):
        now = block * 0.02
        while at < len(schedule) and schedule[at][0] <= now:
            ours.receive(schedule[at][1], PEER, schedule[at][0])
            at += 1
        ours.pull(now)
        if block % 50 == 0:
            heard = ours.statistics().heard
            delays.append(heard.delay)
            concealed.append(heard.concealed)
    heard = ours.statistics().heard
    minute = 60
    per_minute = np.diff(concealed[::minute]) if len(concealed) > 2 * minute else np.zeros(1)
    return {
        "minutes": minutes,
        "loss": loss,
        "jitter_ms": jitter * 1000,
        "drift": drift,
        "lost_and_late": round(1 - heard.packets.played / packets, 4),
        "late": heard.packets.late,
        "concealed_share": round(heard.concealed / heard.pulled, 4),
        "concealed_s_in_first_minute": round(float(per_minute[0]), 2),
        "concealed_s_in_last_minute": round(float(per_minute[-1]), 2),
        "delay_ms_median": round(float(np.median(delays)) * 1000, 1),
        "delay_ms_largest": round(max(delays) * 1000, 1),
        "drift_measured": round(heard.drift, 5),
    }
