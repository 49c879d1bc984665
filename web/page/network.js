// The network as this browser sees it: `getStats`, once a second, as figures that people know.

const LOUD = 0.02; // share of concealed sound from which it is heard
const LOST = 0.03; // share of packets from which words are lost
const SLOW = 300; // ms there and back from which people talk over each other

/** What the reports say, as a flat row; `before` is the last one. Pure. */
export function read(reports, before, now) {
  const of = (type, more = () => true) => reports.find((each) => each.type === type && more(each));
  const inbound = of("inbound-rtp", (each) => each.kind === "audio");
  const outbound = of("outbound-rtp", (each) => each.kind === "audio");
  const remote = of("remote-inbound-rtp", (each) => each.kind === "audio");
  const transport = of("transport", (each) => each.selectedCandidatePairId);
  const pair =
    of("candidate-pair", (each) => each.id === transport?.selectedCandidatePairId) ??
    of("candidate-pair", (each) => each.nominated && each.state === "succeeded");
  const local = of("local-candidate", (each) => each.id === pair?.localCandidateId);
  const codec = of("codec", (each) => each.id === inbound?.codecId);
  const counts = {
    now,
    received: inbound?.packetsReceived ?? 0,
    lost: inbound?.packetsLost ?? 0,
    bytesIn: inbound?.bytesReceived ?? 0,
    bytesOut: outbound?.bytesSent ?? 0,
    samples: inbound?.totalSamplesReceived ?? 0,
    // Silence that fills a pause of the sender is no loss.
    concealed: (inbound?.concealedSamples ?? 0) - (inbound?.silentConcealedSamples ?? 0),
    delay: inbound?.jitterBufferDelay ?? 0,
    emitted: inbound?.jitterBufferEmittedCount ?? 0,
  };
  const last = before?.counts && before.counts.received <= counts.received ? before.counts : { ...counts, now: now - 1 };
  const passed = Math.max(0.001, now - last.now);
  const grown = (name) => Math.max(0, counts[name] - last[name]);
  const ratio = (part, whole) => (whole > 0 ? part / whole : 0);
  return {
    counts,
    roundTrip: pair?.currentRoundTripTime != null ? pair.currentRoundTripTime * 1000 : null,
    jitter: inbound?.jitter != null ? inbound.jitter * 1000 : null,
    lost: ratio(grown("lost"), grown("lost") + grown("received")),
    lostThere: remote?.fractionLost ?? 0,
    concealed: ratio(grown("concealed"), grown("samples")),
    buffer: grown("emitted") ? (grown("delay") / grown("emitted")) * 1000 : (before?.buffer ?? null),
    kbitIn: (grown("bytesIn") * 8) / passed / 1000,
    kbitOut: (grown("bytesOut") * 8) / passed / 1000,
    codec: codec ? codec.mimeType.replace("audio/", "") : "",
    path: local ? `${local.candidateType}/${local.relayProtocol ?? local.protocol ?? ""}` : "",
  };
}

/** How good the last seconds were: "good", "fair" or "poor". Pure. */
export function judge(rows) {
  const mean = (of) => rows.reduce((sum, row) => sum + (of(row) ?? 0), 0) / Math.max(1, rows.length);
  const worst = Math.max(
    mean((row) => row.lost) / LOST,
    mean((row) => row.lostThere) / LOST,
    mean((row) => row.concealed) / LOUD,
    mean((row) => row.roundTrip) / SLOW,
  );
  return worst >= 1 ? "poor" : worst >= 0.4 ? "fair" : "good";
}

/** Looks at a link's connection once a second. */
export class Network {
  #timer = 0;
  #row = null;
  #told = null;
  #toldAt = 0;

  /** What was seen of each second, the newest last; a minute of it. */
  rows = [];

  /** @param {import("./link.js").Link} link @param {(row: object) => void} show */
  start(link, show, context) {
    this.stop();
    this.#timer = setInterval(async () => {
      const peer = link.peer;
      if (!peer || peer.connectionState !== "connected") return;
      const reports = [...(await peer.getStats()).values()];
      if (peer !== link.peer) return;
      this.#row = read(reports, this.#row, performance.now() / 1000);
      this.rows.push(this.#row);
      if (this.rows.length > 60) this.rows.shift();
      this.#tell(link, context);
      show(this.#row);
    }, 1000);
  }

  // The server marks what was heard by when it is heard here, not by when it was sent.
  #tell(link, context) {
    if (this.#row.buffer === null) return;
    const delay = this.#row.buffer / 1000 + (context?.outputLatency || context?.baseLatency || 0);
    const { now } = this.#row.counts;
    if (this.#told !== null && (Math.abs(delay - this.#told) < 0.02 || now - this.#toldAt < 5)) return;
    this.#told = delay;
    this.#toldAt = now;
    link.tell("playout", { delay: Math.round(delay * 1000) / 1000 }).catch(() => (this.#told = null));
  }

  /** How long after its arrival sound is heard here (s). */
  get lag() {
    return this.#told ?? 0;
  }

  stop() {
    clearInterval(this.#timer);
    this.#row = this.#told = null;
    this.rows = [];
  }
}
