// A list of calls: one line each, that opens the call. Lines stay where they are while they change,
// so that neither the focus nor a screen reader loses its place.

import { clock, h, write } from "./dom.js";
import { current, ms, t } from "./words.js";

/** When a call began, as the reader writes it. */
export function moment(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const form = today ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" };
  return new Intl.DateTimeFormat(current(), form).format(at);
}

const time = (value) => (value === null || value === undefined ? "–" : t("units.ms", { ms: ms(value) }));

export class Calls {
  #list;
  #open;
  #rows = new Map();
  #items = new Map();

  /**
   * @param {HTMLUListElement} list
   * @param {(row: object) => void} open told of a call that is opened or closed
   */
  constructor(list, open) {
    this.#list = list;
    this.#open = open;
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  /** A call's line as the server told it. */
  row(call) {
    return this.#rows.get(call);
  }

  /** Show these calls, in this order. */
  show(rows) {
    this.#rows = new Map(rows.map((row) => [row.call, row]));
    for (const [call, item] of this.#items) {
      if (this.#rows.has(call)) continue;
      item.root.remove();
      this.#items.delete(call);
    }
    let place = this.#list.firstElementChild;
    for (const row of rows) {
      let item = this.#items.get(row.call);
      if (!item) {
        item = this.#make(row.call);
        this.#items.set(row.call, item);
      }
      if (item.root === place) place = place.nextElementSibling;
      else this.#list.insertBefore(item.root, place);
      this.#write(item, row);
    }
  }

  /** Mark the calls that stand open. */
  mark(open) {
    for (const [call, item] of this.#items) item.button.setAttribute("aria-pressed", String(open.has(call)));
  }

  /** Let the durations of live calls go on; `shift` is the server's clock less ours (ms). */
  tick(shift) {
    for (const [call, item] of this.#items) {
      const row = this.#rows.get(call);
      if (row.live) write(item.length, clock((Date.now() + shift - Date.parse(row.began)) / 1000));
    }
  }

  #make(call) {
    const item = {
      phase: h("span", { class: "phase" }),
      agent: h("b", { dir: "auto" }),
      caller: h("span", { class: "from", dir: "auto" }),
      length: h("span", { class: "length" }),
      words: h("span", { class: "words", dir: "auto" }),
      figures: h("span", { class: "figures-line" }),
    };
    item.button = h(
      "button",
      { type: "button", class: "call-line", "aria-pressed": "false", onclick: () => this.#open(this.#rows.get(call)) },
      h("span", { class: "top" }, item.phase, item.agent, item.caller, item.length),
      item.words,
      item.figures,
    );
    item.root = h("li", { data: { call } }, item.button);
    return item;
  }

  #write(item, row) {
    const state = row.live ? (row.there ? row.phase : "reconnecting") : "ended";
    item.root.dataset.phase = state;
    write(item.phase, row.live ? t(`phase.${state}`) : moment(row.began));
    write(item.agent, row.agent);
    write(item.caller, row.caller || t("watch.unknown"));
    if (!row.live) write(item.length, clock(row.seconds));
    write(item.words, row.last || (row.live ? "…" : t("watch.silent")));
    item.words.dataset.speaker = row.speaker ?? "";
    const figures = [t("watch.turns", { count: row.turns })];
    if (row.p50 !== null && row.p50 !== undefined) figures.push(t("watch.median", { ms: time(row.p50) }));
    if (row.latest) figures.push(t("watch.latest", { ms: time(row.latest) }));
    if (row.kind) figures.push(row.kind);
    if (row.recorded) figures.push(t("watch.recorded"));
    if (!row.live && row.ended) figures.push(row.ended);
    write(item.figures, figures.join(" · "));
  }

  // Up and down lead from line to line.
  #key(event) {
    if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    const lines = [...this.#list.querySelectorAll(".call-line")];
    const at = lines.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[event.key];
    lines[Math.max(0, Math.min(lines.length - 1, to))].focus();
  }
}
