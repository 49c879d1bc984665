// The dock: what a caller can do during a call, by hand and by key.

import { get, h, setIcon, write } from "./dom.js";
import { t } from "./words.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ" };
const TONES = {
  rows: [697, 770, 852, 941],
  columns: [1209, 1336, 1477],
};

/** Short confirmation that a key was pressed; the digits themselves go as messages. */
function beep(context, key) {
  const at = KEYS.indexOf(key);
  const gain = context.createGain();
  gain.gain.value = 0.05;
  gain.connect(context.destination);
  for (const frequency of [TONES.rows[Math.floor(at / 3)], TONES.columns[at % 3]]) {
    const tone = context.createOscillator();
    tone.frequency.value = frequency;
    tone.connect(gain);
    tone.start();
    tone.stop(context.currentTime + 0.12);
  }
}

export class Dock {
  #session = null;
  #pushing = false; // push-to-talk is on
  #held = false; // and held
  #typed = () => {};

  constructor({ store, problem, captions }) {
    this.store = store;
    this.problem = problem;
    this.captions = captions;
    get("mute").addEventListener("click", () => this.mute());
    get("push").addEventListener("click", () => this.push());
    get("keys").addEventListener("click", () => this.keypad());
    get("captions").addEventListener("click", () => this.subtitles());
    get("hold").addEventListener("click", () => this.hold());
    get("end").addEventListener("click", () => this.end());
    get("shortcuts").checked = store.shortcuts !== "no";
    get("shortcuts").addEventListener("change", (event) => (store.shortcuts = event.target.checked ? "yes" : "no"));
    get("keypad").append(
      ...KEYS.map((key) =>
        h("button", { type: "button", data: { key }, onclick: () => this.press(key) }, h("b", {}, key), h("small", { "aria-hidden": true }, LETTERS[key] ?? "")),
      ),
    );
    get("type").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = get("text").value.trim();
      if (!text || !this.#session) return;
      if (this.#session.type(text)) get("text").value = "";
    });
    const talk = get("talk");
    talk.addEventListener("pointerdown", (event) => {
      talk.setPointerCapture(event.pointerId);
      this.#hold(true);
    });
    for (const name of ["pointerup", "pointercancel", "blur"]) talk.addEventListener(name, () => this.#hold(false));
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    this.subtitles(store.subtitles === "yes");
  }

  /** Serve a session; null: none. */
  serve(session) {
    this.#session = session;
    this.#pushing = this.#held = false;
    this.#mutedByHand = false;
    this.keypad(false);
    this.#show();
  }

  #mutedByHand = false;

  mute(on = !this.#mutedByHand) {
    if (!this.#session) return;
    this.#mutedByHand = on;
    this.#apply();
  }

  /** Push-to-talk: unheard but while the button, or the space bar, is held. */
  push(on = !this.#pushing) {
    if (!this.#session) return;
    this.#pushing = on;
    this.#held = false;
    this.#apply();
  }

  #hold(on) {
    if (!this.#pushing || this.#held === on) return;
    this.#held = on;
    this.#apply();
  }

  #apply() {
    const muted = this.#pushing ? !this.#held : this.#mutedByHand;
    if (this.#session.muted !== muted) this.#session.mute(muted);
    this.#show();
  }

  async press(key) {
    if (!this.#session) return;
    const button = get("keypad").querySelector(`[data-key="${CSS.escape(key)}"]`);
    button?.classList.add("down");
    setTimeout(() => button?.classList.remove("down"), 150);
    beep(this.#session.context, key);
    await this.#session.press(key).catch(this.problem);
  }

  keypad(open = get("keypad").hidden) {
    get("keypad").hidden = !open;
    get("keys").setAttribute("aria-expanded", String(open));
    if (open) get("keypad").querySelector("button").focus();
  }

  subtitles(on = get("captions").getAttribute("aria-pressed") !== "true") {
    get("captions").setAttribute("aria-pressed", String(on));
    this.store.subtitles = on ? "yes" : "no";
    this.captions(on);
  }

  async hold(on = this.#session?.story.phase !== "holding") {
    await this.#session?.hold(on).catch(this.problem);
  }

  async end() {
    const session = this.#session;
    if (!session) return;
    get("end").disabled = true;
    try {
      await session.end();
    } finally {
      get("end").disabled = false;
    }
  }

  /** Show what the call is doing. */
  phase(phase) {
    const held = phase === "holding";
    get("hold").setAttribute("aria-pressed", String(held));
    setIcon(get("hold"), held ? "resume" : "hold");
  }

  /** Write the words again: the language of the page changed. */
  words() {
    this.#show();
    this.phase(this.#session?.story.phase);
    for (const button of get("keypad").children) button.setAttribute("aria-label", t("dock.key", { key: button.dataset.key }));
  }

  #show() {
    const muted = this.#mutedByHand && !this.#pushing;
    const button = get("mute");
    button.setAttribute("aria-pressed", String(muted));
    button.disabled = this.#pushing;
    setIcon(button, muted ? "muted" : "mic");
    get("push").setAttribute("aria-pressed", String(this.#pushing));
    const talk = get("talk");
    talk.hidden = !this.#pushing;
    talk.classList.toggle("held", this.#held);
    write(talk, t(this.#held ? "dock.talking" : "dock.talk"));
  }

  #key(event, down) {
    if (!this.#session || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.closest?.("input:not([type=checkbox]):not([type=range]), textarea, select")) return;
    const onButton = target.closest?.("button, summary, a, [role=tab]");
    if (event.key === "Escape" && down && !get("keypad").hidden) {
      this.keypad(false);
      get("keys").focus();
      return;
    }
    if (event.key === " " && this.#pushing && (!onButton || target === get("talk") || this.#held)) {
      event.preventDefault();
      if (!event.repeat) this.#hold(down);
      return;
    }
    if (!down || event.repeat || this.store.shortcuts === "no") return;
    if (!get("keypad").hidden && KEYS.includes(event.key)) {
      this.press(event.key);
      return;
    }
    const actions = { m: () => this.mute(), s: () => this.subtitles(), k: () => this.keypad() };
    actions[event.key.toLowerCase()]?.();
  }
}
