"""What each part needs for a number of calls, and where one of it is full. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

PACKETS = 50
"""Of media in a second, one way."""
HEADERS = 54
"""Bytes of a media packet beside its sound: Ethernet, IPv4, UDP, RTP."""
PCM = 16_000 * 16 * 4 / 3
"""Bits a second of 16 kHz sound as base64: what transcription is sent."""
SPEECH = 24_000 * 16 * 4 / 3
"""Bits a second of 24 kHz sound as base64: what comes from speech synthesis."""
MESSAGES = 25
"""Packets a second to and from the transcription: 12 messages, and what confirms them."""
TALKS = 0.4
"""Share of the time that the agent speaks."""
RELAYS = 16_384
"""Relay ports of a coturn's address (49152 to 65535)."""
FILES = 65_536
"""LimitNOFILE of the unit in deploy/systemd."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something of which there has to be enough.

    Attributes:
        name: One of it.
        needs: What a call takes of it.
        has: How much one of it has, in the same unit.
        unit: That unit.
        more: What to do when one is full.
    """

    name: str
    needs: float
    has: float
    unit: str
    more: str

    @property
    def full(self) -> float:
        """Calls at a time at which one of it is full."""
        return self.has / self.needs if self.needs else math.inf

    def count(self, calls: float) -> int:
        """Return how many of it so many calls at a time need."""
        return max(1, math.ceil(calls / self.full - 1e-9)) if self.needs else 0


def per_core(figures: Mapping[str, float]) -> float:
    """Return how many calls of the mix a core carries."""
    phone, browser = figures["telephone_share"], figures["webrtc_share"]
    return 1 / (
        phone / figures["telephone_per_core"]
        + browser / figures["webrtc_per_core"]
        + (1 - phone - browser) / figures["socket_per_core"]
    )


def per_node(figures: Mapping[str, float]) -> int:
    """Return how many calls a machine carries: whole ones in each worker.

    Raises:
        ValueError: Not one.
    """
    workers = int(figures["node_cores"] - figures["node_kept"])
    calls = workers * int(per_core(figures) + 1e-9)
    if calls < 1:
        raise ValueError("a machine of that kind carries no call: more cores, or more per core")
    return calls


def traffic(figures: Mapping[str, float]) -> tuple[float, float, float]:
    """Return what a call sends, what it gets (bits/s), and its packets/s, both ways together."""
    phone, browser = figures["telephone_share"], figures["webrtc_share"]
    opus, pcm = figures["opus_bytes"], 160
    sound = phone * (pcm + HEADERS) + browser * (opus + HEADERS + 10)
    sound += (1 - phone - browser) * (640 + HEADERS + 20)  # a socket carries PCM
    media = PACKETS * 8 * sound
    return media + PCM, media + TALKS * SPEECH, 2 * PACKETS + MESSAGES + 20


def requests(figures: Mapping[str, float]) -> float:
    """Return the requests a second of a call to providers, transcription apart."""
    return figures["turns_a_minute"] / 60 * figures["requests_a_turn"] * (1 + figures["wasted"])


def writes(figures: Mapping[str, float]) -> float:
    """Return how often a second a call's record is written: begun, each turn, over."""
    turns = figures["turns_a_minute"] * figures["mean_call"] / 60
    return (turns + 2) / figures["mean_call"]


def parts(figures: Mapping[str, float]) -> list[Part]:
    """Return all parts, the one that is full first first."""
    phone, browser = figures["telephone_share"], figures["webrtc_share"]
    socket, begins = 1 - phone - browser, 1 / figures["mean_call"]
    sent, got, packets = traffic(figures)
    workers = figures["node_cores"] - figures["node_kept"]
    memory = figures["node_memory"] * 1000 - 2000 - workers * figures["process_memory"]
    relayed, core = browser * figures["relay_share"], figures["core_use"]
    front = socket * figures["front_share"] + (1 - phone) * begins * figures["offer_ms"] / 1000
    found = [
        Part("worker (a core)", 1, int(per_core(figures) + 1e-9), "calls", "workers"),
        Part("machine: cores", 1, per_node(figures), "calls", "machines"),
        Part("machine: memory", figures["call_memory"], memory, "MB", "never first"),
        Part("machine: network", max(sent, got) / 1e6, figures["node_gbit"] * 1000 * 0.7,
             "Mbit/s", "never first"),
        Part("machine: packets", packets, figures["node_packets"] * 0.7, "packets/s",
             "never first"),
        Part("machine: media ports", 2 * (phone + browser), figures["node_ports"], "ports",
             "a wider range"),
        Part("process: files", 2 + 2 * figures["sockets_per_call"], FILES * 0.8, "files",
             "never first"),
        Part("front: a core", front, core, "cores",
             "a front a core, or more, behind one TCP balancer or several DNS addresses"),
        Part("coturn: a core", relayed * 2 * PACKETS * figures["relay_us"] / 1e6, core, "cores",
             "cores, then several `turn:` URLs"),
        Part("coturn: relay ports", relayed, RELAYS, "ports", "an address more"),
        Part("Kamailio: a core", phone * begins * figures["kamailio_ms"] / 1000, core, "cores",
             "`children`; then a second one, by the carrier's SRV records"),
        Part("PostgreSQL: a core", writes(figures) * figures["write_ms"] / 1000, core, "cores",
             "cores, to 32 or so; then a database for each region or group of agents"),
        Part("Prometheus", figures["series"] / max(1, int(per_core(figures)))
             * figures["series_bytes"] / 1e9, figures["prometheus_memory"], "GB",
             "one for each region, and federation of the rules' results"),
        Part("NAT address to one provider", figures["sockets_per_call"],
             figures["nat_ports"] * 0.8, "connections",
             "public addresses on the machines, which then need no NAT; or more addresses"),
        Part("provider's account", requests(figures), figures["provider_requests"],
             "requests/s", "ask for a higher limit; several providers; models of your own"),
    ]  # fmt: skip
    return sorted(found, key=lambda part: part.full)


def minute(figures: Mapping[str, float], *, node_hours: float, minutes: float, peak: float,
           ) -> dict[str, float]:  # fmt: skip
    """Return what a minute of a call costs, by who is paid (US dollars).

    Args:
        figures: The figures.
        node_hours: Hours of machines on a day.
        minutes: Minutes of calls on it.
        peak: Calls at a time in the busiest hour: what stands beside the machines is for that.
    """
    turns = figures["turns_a_minute"]
    again = 1 + figures["wasted"]
    beside = {"front: a core", "coturn: a core", "Kamailio: a core", "PostgreSQL: a core"}
    found = {part.name: part for part in parts(figures)}
    cores = sum(found[name].count(peak) for name in beside)
    cores += 4 * found["Prometheus"].count(peak)
    sent, _, _ = traffic(figures)
    relayed = figures["webrtc_share"] * figures["relay_share"]
    media = PACKETS * 8 * (figures["opus_bytes"] + HEADERS + 10)
    size = figures["record_kb"] / (figures["mean_call"] / 60) / 1e6  # GB a minute
    return {
        "hearing": figures["hearing_price"],
        "speaking": figures["characters_a_minute"] / 1e6 * figures["speaking_price"],
        "thinking": turns * again * (
            figures["prompt_tokens"] * figures["prompt_price"]
            + figures["completion_tokens"] * figures["completion_price"]
        ) / 1e6,
        "carrier": figures["telephone_share"] * figures["carrier_price"],
        "machines": node_hours * figures["node_price"] / minutes,
        "beside them": cores * 24 * figures["core_price"] / minutes,
        "traffic": (sent + relayed * media) * 60 / 8 / 1e9 * figures["traffic_price"],
        "disks": size * figures["disk_price"],
    }  # fmt: skip
