// Subtitles for a wall: large, two or three lines, nothing else.

import { get, h, write } from "./dom.js";
import { t } from "./words.js";

const LINES = 3; // pieces that stand there at most
const LONGEST = 220; // characters of them together
const STAYS = 12; // s that what was said last stays

export class Beamer {
  #booth = null;
  #timer = 0;

  constructor({ store }) {
    this.store = store;
    this.box = get("beamer");
    get("captions").addEventListener("click", () => this.open(this.box.hidden));
    get("beamer-close").addEventListener("click", () => this.open(false));
    get("beamer-larger").addEventListener("click", () => this.#size(1));
    get("beamer-smaller").addEventListener("click", () => this.#size(-1));
    get("beamer-both").addEventListener("click", () => {
      this.store.both = this.store.both === "yes" ? "no" : "yes";
      this.render();
    });
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.open(false);
      if (event.key !== "Tab") return;
      // It covers everything: the keyboard stays in it.
      const all = [...this.box.querySelectorAll("button")];
      const edge = event.shiftKey ? all[0] : all.at(-1);
      if (document.activeElement !== edge) return;
      event.preventDefault();
      (event.shiftKey ? all.at(-1) : all[0]).focus();
    });
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement && !this.box.hidden && this.#whole) this.open(false);
    });
    this.#size(0);
  }

  #whole = false; // it has the whole screen

  /** Show a session; null: none. */
  serve(booth) {
    this.#booth = booth;
    if (!booth) this.open(false);
  }

  async open(on) {
    if (on && !this.#booth) return;
    this.box.hidden = !on;
    get("captions").setAttribute("aria-pressed", String(on));
    if (on) {
      this.render();
      get("beamer-close").focus();
      // Where the browser allows no whole screen, all of the page will do.
      await this.box.requestFullscreen?.().then(() => (this.#whole = true)).catch(() => {});
      return;
    }
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
    this.#whole = false;
    if (this.#booth) get("captions").focus();
  }

  #size(step) {
    const now = Math.min(5, Math.max(1, (Number(this.store.beamer) || 3) + step));
    this.store.beamer = String(now);
    this.box.dataset.size = String(now);
    get("beamer-larger").disabled = now === 5;
    get("beamer-smaller").disabled = now === 1;
  }

  render() {
    if (this.box.hidden || !this.#booth) return;
    const booth = this.#booth;
    const now = booth.at(performance.now() / 1000);
    const both = this.store.both === "yes";
    get("beamer-both").setAttribute("aria-pressed", String(both));
    const recent = booth.shown().filter((row) => row.translation && (!row.settled || now - (row.spoken_to ?? row.translated ?? row.cut) < STAYS));
    const rows = [];
    let length = 0;
    for (const row of recent.reverse()) {
      length += row.translation.length;
      if (rows.length >= LINES || (rows.length && length > LONGEST)) break;
      rows.unshift(row);
    }
    get("beamer-lines").replaceChildren(
      ...rows.map((row) =>
        h(
          "div",
          { class: "beam", data: { state: row.state } },
          both ? h("p", { class: "beam-said", lang: row.source, dir: "auto" }, row.text) : null,
          h("p", { lang: row.target, dir: "auto" }, row.translation),
        ),
      ),
    );
    write(get("beamer-empty"), rows.length ? "" : t("booth.quiet"));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.render(), 1000);
  }
}
