// A session: one call with its link, its story and its sounds. The page and the component each
// put a face on it.

import * as devices from "./devices.js";
import { CallError } from "./errors.js";
import { Link } from "./link.js";
import { Story } from "./story.js";

/**
 * Events: `change` (`{changed, entries}` of the story), `log` (one row), `state` (of the link),
 * `over`, `sound` (the agent's stream).
 */
export class Session extends EventTarget {
  #muted = false;
  #over = false;
  #wake = null;
  #visible = () => this.#awake();

  /**
   * @param {{base: URL, token?: string, context: AudioContext, voice: HTMLAudioElement, story?: Story}} given
   *   `voice` plays what the agent says
   */
  constructor({ base, token, context, voice, story = new Story() }) {
    super();
    this.context = context;
    this.voice = voice;
    this.story = story;
    this.link = new Link({ base, token });
    // Sources come and go (another microphone, a new connection); who listens stays connected.
    this.caller = context.createGain();
    this.agent = context.createGain();
    this.stream = null;
    this.sources = {};
    this.link.addEventListener("message", ({ detail }) => this.#take(detail));
    this.link.addEventListener("sent", ({ detail }) => this.#log(detail, "out"));
    this.link.addEventListener("stream", ({ detail }) => this.#hear(detail));
    this.link.addEventListener("state", ({ detail }) => {
      this.dispatchEvent(new CustomEvent("state", { detail }));
      if (detail.state === "closed") this.#finish(detail.error);
    });
  }

  get muted() {
    return this.#muted;
  }

  get over() {
    return this.#over;
  }

  /** Begin. @param {MediaStream} stream what the caller says; ours from now on, also to stop */
  async start(wanted, stream) {
    this.use(stream);
    await this.link.start(wanted, stream.getAudioTracks()[0]);
    addEventListener("visibilitychange", this.#visible);
    this.#awake();
  }

  /** Speak through another microphone. */
  use(stream) {
    const before = this.stream;
    this.stream = stream;
    this.sources.caller?.disconnect();
    this.sources.caller = this.context.createMediaStreamSource(stream);
    this.sources.caller.connect(this.caller);
    for (const track of stream.getAudioTracks()) track.enabled = !this.#muted;
    if (before && before !== stream) {
      this.link.replaceTrack(stream.getAudioTracks()[0]);
      devices.stop(before);
    }
  }

  /** Stop being heard, or be heard again. */
  mute(on) {
    this.#muted = on;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = !on;
    if (this.link.state === "connected") this.link.tell("mute", { on }).catch(() => {});
  }

  type(text) {
    return this.link.send("send-text", { content: text, options: { run_immediately: true } });
  }

  /** Ask something of the session: `language`, `original`, … */
  ask(what, data) {
    return this.link.tell(what, data);
  }

  press(key) {
    return this.link.tell("key", { key });
  }

  hold(on) {
    return this.link.tell("hold", { on });
  }

  interrupt() {
    return this.link.tell("interrupt");
  }

  async end() {
    await this.link.end();
  }

  /** Leave everything behind; the call itself waits on the server for a while. */
  drop() {
    this.link.close();
  }

  #take(message) {
    this.#log(message, "in");
    if (message.type === "error") {
      const detail = String(message.data?.message ?? message.data?.error ?? "");
      this.dispatchEvent(new CustomEvent("problem", { detail: new CallError("server", { detail }) }));
    }
    if (message.type !== "server-message" || typeof message.data?.event !== "string") return;
    const detail = this.story.take(message.data, performance.now() / 1000);
    if (message.data.event === "snapshot" && this.#muted) this.link.tell("mute", { on: true }).catch(() => {});
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }

  #log(message, direction) {
    const row = this.story.note(message, direction, performance.now() / 1000);
    this.dispatchEvent(new CustomEvent("log", { detail: row }));
  }

  #hear(stream) {
    this.voice.srcObject = stream;
    this.voice.play().catch(() => this.dispatchEvent(new CustomEvent("silent")));
    this.sources.agent?.disconnect();
    this.sources.agent = this.context.createMediaStreamSource(stream);
    this.sources.agent.connect(this.agent);
    this.dispatchEvent(new CustomEvent("sound", { detail: stream }));
  }

  // A phone that falls asleep takes the microphone along.
  async #awake() {
    if (document.visibilityState !== "visible" || this.#over) return;
    try {
      this.#wake = (await navigator.wakeLock?.request("screen")) ?? null;
      if (this.#over) await this.#wake?.release();
    } catch {
      // Low battery: then it sleeps.
    }
  }

  #finish(error) {
    if (this.#over) return;
    this.#over = true;
    removeEventListener("visibilitychange", this.#visible);
    this.#wake?.release().catch(() => {});
    if (this.story.phase !== "ended") {
      this.story.length = this.story.at(performance.now() / 1000);
      this.story.phase = "ended";
    }
    this.dispatchEvent(new CustomEvent("over", { detail: error }));
    // The recorder's last words are still in the air.
    setTimeout(() => {
      for (const source of Object.values(this.sources)) source.disconnect();
      devices.stop(this.stream);
      this.voice.srcObject = null;
    }, 300);
  }
}
