// A pane: one call that was opened, live or over. It is looked at and listened to, no more.

import { Along } from "./along.js";
import { moment } from "./calls.js";
import { Dialogue } from "./dialogue.js";
import { clock, h, icon, save, setIcon, write } from "./dom.js";
import { ask, fromResponse } from "./errors.js";
import { Feed } from "./feed.js";
import { Story } from "./story.js";
import { figures, waterfall } from "./waterfall.js";
import { t } from "./words.js";

const LARGE = 120_000; // ms that a recording may take to come

export class Pane {
  #desk;
  #row;
  #feed = null;
  #along = null;
  #rate = 16_000;
  #ended = false;
  #closed = false;
  #drawing = 0;
  #blob = "";

  /**
   * @param {object} row the call, as a list has it
   * @param {{base: URL, token: string, status: (text: string) => void, closed: (pane: Pane) => void}} desk
   */
  constructor(row, desk) {
    this.#desk = desk;
    this.#row = row;
    this.call = row.call;
    this.story = new Story();
    const id = `pane-${row.call}`;
    this.#make(id);
    this.dialogue = new Dialogue(this.list, this.scroller, this.latest);
    if (row.live) this.#follow();
    else this.#read();
    this.#head();
  }

  #make(id) {
    const button = (name, said, onclick) => h("button", { type: "button", class: "plain wide", onclick }, icon(name), h("span", {}, said));
    this.name = h("h2", { id, tabindex: "-1", dir: "auto" });
    this.phase = h("span", { class: "phase" });
    this.elapsed = h("span", { class: "length" });
    this.about = h("p", { class: "why", dir: "auto" });
    this.listen = button("play", "", () => this.#toggle());
    this.listen.setAttribute("aria-pressed", "false");
    this.listen.classList.add("listen-along");
    this.sound = button("down", "", () => this.#fetch());
    this.json = button("down", "", () => this.#save());
    this.shut = h("button", { type: "button", class: "plain", onclick: () => this.close() }, icon("close"));
    this.list = h("ol", { class: "dialogue" });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "region" }, this.list);
    this.latest = h("button", { type: "button", class: "latest plain wide", hidden: true }, icon("down"), h("span", {}));
    this.player = h("audio", { controls: true, preload: "auto", hidden: true });
    this.problem = h("p", { class: "why problem-line", role: "alert", hidden: true });
    this.timing = h("summary", {});
    this.bars = h("div", { class: "timing" });
    this.root = h(
      "article",
      { class: "panel pane", "aria-labelledby": id, data: { call: this.call } },
      h("header", {}, h("div", { class: "who-line" }, this.name, this.phase, this.elapsed, this.shut), this.about),
      h("div", { class: "pane-actions" }, this.listen, this.sound, this.json),
      this.problem,
      this.player,
      h("div", { class: "conversation" }, this.scroller, this.latest),
      h("details", { class: "side-figures", ontoggle: () => this.#draw() }, this.timing, this.bars),
    );
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.player.addEventListener("timeupdate", () => this.dialogue.mark(this.player.paused ? null : this.player.currentTime));
    this.list.addEventListener("click", (event) => {
      const at = event.target.closest("button.at");
      if (!at || at.disabled) return;
      this.player.currentTime = Number(at.closest("li").dataset.start);
      this.player.play().catch(() => {});
    });
  }

  /** Write everything in the page's language. */
  words() {
    this.dialogue.show(this.story);
    this.#head();
    this.#draw();
  }

  /** Take what the list knows now; called each second. `shift`: the server's clock less ours (ms). */
  tick(row, shift) {
    if (row) this.#row = row;
    const going = this.#row.live && !this.#ended;
    write(this.elapsed, clock(going ? (Date.now() + shift - Date.parse(this.#row.began)) / 1000 : (this.story.length ?? this.#row.seconds ?? 0)));
    if (going && row) this.#head();
  }

  /** Close it; does nothing the second time. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#feed?.close();
    this.#silence();
    if (this.#blob) URL.revokeObjectURL(this.#blob);
    this.root.remove();
    this.#desk.closed(this);
  }

  #url(path) {
    return new URL(`api/operator/calls/${encodeURIComponent(this.call)}${path}`, this.#desk.base);
  }

  #head() {
    const row = this.#row;
    const going = row.live && !this.#ended;
    write(this.name, this.story.agent || row.agent);
    const state = !going ? "ended" : this.story.phase === "idle" ? row.phase : this.story.phase;
    this.root.dataset.phase = state;
    write(this.phase, t(`phase.${state}`));
    const reason = this.story.reason || (going ? "" : row.ended);
    const parts = [row.caller || t("watch.unknown"), moment(row.began), row.kind, reason];
    write(this.about, parts.filter(Boolean).join(" · "));
    this.listen.hidden = !going;
    const on = this.#along !== null;
    setIcon(this.listen, on ? "pause" : "play");
    write(this.listen.querySelector("span"), t(on ? "watch.cease" : "watch.listen"));
    this.listen.setAttribute("aria-pressed", String(on));
    this.sound.hidden = going || !row.recorded || Boolean(this.#blob);
    write(this.sound.querySelector("span"), t("watch.recording"));
    write(this.json.querySelector("span"), t("after.json"));
    this.shut.setAttribute("aria-label", t("watch.close", { agent: row.agent }));
    this.shut.title = t("watch.close", { agent: row.agent });
    this.scroller.setAttribute("aria-label", `${t("talk.title")}: ${row.agent}`);
    write(this.latest.querySelector("span"), t("talk.latest"));
    write(this.timing, t("panel.timing"));
  }

  // A call that goes on.

  #follow() {
    this.#feed = new Feed(this.#url("/watch"), this.#desk.token, {
      told: (event) => this.#told(event),
      heard: (sound) => this.#along?.play(sound),
      again: () => this.#again(),
    });
  }

  #told(event) {
    if (event.event === "watch") {
      this.#rate = event.rate;
      return;
    }
    const { changed, entries } = this.story.take(event, performance.now() / 1000);
    if (changed.has("all")) this.dialogue.show(this.story);
    else this.dialogue.update(entries);
    if (changed.has("phase") || changed.has("agent")) this.#head();
    if (changed.has("turns") || changed.has("all")) this.#draw();
    if (this.story.phase === "ended") this.#over();
  }

  async #again() {
    if (this.#ended) return false;
    // The connection may be lost, or the call be over without our having heard of it.
    try {
      const record = await ask(this.#url(""), { token: this.#desk.token });
      if (record.live) return true;
      this.#show(record);
      return false;
    } catch (error) {
      if (["unreachable", "slow", "server", "limit", "busy"].includes(error.code)) return true;
      this.#wrong(error);
      return false;
    }
  }

  #over() {
    if (this.#ended) return;
    this.#ended = true;
    this.#feed?.close();
    this.#silence();
    this.#head();
    this.#desk.status(t("watch.over", { agent: this.#row.agent }));
  }

  #toggle() {
    if (this.#along) this.#silence();
    else this.#along = new Along(this.#rate);
    this.#feed?.say({ listen: this.#along !== null });
    this.#desk.status(t(this.#along ? "watch.listening" : "watch.ceased", { agent: this.#row.agent }));
    this.#head();
  }

  #silence() {
    this.#along?.close();
    this.#along = null;
  }

  // A call that is over.

  async #read() {
    try {
      this.#show(await ask(this.#url(""), { token: this.#desk.token }));
    } catch (error) {
      this.#wrong(error);
    }
  }

  #show(record) {
    if (this.#closed) return;
    const transcript = (record.transcript ?? []).map((entry) => (entry.kind === "agent" ? { ...entry, closed: true } : entry));
    this.story.take({ event: "snapshot", at: record.seconds, call: this.call, agent: record.agent, transcript }, performance.now() / 1000);
    this.story.take({ event: "call_ended", at: record.seconds, reason: record.ended }, performance.now() / 1000);
    this.#ended = true;
    this.#silence();
    this.dialogue.show(this.story);
    this.scroller.scrollTop = 0;
    this.latest.hidden = true;
    this.#head();
    this.#draw();
  }

  async #fetch() {
    this.sound.disabled = true;
    try {
      const token = this.#desk.token;
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      const response = await fetch(this.#url("/recording"), { headers, credentials: "omit", signal: AbortSignal.timeout(LARGE) });
      if (!response.ok) throw await fromResponse(response);
      this.#blob = URL.createObjectURL(await response.blob());
      this.player.src = this.#blob;
      this.player.hidden = false;
      for (const at of this.list.querySelectorAll("button.at")) at.disabled = at.closest("li").dataset.start === undefined;
      this.player.focus();
    } catch (error) {
      this.#wrong(error);
    }
    this.sound.disabled = false;
    this.#head();
  }

  async #save() {
    try {
      const record = await ask(this.#url(""), { token: this.#desk.token });
      save(new Blob([JSON.stringify(record, null, 2)], { type: "application/json" }), `${this.call}.json`);
    } catch (error) {
      this.#wrong(error);
    }
  }

  #wrong(error) {
    if (this.#closed) return;
    this.problem.hidden = false;
    write(this.problem, error.detail || t(`errors.${error.code ?? "server"}.title`));
  }

  // Bars are drawn at most once a frame, and only where they are seen.
  #draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => {
      if (!this.bars.parentElement.open) return;
      this.bars.replaceChildren(figures(this.story.turns), ...[waterfall(this.story.turns, this.story)].flat());
    });
  }
}
