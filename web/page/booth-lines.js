// The lines: both texts side by side, piece by piece, as they are said and translated.

import { clock, h } from "./dom.js";
import { common } from "./booth.js";
import { number, t, why } from "./words.js";

const STRUCK = 4; // s that a corrected caption stands struck through

export class Lines {
  #list;
  #booth = null;
  #items = new Map();
  #follow = true;
  #timer = 0;
  #played = "";
  #several = false; // speakers, who are then named

  /**
   * @param {HTMLOListElement} list
   * @param {HTMLElement} scroller what scrolls it
   * @param {HTMLElement} latest the button that leads to the end
   */
  constructor(list, scroller, latest) {
    this.#list = list;
    this.scroller = scroller;
    this.latest = latest;
    scroller.addEventListener("scroll", () => {
      this.#follow = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
      if (this.#follow) latest.hidden = true;
    });
    latest.addEventListener("click", () => {
      this.#follow = true;
      this.#toEnd();
    });
    new ResizeObserver(() => this.#follow && this.#toEnd()).observe(scroller);
  }

  /** Show a session from its beginning. */
  show(booth) {
    this.#booth = booth;
    this.#items.clear();
    this.#several = several(booth);
    const rows = booth.shown();
    for (const row of rows) this.#items.set(row.id, line(row, this.#several));
    this.#list.replaceChildren(...this.#items.values());
    this.#live();
    this.#follow = true;
    this.#toEnd();
    this.#fade();
  }

  /** Show what changed of it. */
  update(ids) {
    const booth = this.#booth;
    const shown = booth.shown();
    const wanted = new Set(shown.map((row) => row.id));
    // Another lane is shown, or a second speaker came: everything stands otherwise.
    const gone = [...this.#items.keys()].some((id) => !wanted.has(id));
    if (gone || this.#several !== several(booth)) return this.show(booth);
    for (const row of shown) {
      if (this.#items.has(row.id) && !ids.has(row.id)) continue;
      const item = line(row, this.#several);
      const old = this.#items.get(row.id);
      if (old) old.replaceWith(item);
      else this.#list.insertBefore(item, this.#list.querySelector(":scope > .live"));
      this.#items.set(row.id, item);
    }
    this.#live();
    this.#toEnd();
    this.#fade();
    return undefined;
  }

  // What is understood and not cut off yet stands at the end, muted.
  #live() {
    for (const each of this.#list.querySelectorAll(":scope > .live")) each.remove();
    for (const { speaker, text } of this.#booth.partials.values()) {
      this.#list.append(
        h("li", { class: "segment live", "aria-hidden": true }, h("span", { class: "at" }, "…"), h("p", { class: "source interim", dir: "auto" }, this.#several && speaker ? h("b", { class: "who" }, speaker) : null, text)),
      );
    }
  }

  // A correction is seen for a while, then only what is right stands there.
  #fade() {
    clearTimeout(this.#timer);
    const now = performance.now() / 1000;
    const due = this.#booth.shown().filter((row) => row.struck && now - row.struck.at < STRUCK);
    if (!due.length) return;
    const first = Math.min(...due.map((row) => row.struck.at + STRUCK - now));
    this.#timer = setTimeout(() => this.update(new Set(due.map((row) => row.id))), 1000 * first + 30);
  }

  /** Mark what is said and what is heard at a moment of the session (s); null: nothing. */
  mark(at) {
    const booth = this.#booth;
    let first = null;
    for (const [id, item] of this.#items) {
      const row = booth.segments.get(id);
      const within = (from, to) => at !== null && from !== null && from !== undefined && at >= from && at < Math.max(to ?? from, from + 0.3);
      const said = within(row.started, row.ended);
      const heard = within(row.spoken_from, row.spoken_to);
      item.classList.toggle("said-now", said);
      item.classList.toggle("heard-now", heard);
      if (heard || said) item.setAttribute("aria-current", "time");
      else item.removeAttribute("aria-current");
      if (heard || (said && !first)) first = item;
    }
    if (!first || this.#played === first.dataset.id) return;
    this.#played = first.dataset.id;
    first.scrollIntoView({ block: "nearest" });
  }

  #toEnd() {
    if (this.#follow) this.scroller.scrollTop = this.scroller.scrollHeight;
    else this.latest.hidden = false;
  }
}

const several = (booth) => booth.speakers().length > 1;

function line(row, named) {
  const speaking = row.state === "speaking";
  return h(
    "li",
    {
      class: `segment${row.closes ? " closes" : ""}`,
      data: { id: row.id, state: row.state, start: (row.started ?? 0).toFixed(3) },
      "aria-current": speaking ? "true" : null,
    },
    h("button", { type: "button", class: "at", disabled: true, "aria-label": t("after.playFrom", { at: clock(row.started, true) }) }, clock(row.started)),
    h("p", { class: "source", lang: row.source, dir: "auto" }, named ? h("b", { class: "who" }, row.speaker) : null, row.text),
    meaning(row),
    h("p", { class: "lag" }, lag(row)),
  );
}

function meaning(row) {
  if (row.state === "failed") {
    return h("div", { class: "meant failed" }, h("p", {}, h("b", {}, t("booth.failed"))), row.why ? h("p", { class: "why", dir: "auto" }, why(`failed.${row.error}`, row.why)) : null);
  }
  const growing = row.state === "waiting" || row.state === "translating";
  const parts = [h("span", { class: "vh" }, `${t("booth.translation")} `)];
  const since = row.struck ? performance.now() / 1000 - row.struck.at : STRUCK;
  if (!row.translation) parts.push(h("span", { class: "dots", "aria-hidden": true }, h("i"), h("i"), h("i")));
  else if (since < STRUCK) {
    const end = common(row.struck.text, row.translation);
    const [old, now] = [row.struck.text.slice(end).trim(), row.translation.slice(end).trim()];
    parts.push(
      row.translation.slice(0, end),
      end && (old || now) ? " " : "",
      old ? h("del", { style: { "--since": `${-since.toFixed(2)}s` } }, h("span", { class: "vh" }, t("booth.struck")), " ", old) : "",
      old && now ? " " : "",
      now ? h("ins", {}, now) : "",
    );
  } else parts.push(row.translation);
  return h("p", { class: `meant${growing ? " interim" : ""}`, lang: row.target, dir: "auto" }, parts);
}

function lag(row) {
  const found = [];
  if (Number.isFinite(row.lag)) found.push(h("span", { title: t("booth.lagMeaning") }, t("booth.seconds", { s: number(row.lag, 1) })));
  if (row.state === "written") found.push(h("span", { class: "badge" }, t("booth.captionOnly")));
  if (row.state === "speaking") found.push(h("span", { class: "badge now-badge" }, t("booth.now")));
  if (row.condensed) found.push(h("span", { class: "badge", title: t("booth.condensedMeaning") }, t("booth.condensed")));
  if (row.revisions?.length) {
    found.push(h("span", { class: "badge", title: row.revisions.join("\n") }, t("booth.corrected")));
  }
  return found;
}
