// Before the call: who is called, in which language and voice, with which devices; whether the
// server is well, and what is kept.

import { fill, get, write } from "./dom.js";
import { CallError, ask } from "./errors.js";
import * as devices from "./devices.js";
import { kept } from "./kept.js";
import { named, t } from "./words.js";

const LOOK = 5000; // ms between looks at the server's health

export class Setup {
  #base;
  #agents = [];
  #health = null;
  #timer = 0;
  #problem;
  #default = "";
  #records = null; // what is kept of a call: {words, sound, days}
  #missed = false; // the agents could not be asked for
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
    this.token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
    if (this.token) history.replaceState(null, "", location.pathname + location.search); // not for the history
    get("agent").addEventListener("change", () => this.#languages());
    get("language").addEventListener("change", () => this.#voices());
    get("input").addEventListener("change", () => this.onmicrophone?.());
    get("output").addEventListener("change", () => (this.store.output = get("output").value));
    get("token").addEventListener("change", (event) => {
      this.token = event.target.value.trim();
      this.load();
    });
    for (const name of ["agent", "language", "voice", "input"]) {
      get(name).addEventListener("change", () => (this.store[name] = get(name).value));
    }
    get("keep").checked = store.keep !== "no";
    get("keep").addEventListener("change", (event) => (this.store.keep = event.target.checked ? "yes" : "no"));
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.devices());
  }

  /** Ask the server what there is; look at its health from then on. */
  async load() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), LOOK);
    const [, agents] = await Promise.allSettled([this.#look(), this.#ask("api/agents")]);
    if (agents.status === "rejected") {
      const error = agents.reason;
      this.#missed = ["unreachable", "slow", "server"].includes(error.code);
      get("setup").classList.toggle("bare", !this.#agents.length);
      if (!this.#agents.length) write(get("name"), "Viva Voce");
      get("token-field").hidden = !["token", "used"].includes(error.code);
      if (error.code === "token" && !this.token) this.#problem(new CallError("token_wanted"));
      else this.#problem(error);
      return;
    }
    this.#missed = false;
    this.devices();
    this.#problem(null);
    get("setup").classList.remove("bare");
    this.#agents = agents.value.agents ?? [];
    this.#default = agents.value.default ?? "";
    this.#records = agents.value.records ?? null;
    get("other").hidden = !agents.value.interpreters?.length;
    get("token-field").hidden = !agents.value.token || Boolean(this.token);
    this.#show();
    this.#well();
  }

  #ask(path) {
    return ask(new URL(path, this.#base), { token: this.token, timeout: 5000 });
  }

  async #look() {
    try {
      this.#health = await this.#ask("api/health");
    } catch (error) {
      this.#health = { status: "gone", error };
    }
    // What could not be had while the server was gone is asked for when it is back.
    if (this.#health.status !== "gone" && this.#missed) this.load();
    this.#well();
  }

  /** Write what depends on the page's language. */
  words() {
    this.#well();
    if (this.#agents.length) this.#languages();
    this.devices();
  }

  // Whether the server is well, and what it keeps.
  #well() {
    const health = this.#health;
    if (health) {
      const state = health.status === "gone" ? "gone" : health.status === "busy" ? "busy" : "ok";
      get("health").dataset.state = state;
      write(get("health-word"), t(`health.${state}`, { calls: health.calls ?? 0, most: health.max_calls ?? 0 }));
      const models = Object.entries(health.models ?? {}).map(([stage, model]) => `${t(`stages.${stage}.name`)}: ${model}`);
      get("health").title = [health.version ? `Viva Voce ${health.version}` : "", ...models].filter(Boolean).join("\n");
      this.recording = health.recording === true;
    }
    write(get("kept-server"), kept(this.#records, this.recording));
  }

  #show() {
    const chosen = fill(get("agent"), this.#agents.map((each) => [each.name, each.name]), this.store.agent ?? this.#default);
    if (!this.#agents.some((each) => each.name === this.store.agent)) get("agent").value = this.#default || chosen;
    get("agent-field").hidden = this.#agents.length < 2;
    this.#languages();
  }

  get agent() {
    return this.#agents.find((each) => each.name === get("agent").value) ?? this.#agents[0] ?? null;
  }

  #languages() {
    const agent = this.agent;
    if (!agent) return;
    if (["ready", "loading"].includes(document.body.dataset.stage)) {
      write(get("name"), agent.name); // in a call it is who speaks
      document.title = `${agent.name} · Viva Voce`;
    }
    const before = get("language").value || this.store.language;
    fill(get("language"), agent.languages.map((code) => [code, named(code)]), before);
    get("language").disabled = agent.languages.length < 2;
    this.#voices();
  }

  #voices() {
    const agent = this.agent;
    const voices = agent?.voices ?? {};
    const own = voices[get("language").value] ?? Object.values(voices)[0] ?? "";
    const all = [...new Set([own, ...Object.values(voices)])].filter(Boolean);
    fill(get("voice"), all.length ? all.map((name) => [name, name.replaceAll("_", " ")]) : [["", t("setup.ownVoice")]], own);
    get("voice").disabled = all.length < 2;
  }

  /** What is asked of the server. Only what was chosen is sent: the rest is the agent's. */
  get wanted() {
    const agent = this.agent;
    const language = get("language").value;
    const voice = get("voice").value;
    const own = agent?.voices?.[language];
    return {
      agent: agent?.name,
      ...(agent && language && language !== agent.languages[0] ? { language } : {}),
      ...(voice && voice !== own ? { voice } : {}),
    };
  }

  get keep() {
    return get("keep").checked;
  }

  /** List the devices; their names are known once the microphone was allowed. */
  async devices() {
    const { inputs, outputs } = await devices.list();
    const name = (rows, word) => rows.map(([id, label], at) => [id, label || t(word, { count: at + 1 })]);
    const missing = !inputs.length;
    fill(get("input"), missing ? [["", t("setup.anyMicrophone")]] : name(inputs, "setup.microphoneNumber"), this.store.input);
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
    write(get("level-word"), t(this.loudest > 0.35 ? "setup.heard" : "setup.speak"));
    return undefined;
  }
}
