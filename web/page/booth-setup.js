// Before a session: who one is, what one speaks and hears, with which devices; what is kept, and
// whether one's voice may be copied.

import { Before } from "./before.js";
import { same } from "./booth.js";
import { fill, get, setIcon, write } from "./dom.js";
import { CallError } from "./errors.js";
import { named, t } from "./words.js";

const EITHER = ""; // two languages at one microphone

export class Setup extends Before {
  #interpreters = [];
  #room = null; // what is joined: GET api/rooms/ID
  #asked = false; // by the link: to listen only

  /** @param {{base: URL, store: object, problem: (error: CallError | null) => void}} asked */
  constructor(asked) {
    super(asked);
    const given = new URLSearchParams([...new URLSearchParams(location.search), ...new URLSearchParams(location.hash.slice(1))]);
    this.token = given.get("token") ?? "";
    this.place = given.has("lecture") ? { lecture: given.get("lecture") } : given.has("room") ? { room: given.get("room") } : null;
    this.#asked = given.has("listen") || (given.has("lecture") && !given.has("speak"));
    // A token is not for the history: what is joined stays, for a reload.
    given.delete("token");
    if (this.token) history.replaceState(null, "", `${location.pathname}${given.size ? `#${given}` : ""}`);
    this.token ||= this.place ? (sessionToken() ?? "") : "";
    if (this.place) sessionToken(this.token);
    get("name-field").value = this.store["name-field"] ?? "";
    this.remember(["interpreter", "speaks", "hears", "input", "name-field"]);
    for (const name of ["interpreter", "speaks"]) get(name).addEventListener("change", () => this.#languages());
  }

  /** Ask which interpreters there are, and what is joined. */
  async find() {
    const [agents, room] = await Promise.all([
      this.ask("api/agents"),
      this.place ? this.ask(`api/rooms/${encodeURIComponent(this.place.room ?? this.place.lecture)}`) : null,
    ]);
    this.#interpreters = agents.interpreters ?? [];
    get("other").hidden = !agents.agents?.length || Boolean(this.place);
    this.#room = room;
    return agents;
  }

  nothing() {
    return new CallError("no_interpreter");
  }

  meant(error) {
    const code = this.place && { unknown: "no_room", over: "room_over" }[error.code];
    return code ? new CallError(code) : super.meant(error);
  }

  /** The interpreter that was chosen, or the room that is joined; null while none is known. */
  get about() {
    if (this.place) return this.#room;
    return this.#interpreters.find((each) => each.name === get("interpreter").value) ?? this.#interpreters[0] ?? null;
  }

  /** Whether one only listens. */
  get listens() {
    return this.#asked || this.#room?.role === "listen";
  }

  /** How far behind the translation should be (s). */
  get aim() {
    const name = this.about?.interpreter ?? this.about?.name;
    return (this.#interpreters.find((each) => each.name === name)?.latency ?? 0) / 1000;
  }

  /** What the session is called. */
  get title() {
    const { about } = this;
    if (!about) return t("booth.page");
    if (about.title) return about.title;
    const target = about.targets.map((code) => named(code)).join(" · ");
    const title = `${named(about.source)} ${about.both_ways || about.kind === "room" ? "⇄" : "→"} ${target}`;
    return title[0].toUpperCase() + title.slice(1);
  }

  words() {
    super.words();
    if (!this.about && this.ready) this.#name();
  }

  #name() {
    write(get("name"), this.title);
    document.title = `${this.title} · Viva Voce`;
  }

  /** Show what there is to choose. */
  show() {
    const { about, listens, place } = this;
    if (this.ready) this.#name();
    const rows = this.#interpreters.map((each) => [each.name, `${named(each.source)} ${each.both_ways ? "⇄" : "→"} ${each.targets.map((code) => named(code)).join(" · ")}`]);
    if (!place) fill(get("interpreter"), rows, get("interpreter").value || this.store.interpreter);
    get("interpreter-field").hidden = Boolean(place) || rows.length < 2;
    for (const id of ["speaks-label", "mic-field", "level-row", "headphones", "keep-field"]) get(id).hidden = listens;
    get("name-label").hidden = !place;
    get("copy-field").hidden = listens || !about.copies;
    get("reads-field").hidden = !listens;
    const kind = listens ? "booth.listen" : place ? "booth.join" : "booth.begin";
    get("start").replaceChildren(t(kind));
    setIcon(get("start"), listens ? "phones" : place ? "phone" : "mic");
    get("hint").hidden = listens;
    const there = (this.#room?.participants ?? []).filter((each) => each.there && each.speaks);
    get("there").hidden = !there.length;
    write(get("there"), there.length ? t("booth.thereNow", { names: new Intl.ListFormat(document.documentElement.lang).format(there.map((each) => each.name)) }) : "");
    this.#languages();
  }

  #languages() {
    const { about, listens, place } = this;
    if (!about) return;
    const all = about.languages ?? [about.source, ...about.targets];
    const everybody = place && about.kind !== "lecture";
    let spoken = everybody ? all : [about.source];
    if (!place && about.both_ways) spoken = [EITHER];
    const word = (code) => (code === EITHER ? t("booth.either", { one: named(about.source), other: named(about.targets[0]) }) : named(code));
    const speaks = fill(get("speaks"), spoken.map((code) => [code, word(code)]), get("speaks").value || this.store.speaks);
    get("speaks").disabled = spoken.length < 2;
    const heard = listens ? all : about.targets;
    // In a room everybody hears their own language; alone with two languages, the other one.
    get("hears-label").hidden = !listens && (Boolean(place) || (about.both_ways && speaks === EITHER));
    const preferred = get("hears").value || this.store.hears || (heard.find((code) => same(code, document.documentElement.lang)) ?? "");
    fill(get("hears"), heard.map((code) => [code, listens && same(code, about.source) ? t("booth.itself", { language: named(code) }) : named(code)]), preferred);
    get("hears").disabled = heard.length < 2;
  }

  /** What is asked of the server. */
  get wanted() {
    const { about, listens, place } = this;
    const asked = { interpreter: about?.interpreter ?? about?.name, ...place };
    const name = get("name-field").value.trim();
    if (place && name) asked.name = name.slice(0, 64);
    if (!listens) asked.speaks = get("speaks").value;
    if (listens || !place) asked.hears = get("hears").value;
    if (!listens && about?.copies && get("copy").checked) asked.copy = true;
    if (listens && get("reads").checked) asked.captions = true;
    return asked;
  }

  /** Say what is missing before one can begin; "" if nothing is. */
  get missing() {
    const field = get("name-field");
    const missing = Boolean(this.place) && !this.listens && !field.value.trim();
    field.setAttribute("aria-invalid", String(missing));
    write(get("name-why"), missing ? t("booth.nameNeeded") : "");
    if (missing) field.focus();
    return missing;
  }

  get keep() {
    return super.keep && !this.listens;
  }
}

// A room's token opens it again after a reload: this tab keeps it.
function sessionToken(token) {
  try {
    if (token === undefined) return sessionStorage.getItem("vivavoce.room");
    sessionStorage.setItem("vivavoce.room", token);
  } catch {
    // Then a reload asks for it.
  }
  return null;
}
