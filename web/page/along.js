// Listening along: sound that comes in blocks is played one after the other, a moment late, so
// that a block that comes late is no gap.

const AHEAD = 0.25; // s that sound waits before it is played, at first and after a gap
const MOST = 1.2; // s that may wait; what is more is skipped

export class Along {
  #context;
  #next = 0;

  /** @param {number} rate samples a second of each side */
  constructor(rate) {
    this.rate = rate;
    this.#context = new AudioContext({ latencyHint: "playback" });
    this.#context.resume();
  }

  /** Play a block: 16-bit pairs, the caller left and the agent right. */
  play(block) {
    const pairs = new Int16Array(block);
    const count = pairs.length >> 1;
    const now = this.#context.currentTime;
    if (!count || this.#context.state !== "running") return;
    if (this.#next < now) this.#next = now + AHEAD;
    if (this.#next > now + MOST) return;
    const buffer = this.#context.createBuffer(2, count, this.rate);
    for (const side of [0, 1]) {
      const channel = buffer.getChannelData(side);
      for (let at = 0; at < count; at += 1) channel[at] = pairs[2 * at + side] / 32768;
    }
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    source.start(this.#next);
    this.#next += buffer.duration;
  }

  /** Fall silent. */
  close() {
    this.#context.close().catch(() => {});
  }
}
