// The frame of a page that carries sound, whatever it carries it for: its sound and microphone, what
// every call has around it, its language, and the panel beside.

import * as devices from "./devices.js";
import { clock, drawIcons, fill, get, write } from "./dom.js";
import { CallError } from "./errors.js";
import { Ear } from "./scope.js";
import { hold, store } from "./store.js";
import * as theme from "./theme.js";
import { LANGUAGES, apply, current, load, preferred, t, why } from "./words.js";

export class Frame {
  #scope;
  #voice;
  #setup;
  #problem;
  #microphone = null; // open before a call, for the level
  #timer = 0;
  context = null;

  /**
   * @param {{scope: object, voice: HTMLAudioElement, setup: object,
   *   problem: (error: CallError | null, actions?: object) => void}} given
   */
  constructor({ scope, voice, setup, problem }) {
    this.#scope = scope;
    this.#voice = voice;
    this.#setup = setup;
    this.#problem = problem;
    setup.onmicrophone = () => this.#microphone && this.listen();
  }

  sound() {
    this.context ??= new AudioContext({ latencyHint: "interactive" });
    if (this.context.state === "suspended") this.context.resume();
    return this.context;
  }

  // The microphone.

  /** Open it before a call, and show how loud it hears; returns whether it is open. */
  async listen() {
    try {
      const before = this.#microphone;
      this.#microphone = await devices.openMicrophone(store.input);
      devices.stop(before);
    } catch (error) {
      this.#setup.level(null);
      this.#problem(error);
      return false;
    }
    this.#problem(null);
    this.#scope.listen("caller", new Ear(this.sound(), this.context.createMediaStreamSource(this.#microphone)));
    this.#scope.onlevel = (caller) => document.body.dataset.stage === "ready" && this.#setup.level(caller);
    this.#setup.devices();
    return true;
  }

  /** What is to be sent: the microphone, which is open or is opened now; or silence. */
  async stream({ silent = false } = {}) {
    this.sound();
    const found = silent ? devices.silentMicrophone(this.context) : (this.#microphone ?? (await devices.openMicrophone(store.input)));
    this.#microphone = null;
    this.#setup.level(null);
    return found;
  }

  // A call.

  /** Show where the page is: "ready", "joining", "call" or "after". */
  stage(name, { quality }) {
    document.body.dataset.stage = name;
    const going = name === "call" || name === "joining";
    get("setup").hidden = name !== "ready";
    get("dock").hidden = !going;
    get("conversation").hidden = name === "ready" || name === "loading";
    get("after").hidden = name !== "after";
    get("elapsed").hidden = name === "ready" || name === "loading";
    get("quality").hidden = !going || !quality;
  }

  /** Show what goes on; `speaks` is what a session tells of itself. */
  phase(session, speaks) {
    const link = session?.link.state;
    let name = "idle";
    if (document.body.dataset.stage === "after") name = "ended";
    else if (link === "connecting" || link === "reconnecting") name = link;
    else if (session) name = speaks(session.story);
    else if (document.body.dataset.stage === "joining") name = "connecting";
    get("state").dataset.phase = name;
    write(get("phase"), t(`phase.${name}`));
    return name;
  }

  /** Have a session's sound come out of the chosen speaker, and the session start. */
  async start(session, stream, { resume, wanted }) {
    if (store.output && devices.canChooseOutput()) await this.#voice.setSinkId(store.output).catch(() => {});
    await session.start(resume ? { resume: resume.resume, ice: resume.ice } : wanted, stream);
  }

  /**
   * Follow a session: its troubles, and its time.
   * @param {{phase: () => void, over: (error: CallError | null) => void, tick?: () => void}} told
   */
  follow(session, { phase, over, tick = () => {} }) {
    session.addEventListener("problem", ({ detail }) => this.#problem(detail));
    session.addEventListener("silent", () => this.#problem(new CallError("sound_blocked"), { sound: () => this.#voice.play() }));
    session.addEventListener("state", ({ detail }) => {
      phase();
      if (detail.state === "reconnecting") this.#problem(new CallError("reconnecting"));
      if (detail.state === "connected") {
        hold({ ...session.link.call });
        this.#problem(null);
      }
    });
    session.addEventListener("over", ({ detail }) => {
      if (document.body.dataset.stage === "call") over(detail);
    });
    this.unfollow();
    this.#timer = setInterval(() => {
      this.elapsed(session);
      tick();
    }, 500);
    this.elapsed(session);
  }

  unfollow() {
    clearInterval(this.#timer);
  }

  elapsed({ story }) {
    write(get("elapsed"), clock(story.phase === "ended" ? (story.length ?? 0) : story.at(performance.now() / 1000)));
  }

  /** Say why a call ended: with words that have room for a reason. */
  ended({ reason, why: code }, words) {
    write(get("ended"), reason ? t(words, { reason: why(code, reason) }) : "");
  }

  // The page.

  /**
   * Load the words, and serve what is around a call.
   * @param {{words: () => void, begin: () => void, listen: () => void, details: (open?: boolean) => void,
   *   open: string | undefined}} given what to do; whether the panel was open ("yes"), where that is known
   */
  async open({ words, begin, listen, details, open }) {
    theme.start(() => this.#scope.recolour());
    await load(preferred(store.tongue)).catch(() => load("en"));
    fill(get("tongue"), Object.entries(LANGUAGES), current());
    get("tongue").addEventListener("change", async (event) => {
      store.tongue = event.target.value;
      await load(store.tongue).catch(() => {});
      apply();
      drawIcons();
      this.#setup.words();
      this.#scope.recolour();
      words();
    });
    apply();
    get("setup").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#setup.about) begin();
      else this.#setup.load();
    });
    get("again").addEventListener("click", () => begin());
    get("try").addEventListener("click", listen);
    get("details").addEventListener("click", () => details());
    get("side-close").addEventListener("click", () => {
      details(false);
      get("details").focus();
    });
    details(open ? open === "yes" : innerWidth >= 1000);
    // A browser that keeps a page silent until it is touched lets it sound then.
    for (const name of ["pointerdown", "keydown"]) {
      addEventListener(name, () => {
        if (this.context?.state === "suspended") this.context.resume();
        if (this.#voice.srcObject && this.#voice.paused) this.#voice.play().catch(() => {});
      });
    }
  }

  /** Open or close the panel beside; returns whether it is open. */
  details(open = !document.body.classList.contains("details")) {
    document.body.classList.toggle("details", open);
    get("details").setAttribute("aria-expanded", String(open));
    return open;
  }
}
