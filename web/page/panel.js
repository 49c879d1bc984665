// The side panel: where the time went, the network, what happened, what it cost.

import { clock, copy, get, h, icon, write } from "./dom.js";
import { judge } from "./network.js";
import { has, ms, number, t, usd } from "./words.js";
import { figures, waterfall } from "./waterfall.js";

const SHOWN = 300; // events in the list; the copy holds all

export class Panel {
  #story;
  #tabs;
  #chosen = "timing";
  #filter = "";
  #rows = [];
  #due = false;

  constructor(say) {
    this.say = say;
    this.#tabs = [...document.querySelectorAll("[role=tab]")];
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => this.choose(tab.dataset.tab));
      tab.addEventListener("keydown", (event) => this.#move(event));
    }
    get("filter").addEventListener("input", (event) => {
      this.#filter = event.target.value.trim().toLowerCase();
      this.#list();
    });
    get("copy-events").addEventListener("click", () => this.#copy(this.#story.log));
  }

  show(story) {
    this.#story = story;
    this.#rows = [];
    this.render();
  }

  choose(name) {
    this.#chosen = name;
    for (const tab of this.#tabs) {
      const on = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      get(`panel-${tab.dataset.tab}`).hidden = !on;
    }
    this.render();
  }

  #move(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    const at = this.#tabs.indexOf(event.currentTarget);
    let next;
    if (event.key in steps) next = (at + steps[event.key] + this.#tabs.length) % this.#tabs.length;
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = this.#tabs.length - 1;
    else return;
    event.preventDefault();
    this.choose(this.#tabs[next].dataset.tab);
    this.#tabs[next].focus();
  }

  /** Draw what is looked at, soon: many events make one drawing. */
  render() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      if (!this.#story) return;
      if (this.#chosen === "timing") this.#timing();
      else if (this.#chosen === "network") this.network();
      else if (this.#chosen === "events") this.#list();
      else this.#cost();
    });
  }

  #timing() {
    const turns = this.#story.turns;
    get("figures").replaceChildren(figures(turns));
    get("waterfall").replaceChildren(...[waterfall(turns, this.#story)].flat());
    const guesses = turns.filter((turn) => turn.speculation === "hit" || turn.speculation === "miss");
    const hits = guesses.filter((turn) => turn.speculation === "hit").length;
    write(get("guesses"), guesses.length ? t("time.guesses", { count: guesses.length, hits }) : "");
  }

  /** Show the network's last second. */
  network(row) {
    if (row) {
      this.#rows = [...this.#rows.slice(-59), row];
      const word = judge(this.#rows.slice(-5));
      const badge = get("quality");
      badge.dataset.quality = word;
      badge.title = t(`net.${word}Meaning`);
      write(get("quality-word"), t(`net.${word}`));
    }
    if (this.#chosen !== "network" || get("panel-network").hidden) return;
    const last = this.#rows.at(-1);
    const there = this.#story.network;
    if (!last) {
      get("network").replaceChildren(h("p", { class: "nothing" }, t("net.none")));
      return;
    }
    const share = (value) => `${number(100 * value, value && value < 0.1 ? 1 : 0)} %`;
    const time = (value) => (value === null || value === undefined ? "–" : t("units.ms", { ms: ms(value) }));
    const line = (key, value, trend) =>
      h("div", {}, h("dt", {}, t(`net.${key}`)), h("dd", {}, trend ? spark(this.#rows.map(trend)) : null, h("b", {}, value)));
    get("network").replaceChildren(
      h(
        "dl",
        { class: "facts-list" },
        line("roundTrip", time(last.roundTrip), (each) => each.roundTrip ?? 0),
        line("jitter", time(last.jitter), (each) => each.jitter ?? 0),
        line("buffer", time(last.buffer), (each) => each.buffer ?? 0),
        line("lost", share(last.lost), (each) => each.lost),
        line("lostThere", share(last.lostThere), (each) => each.lostThere),
        line("concealed", share(last.concealed), (each) => each.concealed),
        line("rate", t("net.kbit", { inward: number(last.kbitIn), out: number(last.kbitOut) })),
        line("codec", last.codec || "–"),
        line("path", last.path || "–"),
        there ? line("server", [there.delay_ms, there.jitter_ms, there.concealed_ms].map((each) => (Number.isFinite(each) ? ms(each) : "–")).join(" · ")) : null,
      ),
      there ? h("p", { class: "why" }, t("net.serverMeaning")) : "",
    );
  }

  /** Put new events into the list. */
  log() {
    if (this.#chosen === "events") this.render();
  }

  #list() {
    const list = get("events");
    const wanted = this.#story.log.filter((row) => !this.#filter || `${row.name} ${row.type}`.toLowerCase().includes(this.#filter)).slice(-SHOWN);
    const numbers = new Set(wanted.map((row) => String(row.number)));
    const known = new Map([...list.children].map((item) => [item.dataset.number, item]));
    for (const [key, item] of known) if (!numbers.has(key)) item.remove();
    // The newest stands first; those that stand already stay, and stay open.
    for (const row of wanted) if (!known.has(String(row.number))) list.prepend(this.#row(row));
    if (this.#filter) {
      const items = [...list.children].sort((a, b) => Number(b.dataset.number) - Number(a.dataset.number));
      list.append(...items);
    }
    write(get("events-count"), t("events.count", { count: this.#story.log.length }));
  }

  #row(row) {
    const body = h("div", { class: "json" });
    const item = h(
      "details",
      {
        class: `event ${row.direction}`,
        ontoggle: () => {
          if (!item.open || body.childNodes.length) return;
          const text = JSON.stringify(row.data, null, 2) ?? "null";
          body.append(
            h("button", { type: "button", class: "small", "aria-label": t("events.copyOne", { name: row.name }), onclick: () => this.#copy(row) }, icon("copy"), t("events.copy")),
            h("pre", { tabindex: "0", role: "region", "aria-label": row.name }, text),
          );
        },
      },
      h(
        "summary",
        {},
        h("span", { class: "at" }, clock(row.at, true)),
        h("span", { class: "vh" }, t(`events.${row.direction}`)),
        h("span", { class: "arrow", "aria-hidden": true }, row.direction === "in" ? "↓" : "↑"),
        h("code", {}, String(row.name).slice(0, 60)),
      ),
      body,
    );
    return h("li", { data: { number: row.number } }, item);
  }

  async #copy(value) {
    const text = JSON.stringify(value, null, 2);
    try {
      await copy(text);
      this.say(t("events.copied", { count: text.length }));
    } catch {
      this.say(t("events.notCopied"));
    }
  }

  #cost() {
    const cost = this.#story.cost;
    const box = get("cost");
    if (!cost) {
      box.replaceChildren(h("p", { class: "nothing" }, t("cost.none")));
      return;
    }
    const rows = flatten(cost.usage ?? {});
    box.replaceChildren(
      h("p", { class: "sum" }, cost.usd === null || cost.usd === undefined ? t("cost.unknown") : usd(cost.usd)),
      h("p", { class: "why" }, t(cost.usd === null ? "cost.unknownMeaning" : "cost.meaning")),
      h("dl", { class: "facts-list" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("b", {}, typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 1) : String(value)))))),
    );
  }
}

function flatten(value, name = "") {
  if (value === null || typeof value !== "object") {
    return [[has(`cost.used.${name}`) ? t(`cost.used.${name}`) : name.replaceAll("_", " "), value]];
  }
  return Object.entries(value).flatMap(([key, each]) => flatten(each, name ? `${name} · ${key}` : key));
}

// A trend as a row of bars; decoration beside the figure.
function spark(values) {
  const high = Math.max(...values, 1e-9);
  return h(
    "span",
    { class: "spark", "aria-hidden": true },
    values.slice(-30).map((value) => h("i", { style: { height: `${Math.max(4, (100 * value) / high)}%` } })),
  );
}
