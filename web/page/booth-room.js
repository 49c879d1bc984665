// Who is there, and how it sounds: the panel beside an interpreted session.

import { fill, get, h, write } from "./dom.js";
import { same } from "./booth.js";
import { named, number, t, why } from "./words.js";

const ORIGINALS = { ducked: "booth.original.ducked", off: "booth.original.off", full: "booth.original.full" };
const STATES = { speaking: "booth.speaking", away: "booth.away" };

export class Room {
  #session = null;
  #problem;

  /** @param {{problem: (error: Error) => void}} given */
  constructor({ problem }) {
    this.#problem = problem;
    get("hears-now").addEventListener("change", (event) => this.#ask("language", { language: event.target.value }));
    get("original").addEventListener("change", (event) => this.#ask("original", { original: event.target.value }));
    get("copy-now").addEventListener("change", (event) => this.#ask("copy", { on: event.target.checked }));
    get("captions-only").addEventListener("change", (event) => this.#ask("captions", { on: event.target.checked }));
  }

  /**
   * Serve a session; null: none.
   * @param {{languages: string[], listens: boolean, original: string, captions: boolean}} [about]
   */
  serve(session, about) {
    this.#session = session;
    this.about = about;
    if (!session) return;
    get("captions-only").checked = about.captions;
    this.words();
  }

  /** Write what depends on the page's language. */
  words() {
    const { about } = this;
    if (!about) return;
    const chosen = get("original").value || about.original;
    fill(get("original"), Object.entries(ORIGINALS).map(([each, word]) => [each, t(word)]), chosen);
    this.render();
  }

  async #ask(what, data) {
    try {
      await this.#session?.ask(what, data);
    } catch (error) {
      this.#problem(error);
      this.render();
    }
  }

  /** Show who is there. */
  render() {
    const { about } = this;
    const session = this.#session;
    if (!session || !about) return;
    const { room, language, voice } = session.story;
    get("voice-box").hidden = !voice;
    if (voice) {
      get("copy-now").checked = voice.agreed;
      write(get("voice-state"), voice.copied ? t("booth.voiceCopied", { s: number(voice.seconds, 1) }) : t(voice.agreed ? "booth.voiceWaiting" : "booth.voiceNeutral", { why: why(`copying.${voice.cause}`, voice.why) }));
    }
    const alone = !room;
    // Who speaks hears their own language; who sits alone at a line hears no original but themselves.
    get("hears-field").hidden = !about.listens;
    get("captions-field").hidden = !about.listens;
    get("original-field").hidden = alone;
    const tongues = about.languages.map((code) => [code, same(code, about.source) ? t("booth.itself", { language: named(code) }) : named(code)]);
    const hears = about.languages.find((code) => same(code, language)) ?? about.languages[0];
    if (document.activeElement !== get("hears-now")) fill(get("hears-now"), tongues, hears);
    get("sound-box").hidden = get("hears-field").hidden && get("original-field").hidden;
    get("people-box").hidden = alone;
    if (alone) return;
    get("people").replaceChildren(...(room.participants ?? []).filter((each) => !each.left).map((each) => person(each, room.you)));
    const listeners = Object.entries(room.listeners ?? {}).filter(([, count]) => count > 0);
    get("listeners").replaceChildren(
      ...listeners.map(([code, count]) => h("li", {}, h("span", {}, named(code)), h("b", {}, t("booth.listeners", { count })))),
    );
  }
}

function person(each, you) {
  const state = each.speaking ? "speaking" : each.there ? "there" : "away";
  const from = each.speaks ? named(each.speaks) : t("booth.onlyListens");
  const hears = each.mode === "captions" ? t("booth.reads", { language: named(each.hears) }) : t("booth.hears", { language: named(each.hears) });
  return h(
    "li",
    { class: "person", data: { state } },
    h("i", { class: "dot", "aria-hidden": true }),
    h("span", { class: "person-name", dir: "auto" }, each.name, each.name === you ? h("span", { class: "why" }, ` ${t("booth.you")}`) : null),
    h("span", { class: "why" }, each.speaks && same(each.speaks, each.hears) ? from : `${from} · ${hears}`),
    h("b", { class: "person-state" }, STATES[state] ? t(STATES[state]) : ""),
  );
}
