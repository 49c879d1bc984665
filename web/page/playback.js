// After the call: listening to it again, in step with what was said.

import { clock, get, save, setIcon, write } from "./dom.js";
import { ask } from "./errors.js";
import { t } from "./words.js";

export class Playback {
  #audio = get("playback");
  #began = 0; // of the recording, in seconds since the call began
  #length = 0;
  #blob = null;
  #url = "";
  #session = null;
  #frame = 0;

  /**
   * @param {{scope: object, dialogue: object, base: URL, choose?: (stereo: Blob) => Promise<Blob>}} given
   *   `choose` makes of the recording what is listened to
   */
  constructor({ scope, dialogue, base, choose = async (stereo) => stereo }) {
    this.choose = choose;
    this.scope = scope;
    this.dialogue = dialogue;
    this.base = base;
    const audio = this.#audio;
    get("play").addEventListener("click", () => this.toggle());
    get("speed").addEventListener("change", (event) => (audio.playbackRate = Number(event.target.value)));
    get("seek").addEventListener("input", (event) => this.seek(Number(event.target.value)));
    audio.addEventListener("play", () => this.#run());
    for (const name of ["pause", "ended", "seeked", "loadedmetadata"]) audio.addEventListener(name, () => this.#show());
    audio.addEventListener("error", () => {
      if (audio.getAttribute("src")) write(get("length"), t("after.broken"));
    });
    get("dialogue").addEventListener("click", (event) => {
      const button = event.target.closest("button.at");
      if (!button || button.disabled) return;
      this.seek(Number(button.closest("li").dataset.start) - this.#began);
      audio.play().catch(() => {});
    });
    get("save-audio").addEventListener("click", () => save(this.#blob, `${this.#name}.wav`));
    get("save-json").addEventListener("click", () => this.#json());
  }

  get #name() {
    return `call-${this.#session?.story.call || "record"}`.replace(/[^\w-]/g, "");
  }

  /**
   * Offer a finished session.
   * @param {Blob | null} recording what this page kept
   * @param {number} began when it began, on the page's clock (s)
   */
  async open(session, recording, began) {
    this.#session = session;
    const { story } = session;
    let blob = recording;
    let zero = story.at(began);
    // What the server recorded holds the whole call, also from before a reload.
    const call = session.link.call;
    if (call && story.recording) {
      const found = await this.#fetch(call).catch(() => null);
      if (found && this.#session === session) [blob, zero] = [found, 0];
    }
    if (this.#session !== session) return;
    this.#blob = blob;
    this.#began = zero;
    get("transport").hidden = get("save-audio").hidden = !blob;
    get("seek").hidden = get("playhead").hidden = !blob;
    if (!blob) return;
    const view = new DataView(await blob.slice(0, 44).arrayBuffer());
    this.#length = view.getUint32(40, true) / view.getUint32(28, true);
    get("seek").max = this.#length.toFixed(1);
    await this.load();
    if (this.#session !== session) return;
    this.scope.finish(story.zero + zero, story.zero + zero + this.#length);
    for (const button of get("dialogue").querySelectorAll("button.at")) {
      button.disabled = button.closest("li").dataset.start === undefined;
    }
    this.#show();
  }

  /** Listen to what `choose` gives now, from where it was. */
  async load() {
    const { currentTime, paused } = this.#audio;
    const stereo = this.#blob;
    const chosen = await this.choose(stereo);
    if (this.#blob !== stereo) return;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(chosen);
    this.#audio.src = this.#url;
    this.#audio.playbackRate = Number(get("speed").value);
    if (currentTime > 0) this.#audio.currentTime = currentTime;
    if (!paused) this.#audio.play().catch(() => {});
  }

  /** The whole recording: stereo; null where there is none. */
  get recording() {
    return this.#blob;
  }

  async #fetch(call) {
    const url = new URL(`api/calls/${encodeURIComponent(call.call)}/recording`, this.base);
    url.searchParams.set("token", call.resume);
    // The server may still be writing its end.
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const response = await fetch(url, { signal: AbortSignal.timeout(20_000), credentials: "omit" });
      if (response.ok) return response.blob();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    return null;
  }

  // The server's record is the exact one; what this page saw stands in where there is none.
  async #json() {
    const { story, link } = this.#session;
    let found = null;
    if (link.call) {
      const url = new URL(`api/calls/${encodeURIComponent(link.call.call)}`, this.base);
      url.searchParams.set("token", link.call.resume);
      found = await ask(url, { timeout: 5000 }).catch(() => null);
    }
    const whole = { ...(found ?? story.toJSON()), page: { events: story.log } };
    save(new Blob([JSON.stringify(whole, null, 2)], { type: "application/json" }), `${this.#name}.json`);
  }

  toggle() {
    if (this.#audio.paused) this.#audio.play().catch(() => {});
    else this.#audio.pause();
  }

  seek(seconds) {
    this.#audio.currentTime = Math.min(Math.max(0, seconds), this.#length);
    this.#show();
  }

  #run() {
    cancelAnimationFrame(this.#frame);
    const step = () => {
      this.#show();
      if (!this.#audio.paused) this.#frame = requestAnimationFrame(step);
    };
    step();
  }

  #show() {
    if (!this.#url) return;
    const audio = this.#audio;
    const now = audio.currentTime;
    const playing = !audio.paused;
    setIcon(get("play"), playing ? "pause" : "play");
    get("play").setAttribute("aria-label", t(playing ? "after.pause" : "after.play"));
    write(get("now"), clock(now, true));
    write(get("length"), t("after.of", { length: clock(this.#length, true) }));
    get("playhead").style.left = `${this.#length ? (100 * now) / this.#length : 0}%`;
    const seek = get("seek");
    seek.value = String(now);
    seek.setAttribute("aria-valuetext", t("after.at", { now: clock(now), length: clock(this.#length) }));
    this.dialogue.mark(playing || now > 0 ? now + this.#began : null);
  }

  /** Forget it: another call begins. */
  close() {
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
    this.#blob = this.#session = null;
    for (const id of ["transport", "save-audio", "seek", "playhead"]) get(id).hidden = true;
  }
}
