// Listening to a session again: of both tracks of its recording (what was said left, what was heard
// right) one is made, as one hears it on television, or one is taken alone.

import { header } from "./recorder.js";

const HOP = 0.02; // s in which it is decided whether the translation sounds
const AUDIBLE = 150; // amplitude from which it does
const HOLD = 25; // hops that the original stays low behind it
const BENEATH = 10 ** (-12 / 20); // gain of the original while no translation sounds
const DUCKED = 10 ** (-18 / 20); // and while one does
const PIECE = 1 << 20; // bytes that are worked on at a time

/** Mixes samples, pair by pair; keeps how low the original is from one piece to the next. */
export class Mixer {
  #low = 0;
  #gain = BENEATH;

  constructor(rate) {
    this.hop = Math.max(1, Math.round(rate * HOP));
  }

  /** @param {Int16Array} pairs whole hops, but for the last ones @returns {Int16Array} */
  mix(pairs) {
    const count = pairs.length >> 1;
    const out = new Int16Array(count);
    for (let from = 0; from < count; from += this.hop) {
      const to = Math.min(count, from + this.hop);
      let high = 0;
      for (let at = from; at < to; at += 1) high = Math.max(high, Math.abs(pairs[2 * at + 1]));
      this.#low = high >= AUDIBLE ? HOLD : Math.max(0, this.#low - 1);
      const wanted = this.#low ? DUCKED : BENEATH;
      for (let at = from; at < to; at += 1) {
        const gain = this.#gain + ((wanted - this.#gain) * (at - from)) / (to - from);
        out[at] = Math.max(-32768, Math.min(32767, Math.round(pairs[2 * at] * gain + pairs[2 * at + 1])));
      }
      this.#gain = wanted;
    }
    return out;
  }
}

/**
 * Make what is listened to of a recording.
 * @param {Blob} stereo a WAV file of two tracks of 16 bits with a header of 44 bytes
 * @param {"dubbed"|"said"|"heard"} what both, or one track alone
 * @returns {Promise<Blob>}
 */
export async function listenTo(stereo, what) {
  const head = new DataView(await stereo.slice(0, 44).arrayBuffer());
  const rate = head.getUint32(24, true);
  const mixer = new Mixer(rate);
  const step = PIECE - (PIECE % (4 * mixer.hop));
  const parts = [];
  for (let at = 44; at < stereo.size; at += step) {
    const bytes = await stereo.slice(at, at + step).arrayBuffer();
    const pairs = new Int16Array(bytes, 0, (bytes.byteLength >> 2) * 2);
    if (what === "dubbed") parts.push(mixer.mix(pairs));
    else parts.push(pairs.filter((_, place) => place % 2 === (what === "said" ? 0 : 1)));
  }
  const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
  return new Blob([header(rate, size, 1), ...parts], { type: "audio/wav" });
}
