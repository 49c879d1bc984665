// The recorder: keeps both voices of a call in this page, stereo (the caller left, the agent
// right), for listening again. Nothing of it leaves the page unless the user saves it.

const LONGEST = 3600; // s that are kept; 345 MB, which the browser moves to its disk
const HANDFUL = 40; // blocks that go into one blob

/** A WAV file's header: 16-bit PCM. */
export function header(rate, bytes, channels = 2) {
  const view = new DataView(new ArrayBuffer(44));
  const text = (at, value) => [...value].forEach((c, n) => view.setUint8(at + n, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2 * channels, true);
  view.setUint16(32, 2 * channels, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return view.buffer;
}

export class Recorder {
  #node = null;
  #parts = []; // blobs
  #blocks = []; // samples that are in no blob yet
  #frames = 0;
  #done = null;

  /** When it began, on the page's clock (s). */
  started = 0;

  /** Begin. @param {AudioContext} context @param {AudioNode} caller @param {AudioNode} agent */
  async start(context, caller, agent) {
    await context.audioWorklet.addModule(new URL("./tape.js", import.meta.url));
    this.rate = context.sampleRate / 2;
    this.#node = new AudioWorkletNode(context, "tape", {
      numberOfInputs: 2,
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
    });
    const ended = new Promise((resolve) => (this.#done = resolve));
    this.ended = ended;
    this.#node.port.onmessage = ({ data }) => {
      this.#keep(data.samples);
      if (data.last) this.#done();
    };
    caller.connect(this.#node, 0, 0);
    agent.connect(this.#node, 0, 1);
    this.started = performance.now() / 1000;
  }

  get seconds() {
    return this.rate ? this.#frames / this.rate : 0;
  }

  #keep(samples) {
    if (!samples.length || this.seconds >= LONGEST) return;
    this.#frames += samples.length / 2;
    this.#blocks.push(samples);
    if (this.#blocks.length >= HANDFUL) this.#parts.push(new Blob(this.#blocks.splice(0)));
  }

  /** End, and return the WAV file; null when nothing was recorded. */
  async stop() {
    if (!this.#node) return null;
    this.#node.port.postMessage("stop");
    // A context that was suspended answers nothing: what came until now is the recording.
    await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, 500))]);
    this.#node.port.onmessage = null;
    this.#node.disconnect();
    this.#node = null;
    if (!this.#frames) return null;
    const bytes = this.#frames * 4;
    return new Blob([header(Math.round(this.rate), bytes), ...this.#parts, ...this.#blocks], { type: "audio/wav" });
  }
}
