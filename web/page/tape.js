// The tape: runs beside the audio and hands over both voices, 16-bit, at half the rate. One
// sample clock for both, so they stay aligned however long the call is.

// A half-band low-pass of 23 taps: what half the rate cannot hold must go first.
const HALF = 11;
const TAPS = Array.from({ length: 2 * HALF + 1 }, (_, n) => {
  const x = n - HALF;
  const sinc = x === 0 ? 0.5 : Math.sin((Math.PI * x) / 2) / (Math.PI * x);
  return sinc * (0.54 + 0.46 * Math.cos((Math.PI * x) / (HALF + 1)));
});
const BLOCK = 6000; // samples of each side that are handed over at once

class Side {
  constructor() {
    this.past = new Float32Array(TAPS.length);
    this.at = 0;
  }

  take(sample) {
    this.past[this.at] = sample;
    this.at = (this.at + 1) % TAPS.length;
  }

  give() {
    let sum = 0;
    let from = this.at;
    for (const tap of TAPS) {
      sum += tap * this.past[from];
      from = (from + 1) % TAPS.length;
    }
    return Math.max(-32768, Math.min(32767, Math.round(sum * 32767)));
  }
}

registerProcessor(
  "tape",
  class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.sides = [new Side(), new Side()];
      this.block = new Int16Array(2 * BLOCK);
      this.filled = 0;
      this.odd = false;
      this.stopped = false;
      this.port.onmessage = () => {
        this.port.postMessage({ samples: this.block.slice(0, 2 * this.filled), last: true });
        this.stopped = true;
      };
    }

    process(inputs) {
      if (this.stopped) return false;
      const channels = [inputs[0][0], inputs[1][0]];
      for (let at = 0; at < 128; at += 1) {
        for (const side of [0, 1]) this.sides[side].take(channels[side]?.[at] ?? 0);
        this.odd = !this.odd;
        if (this.odd) continue;
        for (const side of [0, 1]) this.block[2 * this.filled + side] = this.sides[side].give();
        this.filled += 1;
        if (this.filled === BLOCK) {
          this.port.postMessage({ samples: this.block, last: false });
          this.block = new Int16Array(2 * BLOCK);
          this.filled = 0;
        }
      }
      return true;
    }
  },
);
