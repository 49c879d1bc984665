// Before a call or a session: the server's health and what it keeps, the devices, the token. What
// there is to choose is each page's own.

import * as devices from "./devices.js";
import { fill, get, write } from "./dom.js";
import { CallError, ask } from "./errors.js";
import { kept } from "./kept.js";
import { t } from "./words.js";

const LOOK = 5000; // ms between looks at the server's health

/**
 * A page's form. One of its own adds `find()` (asks the server what there is, and returns the answer
 * of `api/agents`), `about` (what was chosen; null while nothing is known) and `show()`.
 */
export class Before {
  #base;
  #health = null;
  #timer = 0;
  #problem;
  #records = null; // what is kept: {words, sound, days}
  #missed = false; // the server could not be asked
  recording = false;

  /** @param {{base: URL, store: object, problem: (error: CallError | null) => void}} given */
  constructor({ base, store, problem }) {
    this.#base = base;
    this.store = store;
    // What went wrong with a call is no business of ours to take away.
    let said = false;
    this.#problem = (error) => {
      if (error || said) problem(error);
      said = Boolean(error);
    };
    get("output").addEventListener("change", () => (this.store.output = get("output").value));
    get("token").addEventListener("change", (event) => {
      this.token = event.target.value.trim();
      this.load();
    });
    get("keep").checked = store.keep !== "no";
    get("keep").addEventListener("change", (event) => (this.store.keep = event.target.checked ? "yes" : "no"));
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.devices());
  }

  /** Remember what is chosen in these fields. */
  remember(names) {
    for (const name of names) get(name).addEventListener("change", () => (this.store[name] = get(name).value));
    get("input").addEventListener("change", () => this.onmicrophone?.());
  }

  /** Ask the server what there is; look at its health from then on. */
  async load() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), LOOK);
    try {
      const [agents] = await Promise.all([this.find(), this.#look()]);
      this.#records = agents.records ?? null;
      this.#missed = false;
      get("token-field").hidden = !agents.token || Boolean(this.token);
      this.#problem(this.about ? null : this.nothing());
    } catch (error) {
      this.#missed = ["unreachable", "slow", "server"].includes(error.code);
      get("token-field").hidden = !["token", "used"].includes(error.code);
      this.#problem(this.meant(error));
    }
    get("setup").classList.toggle("bare", !this.about);
    this.words();
  }

  /** What is wrong where the server has nothing to choose from. */
  nothing() {
    return null;
  }

  /** What an error means here. */
  meant(error) {
    return error.code === "token" && !this.token ? new CallError("token_wanted") : error;
  }

  ask(path) {
    return ask(new URL(path, this.#base), { token: this.token, timeout: 5000 });
  }

  async #look() {
    this.#health = await this.ask("api/health").catch(() => ({ status: "gone" }));
    // What could not be had while the server was gone is asked for when it is back.
    if (this.#health.status !== "gone" && this.#missed) this.load();
    this.#well();
  }

  /** Write what depends on the page's language. */
  words() {
    this.#well();
    if (this.about) this.show();
    this.devices();
  }

  // Whether the server is well, and what it keeps.
  #well() {
    const health = this.#health;
    if (!health) return;
    const state = health.status === "gone" ? "gone" : health.status === "busy" ? "busy" : "ok";
    get("health").dataset.state = state;
    write(get("health-word"), t(`health.${state}`, { calls: health.calls ?? 0, most: health.max_calls ?? 0 }));
    const models = Object.entries(health.models ?? {}).map(([stage, model]) => `${t(`stages.${stage}.name`)}: ${model}`);
    get("health").title = [health.version ? `Viva Voce ${health.version}` : "", ...models].filter(Boolean).join("\n");
    this.recording = health.recording === true;
    write(get("kept-server"), kept(this.#records, this.recording));
  }

  /** Whether no call goes on or is over, whose own name would stand there. */
  get ready() {
    return ["ready", "loading"].includes(document.body.dataset.stage);
  }

  get keep() {
    return get("keep").checked;
  }

  /** List the devices; their names are known once the microphone was allowed. */
  async devices() {
    const { inputs, outputs } = await devices.list();
    const name = (rows, word) => rows.map(([id, label], at) => [id, label || t(word, { count: at + 1 })]);
    fill(get("input"), inputs.length ? name(inputs, "setup.microphoneNumber") : [["", t("setup.anyMicrophone")]], this.store.input);
    get("output-field").hidden = !devices.canChooseOutput() || outputs.length < 2;
    fill(get("output"), name(outputs, "setup.speakerNumber"), this.store.output);
  }

  /** Show how loud the microphone hears (0–1); null hides the meter. */
  level(value) {
    const meter = get("level");
    meter.hidden = value === null;
    get("try").hidden = value !== null;
    if (value === null) return write(get("level-word"), "");
    meter.firstElementChild.style.transform = `scaleX(${value.toFixed(3)})`;
    const now = String(Math.round(100 * value));
    if (Math.abs(Number(meter.getAttribute("aria-valuenow")) - Number(now)) > 5) meter.setAttribute("aria-valuenow", now);
    this.loudest = Math.max(value, (this.loudest ?? 0) * 0.995);
    return write(get("level-word"), t(this.loudest > 0.35 ? "setup.heard" : "setup.speak"));
  }
}
