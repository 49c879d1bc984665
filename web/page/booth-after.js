// After a session: what can be taken home.

import { get, h, save, write } from "./dom.js";
import { CallError, fromResponse } from "./errors.js";
import { listenTo } from "./booth-dub.js";
import { named, t } from "./words.js";

export class After {
  #session = null;
  #base;
  #problem;
  #made = new Map(); // what was made of the recording, by name

  /** @param {{base: URL, problem: (error: CallError) => void}} given */
  constructor({ base, problem }) {
    this.#base = base;
    this.#problem = problem;
    get("track").addEventListener("change", () => this.playback?.load().catch(() => {}));
    get("save-dubbed").addEventListener("click", () => this.#dubbed());
  }

  /** What is listened to of a recording; for `Playback`. */
  async choose(stereo) {
    const what = get("track").value;
    if (!this.#made.has(what)) this.#made.set(what, await listenTo(stereo, what));
    return this.#made.get(what);
  }

  /** Offer a finished session. */
  open(session, playback) {
    this.#session = session;
    this.playback = playback;
    this.words();
  }

  /** Forget it. */
  close() {
    this.#session = null;
    this.#made.clear();
  }

  /** Write what depends on the page's language. */
  words() {
    const session = this.#session;
    if (!session) return;
    const call = session.link.call;
    const tongues = call ? session.story.tongues() : [];
    get("downloads").hidden = !tongues.length;
    get("subtitle-files").replaceChildren(
      ...tongues.map((code) =>
        h(
          "li",
          {},
          h("span", {}, named(code)),
          ["srt", "vtt"].map((form) =>
            h(
              "button",
              { type: "button", class: "plain wide small", data: { language: code, form }, "aria-label": t("booth.saveFile", { form: form.toUpperCase(), language: named(code) }), onclick: () => this.#subtitles(code, form) },
              form.toUpperCase(),
            ),
          ),
        ),
      ),
    );
  }

  get #name() {
    return `session-${this.#session.story.call || "record"}`.replace(/[^\w-]/g, "");
  }

  async #subtitles(language, form) {
    const { call, resume } = this.#session.link.call;
    const url = new URL(`api/calls/${encodeURIComponent(call)}/subtitles`, this.#base);
    for (const [key, value] of Object.entries({ language, form, at: get("times").value })) url.searchParams.set(key, value);
    try {
      const response = await fetch(url, { headers: { Authorization: `Bearer ${resume}` }, signal: AbortSignal.timeout(20_000), credentials: "omit" }).catch(() => {
        throw new CallError("unreachable");
      });
      if (!response.ok) {
        const error = await fromResponse(response);
        throw error.code === "unknown" ? new CallError("no_subtitles", { detail: error.detail, reason: error.reason }) : error;
      }
      save(await response.blob(), `${this.#name}.${language}.${form}`);
      write(get("status"), t("booth.saved"));
    } catch (error) {
      this.#problem(error instanceof CallError ? error : new CallError("server", { detail: String(error) }));
    }
  }

  async #dubbed() {
    const stereo = this.playback?.recording;
    if (!stereo) return;
    if (!this.#made.has("dubbed")) this.#made.set("dubbed", await listenTo(stereo, "dubbed"));
    save(this.#made.get("dubbed"), `${this.#name}.dubbed.wav`);
    write(get("status"), t("booth.saved"));
  }
}
