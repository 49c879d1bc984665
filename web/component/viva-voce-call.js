// <viva-voce-call>: a call in somebody else's page. One element, no styles that leak in or out.
//
//   <script type="module" src="https://voice.example.org/component/viva-voce-call.js"></script>
//   <viva-voce-call agent="Chez Marie"></viva-voce-call>
//
// docs/page.md has its attributes, events and colours.

import * as devices from "../page/devices.js";
import { clock, h, icon, setIcon, write } from "../page/dom.js";
import { CallError } from "../page/errors.js";
import { Session } from "../page/session.js";
import { LANGUAGES, has, load, preferred, t } from "../page/words.js";

const STYLE = `
:host {
  --accent: var(--viva-voce-accent, light-dark(#b5471b, #ff9b6b));
  --on-accent: var(--viva-voce-on-accent, light-dark(#ffffff, #12110f));
  --panel: var(--viva-voce-panel, light-dark(#ffffff, #1b1917));
  --ink: var(--viva-voce-ink, light-dark(#1d1a16, #ece7df));
  --soft: color-mix(in oklab, var(--ink) 72%, var(--panel));
  --rule: color-mix(in oklab, var(--ink) 16%, var(--panel));
  --alarm: light-dark(#b3261e, #ff8a80);
  display: inline-block; max-width: 100%; color-scheme: light dark;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; margin: 0; }
.icon { width: 20px; height: 20px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
button { font: inherit; color: inherit; border: 0; cursor: pointer; display: inline-flex; align-items: center; justify-content: center; gap: 8px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.start { background: var(--accent); color: var(--on-accent); border-radius: 999px; min-height: 48px; padding: 0 24px; font-weight: 650; box-shadow: 0 2px 10px #00000026; }
.start:disabled { opacity: .7; cursor: default; }
.box { width: min(340px, 100%); background: var(--panel); color: var(--ink); border-radius: 18px; box-shadow: 0 0 0 1px var(--rule), 0 10px 34px #00000026; overflow: hidden; }
.head { display: flex; align-items: center; gap: 10px; padding: 14px 16px 6px; }
.head b { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.state { color: var(--soft); font-size: 14px; white-space: nowrap; }
.time { color: var(--soft); font-size: 14px; font-variant-numeric: tabular-nums; }
ol { list-style: none; padding: 4px 16px 10px; max-height: 220px; min-height: 84px; overflow-y: auto; display: grid; gap: 8px; align-content: start; }
li { overflow-wrap: anywhere; white-space: pre-line; }
li.agent { border-left: 3px solid var(--accent); padding-left: 10px; }
li.caller { border-left: 3px solid light-dark(#2f5bd0, #8fb0ff); padding-left: 10px; }
li.live, .pending, del { color: var(--soft); }
.foot { display: flex; gap: 8px; padding: 10px 12px 12px; border-top: 1px solid var(--rule); }
.foot button { border-radius: 999px; min-height: 42px; min-width: 42px; background: color-mix(in oklab, var(--ink) 7%, var(--panel)); }
.foot button[aria-pressed="true"] { background: var(--ink); color: var(--panel); }
.foot .end { background: var(--alarm); color: light-dark(#ffffff, #12110f); padding: 0 18px; flex: 1; font-weight: 600; }
.problem { padding: 12px 16px; font-size: 14px; color: var(--alarm); }
.problem:empty { display: none; }
.vh { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

class VivaVoceCall extends HTMLElement {
  static observedAttributes = ["agent", "lang"];

  /** Set it where calls need tokens: returns one, or a promise of one, before each call. */
  getToken = null;

  #session = null;
  #context = null;
  #timer = 0;
  #items = new Map();
  #parts = {};
  #words = null;

  connectedCallback() {
    if (!this.shadowRoot) this.#build();
    this.#words ??= this.#speak();
  }

  disconnectedCallback() {
    // An element that is only moved within its page is back at once.
    queueMicrotask(() => !this.isConnected && this.hangUp());
  }

  attributeChangedCallback() {
    if (this.#parts.start) this.#speak();
  }

  /** The server's root: the `server` attribute, or where this script came from. */
  get server() {
    const given = this.getAttribute("server");
    const url = new URL(given ?? "../", given ? document.baseURI : import.meta.url);
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    return url;
  }

  /** "idle", "connecting", "listening", "thinking", "speaking", "holding", "reconnecting". */
  get state() {
    if (!this.#session || this.#session.over) return "idle";
    const link = this.#session.link.state;
    return link === "connected" ? this.#session.story.phase : link === "reconnecting" ? link : "connecting";
  }

  /** Begin a call; must follow a click or a key, as browsers want it. */
  async call() {
    if (this.state !== "idle") return;
    const { start, problem } = this.#parts;
    start.disabled = true;
    write(problem, "");
    let session = null;
    try {
      this.#context ??= new AudioContext({ latencyHint: "interactive" });
      if (this.#context.state === "suspended") this.#context.resume();
      const stream = await devices.openMicrophone();
      const token = (await this.getToken?.()) ?? this.getAttribute("token") ?? "";
      session = this.#session = new Session({ base: this.server, token, context: this.#context, voice: this.#parts.sound });
      this.#watch(session);
      const wanted = { agent: this.getAttribute("agent") ?? undefined, language: this.getAttribute("language") ?? undefined, voice: this.getAttribute("voice") ?? undefined };
      await session.start(wanted, stream);
    } catch (error) {
      session?.drop();
      this.#session = null;
      this.#fail(error instanceof CallError ? error : new CallError("server", { detail: String(error) }));
    } finally {
      start.disabled = false;
      this.#show();
    }
  }

  /** End the call; does nothing where there is none. */
  async hangUp() {
    await this.#session?.end();
  }

  /** Say something by typing; false where there is no call. */
  type(text) {
    return this.#session?.type(text) ?? false;
  }

  /** Send something to the agent's application (`MessageReceived`). */
  send(message) {
    return this.#session?.link.tell("send", message) ?? Promise.reject(new CallError("lost"));
  }

  #build() {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    const part = (name, node) => (this.#parts[name] = node);
    root.append(
      part("start", h("button", { type: "button", class: "start", part: "start", onclick: () => this.call() }, icon("phone"), h("span", {}))),
      part(
        "box",
        h(
          "section",
          { class: "box", part: "box", hidden: true },
          h("p", { class: "head" }, part("name", h("b", {})), part("state", h("span", { class: "state" })), part("time", h("span", { class: "time" }))),
          part("list", h("ol", { tabindex: "0" })),
          h(
            "div",
            { class: "foot" },
            part("mute", h("button", { type: "button", "aria-pressed": "false", onclick: () => this.#mute() }, icon("mic"))),
            part("end", h("button", { type: "button", class: "end", onclick: () => this.hangUp() }, icon("hangup"), h("span", {}))),
          ),
        ),
      ),
      part("problem", h("p", { class: "problem", part: "problem", role: "alert" })),
      part("said", h("p", { class: "vh", "aria-live": "polite" })),
      part("sound", h("audio", { autoplay: true })),
    );
  }

  async #speak() {
    const wanted = (this.getAttribute("lang") || this.closest("[lang]")?.lang || "").split("-")[0];
    await load(wanted in LANGUAGES ? wanted : preferred()).catch(() => {});
    const { start, end, mute, list } = this.#parts;
    write(start.lastChild, t("component.call", { agent: this.getAttribute("agent") ?? t("component.someone") }));
    write(end.lastChild, t("component.end"));
    mute.setAttribute("aria-label", t("dock.mute"));
    list.setAttribute("aria-label", t("talk.title"));
    this.#show();
  }

  #watch(session) {
    this.#items.clear();
    this.#parts.list.replaceChildren();
    session.addEventListener("change", ({ detail }) => this.#change(session, detail));
    session.addEventListener("state", () => this.#show());
    session.addEventListener("over", ({ detail }) => {
      clearInterval(this.#timer);
      if (detail) this.#fail(detail);
      this.#show();
      this.#tell("ended", { reason: session.story.reason, error: detail?.code ?? null });
    });
    this.#timer = setInterval(() => write(this.#parts.time, clock(session.story.at(performance.now() / 1000))), 500);
    this.#show();
  }

  #change(session, { changed, entries }) {
    if (session !== this.#session) return;
    const { story } = session;
    const ids = changed.has("all") ? new Set(story.entries.keys()) : entries;
    for (const id of ids) this.#put(story, id);
    if (ids.size) this.#parts.list.scrollTop = this.#parts.list.scrollHeight;
    if (changed.has("phase") || changed.has("agent")) this.#show();
    if (changed.has("said")) {
      for (const id of entries) {
        const entry = story.entries.get(id);
        if (!entry || (entry.kind === "agent" && !entry.closed)) continue;
        write(this.#parts.said, entry.kind === "caller" ? entry.text : (entry.heard ?? ""));
        this.#tell("said", { entry: structuredClone(entry) });
      }
    }
  }

  #put(story, id) {
    const entry = story.entries.get(id);
    const old = this.#items.get(id);
    if (!entry || (entry.kind !== "caller" && entry.kind !== "agent")) {
      if (entry?.kind === "message") this.#tell("message", { message: entry.message });
      old?.remove();
      this.#items.delete(id);
      return;
    }
    const item = h("li", { class: `${entry.kind}${entry.live ? " live" : ""}`, dir: "auto" });
    if (entry.kind === "caller") item.append(entry.text);
    else if (entry.closed) item.append(entry.heard, entry.unheard ? h("del", {}, ` ${entry.unheard}`) : "");
    else item.append(entry.heard, h("span", { class: "pending" }, entry.generated.slice(entry.heard.length)));
    this.#items.set(id, item);
    if (old) old.replaceWith(item);
    else this.#parts.list.append(item);
  }

  #mute() {
    const session = this.#session;
    if (!session) return;
    session.mute(!session.muted);
    this.#parts.mute.setAttribute("aria-pressed", String(session.muted));
    setIcon(this.#parts.mute, session.muted ? "muted" : "mic");
  }

  #show() {
    const { state } = this;
    const on = state !== "idle";
    const { start, box, name } = this.#parts;
    const focused = this.shadowRoot.activeElement;
    start.hidden = on;
    box.hidden = !on;
    // The button that was pressed is gone: what takes its place gets the focus.
    if (focused === start && on) this.#parts.end.focus();
    if (focused && box.contains(focused) && !on) start.focus();
    write(name, this.#session?.story.agent || this.getAttribute("agent") || "");
    write(this.#parts.state, t(`phase.${state}`));
    if (this.dataset.state !== state) {
      this.dataset.state = state;
      this.#tell("state", { state });
    }
  }

  #fail(error) {
    const code = has(`errors.${error.code}`) ? error.code : "server";
    const words = [t(`errors.${code}.title`), t(`errors.${code}.remedy`, { wait: Math.ceil(error.retryAfter) || 5 })];
    write(this.#parts.problem, `${words[0]}. ${words[1]}`);
    this.#tell("problem", { code: error.code, message: error.detail });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`viva-voce-${name}`, { detail, bubbles: true, composed: true }));
  }
}

if (!customElements.get("viva-voce-call")) customElements.define("viva-voce-call", VivaVoceCall);
