// Before the call: who is called, in which language and voice, with which devices; whether the
// server is well, and what is kept.

import { Before } from "./before.js";
import { fill, get, write } from "./dom.js";
import { named, t } from "./words.js";

export class Setup extends Before {
  #agents = [];
  #default = "";

  /** @param {{base: URL, store: object, problem: (error: Error | null) => void}} given */
  constructor(given) {
    super(given);
    this.token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
    if (this.token) history.replaceState(null, "", location.pathname + location.search); // not for the history
    this.remember(["agent", "language", "voice", "input"]);
    get("agent").addEventListener("change", () => this.#languages());
    get("language").addEventListener("change", () => this.#voices());
  }

  /** Ask who there is to call. */
  async find() {
    const found = await this.ask("api/agents");
    this.#agents = found.agents ?? [];
    this.#default = found.default ?? "";
    get("other").hidden = !found.interpreters?.length;
    return found;
  }

  meant(error) {
    if (!this.#agents.length) write(get("name"), "Viva Voce");
    return super.meant(error);
  }

  /** Show who there is. */
  show() {
    const chosen = fill(get("agent"), this.#agents.map((each) => [each.name, each.name]), this.store.agent ?? this.#default);
    if (!this.#agents.some((each) => each.name === this.store.agent)) get("agent").value = this.#default || chosen;
    get("agent-field").hidden = this.#agents.length < 2;
    this.#languages();
  }

  /** Who is called; null while nobody is known. */
  get about() {
    return this.#agents.find((each) => each.name === get("agent").value) ?? this.#agents[0] ?? null;
  }

  #languages() {
    const agent = this.about;
    if (!agent) return;
    if (this.ready) {
      write(get("name"), agent.name); // in a call it is who speaks
      document.title = `${agent.name} · Viva Voce`;
    }
    const before = get("language").value || this.store.language;
    fill(get("language"), agent.languages.map((code) => [code, named(code)]), before);
    get("language").disabled = agent.languages.length < 2;
    this.#voices();
  }

  #voices() {
    const agent = this.about;
    const voices = agent?.voices ?? {};
    const own = voices[get("language").value] ?? Object.values(voices)[0] ?? "";
    const all = [...new Set([own, ...Object.values(voices)])].filter(Boolean);
    fill(get("voice"), all.length ? all.map((name) => [name, name.replaceAll("_", " ")]) : [["", t("setup.ownVoice")]], own);
    get("voice").disabled = all.length < 2;
  }

  /** What is asked of the server. Only what was chosen is sent: the rest is the agent's. */
  get wanted() {
    const agent = this.about;
    const language = get("language").value;
    const voice = get("voice").value;
    const own = agent?.voices?.[language];
    return {
      agent: agent?.name,
      ...(agent && language && language !== agent.languages[0] ? { language } : {}),
      ...(voice && voice !== own ? { voice } : {}),
    };
  }
}
