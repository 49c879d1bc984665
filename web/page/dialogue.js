// The dialogue: what was said, heard and done, as it happens.

import { clock, h, icon } from "./dom.js";
import { ms, t } from "./words.js";
import { strip } from "./waterfall.js";

const LONGEST = 4000; // characters of a tool's arguments or result that are shown

/** JSON to be read: on one line when short, indented else; other text as it is. */
export function pretty(value) {
  try {
    const found = typeof value === "string" ? JSON.parse(value) : value;
    if (typeof found === "string") return found;
    const line = JSON.stringify(found);
    return line.length <= 72 ? line : JSON.stringify(found, null, 2);
  } catch {
    return String(value);
  }
}

const started = (entry) => entry.started ?? entry.at ?? null;
const ended = (entry) =>
  entry.ended ?? (entry.seconds ? entry.started + entry.seconds : started(entry));

export class Dialogue {
  #list;
  #story;
  #items = new Map();
  #follow = true;

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
      this.#follow = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
      if (this.#follow) latest.hidden = true;
    });
    latest.addEventListener("click", () => {
      this.#follow = true;
      this.#toEnd();
    });
  }

  /** Show a story from its beginning. */
  show(story) {
    this.#story = story;
    this.#items.clear();
    this.#list.replaceChildren();
    for (const id of story.entries.keys()) this.#put(id);
    this.#follow = true;
    this.#toEnd();
  }

  /** Show what changed of it. */
  update(ids) {
    for (const id of ids) this.#put(id);
    if (ids.size) this.#toEnd();
  }

  /** Mark what is being said at a moment of the call (s); null: nothing. */
  mark(at) {
    for (const [id, item] of this.#items) {
      const entry = this.#story.entries.get(id);
      const on = at !== null && entry && started(entry) !== null && at >= started(entry) && at < Math.max(ended(entry), started(entry) + 0.3);
      if (item.classList.contains("on") === Boolean(on)) continue;
      item.classList.toggle("on", Boolean(on));
      if (on) {
        item.setAttribute("aria-current", "time");
        item.scrollIntoView({ block: "nearest" });
      } else item.removeAttribute("aria-current");
    }
  }

  #toEnd() {
    if (this.#follow) this.scroller.scrollTop = this.scroller.scrollHeight;
    else this.latest.hidden = false;
  }

  #put(id) {
    const entry = this.#story.entries.get(id);
    const old = this.#items.get(id);
    if (!entry) {
      old?.remove();
      this.#items.delete(id);
      return;
    }
    const item = line(entry);
    this.#items.set(id, item);
    if (old) {
      const open = old.querySelector("details")?.open;
      if (open !== undefined && item.querySelector("details")) item.querySelector("details").open = open;
      old.replaceWith(item);
      return;
    }
    // Where it stands in the story: what became final stands where it was live.
    const order = [...this.#story.entries.keys()];
    const next = order.slice(order.indexOf(id) + 1).find((each) => this.#items.has(each));
    this.#list.insertBefore(item, next ? this.#items.get(next) : null);
  }
}

function line(entry) {
  const kind = entry.kind in BODIES ? entry.kind : "news";
  const from = started(entry);
  const shown = { key: "news", message: "news", checked: "news" }[kind] ?? kind;
  return h(
    "li",
    { class: `${shown}${entry.live ? " live" : ""}`, data: from === null ? {} : { start: from.toFixed(3) } },
    // After the call this is a button that plays from there; until then it is a time.
    h("button", { type: "button", class: "at", disabled: true, "aria-label": from === null ? "" : t("after.playFrom", { at: clock(from, true) }) }, from === null ? "–" : clock(from)),
    h("div", { class: "body" }, BODIES[kind](entry)),
  );
}

const BODIES = {
  caller: (entry) => [
    h("p", { class: "who" }, t("talk.you")),
    h("p", { class: entry.live ? "text interim" : "text", dir: "auto" }, entry.text || "…"),
    entry.why_ended ? h("p", { class: "why" }, t("talk.turnEnded", { why: entry.why_ended })) : null,
  ],
  agent: (entry) => [h("p", { class: "who" }, t("talk.agent"), badges(entry)), words(entry)],
  segment: (entry) => [
    h("p", { class: "who" }, `${entry.speaker} · ${entry.source} → ${entry.target}`),
    h("p", { class: "text", dir: "auto", lang: entry.source }, entry.text),
    entry.translation ? h("p", { class: "text", dir: "auto", lang: entry.target }, entry.translation) : null,
  ],
  tool: (entry) => tool(entry),
  handoff: (entry) => [
    h("p", {}, t("talk.handoff", { agent: entry.agent, previous: entry.previous })),
    entry.note ? h("p", { class: "why", dir: "auto" }, entry.note) : null,
  ],
  news: (entry) => [h("p", { dir: "auto" }, entry.text ?? "")],
  key: (entry) => [h("p", {}, t("talk.pressed"), " ", h("kbd", {}, entry.key))],
  message: (entry) => [
    h("p", { class: "why" }, t("talk.message")),
    h("pre", { dir: "auto" }, pretty(entry.message).slice(0, LONGEST)),
  ],
  checked: (entry) => [
    h("p", {}, t(entry.refused ? "talk.refused" : "talk.replaced")),
    entry.instead ? h("p", { class: "why", dir: "auto" }, entry.instead) : null,
  ],
  failure: (entry) => {
    // "what happened — what to do" is how the stages word their messages.
    const [problem, remedy] = split(entry.message);
    return h(
      "div",
      { class: "note" },
      h("p", { class: "who" }, t("talk.problem", { stage: t(`stages.${entry.stage}.name`) })),
      h("p", { class: "text", dir: "auto" }, problem),
      remedy ? h("p", { class: "text", dir: "auto" }, h("b", {}, t("talk.remedy")), " ", remedy) : null,
    );
  },
};

function split(message) {
  const at = message.indexOf(" — ");
  return at < 0 ? [message, ""] : [message.slice(0, at), message.slice(at + 3)];
}

function badges(entry) {
  const found = [];
  if (entry.latency) {
    const total = t("units.ms", { ms: ms(entry.latency.total_us / 1000) });
    found.push(h("span", { class: "delay", title: t("talk.delay") }, strip(entry.latency), total));
  }
  if (entry.closed && entry.interrupted) {
    const cut = Number.isFinite(entry.reaction)
      ? t("talk.cutAfter", { ms: ms(entry.reaction * 1000) })
      : t("talk.cut");
    found.push(h("span", { class: "badge cut" }, cut));
  } else if (entry.closed && entry.generated && !entry.heard) {
    found.push(h("span", { class: "badge cut" }, t("talk.neverHeard")));
  }
  return found;
}

function words(entry) {
  const { heard, generated } = entry;
  const parts = [];
  if (!entry.closed) {
    // What is yet to come stands there muted, and darkens as it is heard.
    const rest = generated.startsWith(heard) ? generated.slice(heard.length) : "";
    parts.push(heard, rest ? h("span", { class: "pending" }, rest) : "");
    if (!heard && !rest) parts.push(h("span", { class: "dots", "aria-hidden": true }, h("i"), h("i"), h("i")));
  } else {
    parts.push(entry.interrupted && heard ? `${heard} —` : heard);
    if (entry.unheard) parts.push(heard ? " " : "", h("del", {}, h("span", { class: "vh" }, `${t("talk.unheard")} `), entry.unheard));
  }
  return h("p", { class: "text", dir: "auto" }, parts);
}

function tool(entry) {
  let state;
  if (entry.seconds === null || entry.seconds === undefined) state = ["running", t("talk.running")];
  else {
    const took = t("units.ms", { ms: ms(entry.seconds * 1000) });
    state = entry.ok ? ["ok", took] : ["bad", t("talk.failedAfter", { took })];
  }
  const section = (name, value) => {
    const text = value ? pretty(value) : "";
    const more = text.length - LONGEST;
    return [
      h("dt", {}, name),
      text
        ? h("dd", {}, h("pre", { dir: "auto", tabindex: "0", role: "region", "aria-label": `${entry.name}: ${name}` }, text.slice(0, LONGEST)), more > 0 ? h("p", { class: "why" }, t("talk.more", { count: more })) : null)
        : h("dd", { class: "why" }, state[0] === "running" && name === t("talk.result") ? "…" : t("talk.none")),
    ];
  };
  const size = (entry.arguments ?? "").length + (entry.result ?? "").length;
  return h(
    "details",
    { class: "card", open: size <= 600 },
    h("summary", {}, icon("tool"), h("code", { class: "name", dir: "auto" }, entry.name || "?"), " ", h("span", { class: `badge ${state[0]}` }, state[1])),
    h("dl", {}, section(t("talk.arguments"), entry.arguments), section(t("talk.result"), entry.result)),
  );
}
