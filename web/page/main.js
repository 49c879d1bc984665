// The page: puts its parts together, and carries a call from "Call" to listening to it again.

import * as devices from "./devices.js";
import { Dialogue } from "./dialogue.js";
import { Dock } from "./dock.js";
import { clock, drawIcons, fill, get, write } from "./dom.js";
import { CallError } from "./errors.js";
import { Marks } from "./marks.js";
import { Network } from "./network.js";
import { Panel } from "./panel.js";
import { Playback } from "./playback.js";
import * as problems from "./problems.js";
import { Recorder } from "./recorder.js";
import { Ear, Scope } from "./scope.js";
import { Session } from "./session.js";
import { Setup } from "./setup.js";
import { drop, hold, remember, store, waiting } from "./store.js";
import * as theme from "./theme.js";
import { LANGUAGES, apply, current, load, preferred, t } from "./words.js";

const base = new URL(".", document.baseURI);
const voice = get("sound");
const scope = new Scope(get("scope"));
const dialogue = new Dialogue(get("dialogue"), get("scroller"), get("latest"));
const network = new Network();
const playback = new Playback({ scope, dialogue, base });
const panel = new Panel((text) => write(get("status"), text));
const setup = new Setup({ base, store, problem: (error) => problem(error) });
const dock = new Dock({ store, problem: (error) => problem(error), captions });

let context = null;
let microphone = null; // open before a call, for the level
let session = null;
let recorder = null;
let marks = null;
let clockTimer = 0;

function sound() {
  context ??= new AudioContext({ latencyHint: "interactive" });
  if (context.state === "suspended") context.resume();
  return context;
}

function stage(name) {
  document.body.dataset.stage = name;
  const calling = name === "call" || name === "joining";
  get("setup").hidden = name !== "ready";
  get("dock").hidden = !calling;
  get("conversation").hidden = name === "ready" || name === "loading";
  get("after").hidden = name !== "after";
  get("elapsed").hidden = name === "ready" || name === "loading";
  get("quality").hidden = !calling || !network.rows.length;
  phase();
}

function phase() {
  const link = session?.link.state;
  let name = "idle";
  if (document.body.dataset.stage === "after") name = "ended";
  else if (link === "connecting" || link === "reconnecting") name = link;
  else if (session) name = session.story.phase === "idle" ? "connecting" : session.story.phase;
  else if (document.body.dataset.stage === "joining") name = "connecting";
  get("state").dataset.phase = name;
  write(get("phase"), t(`phase.${name}`));
  dock.phase(name);
}

function problem(error, actions) {
  if (!error) return problems.show(null);
  if (["token", "used"].includes(error.code)) get("token-field").hidden = false;
  const again = () => call();
  const retry = { retry: setup.agent ? again : () => setup.load() };
  const byCode = {
    mic_denied: { type: () => call({ silent: true }), retry: again },
    mic_missing: { type: () => call({ silent: true }), retry: again },
    mic_busy: { type: () => call({ silent: true }), retry: again },
    insecure: { type: () => call({ silent: true }) },
    token: {},
    token_wanted: {},
    forbidden: {},
  };
  return problems.show(error, actions ?? (session && !session.over ? {} : (byCode[error.code] ?? retry)));
}

// The microphone before the call.

async function listen() {
  try {
    const before = microphone;
    microphone = await devices.openMicrophone(store.input);
    devices.stop(before);
  } catch (error) {
    setup.level(null);
    problem(error);
    return null;
  }
  problem(null);
  scope.listen("caller", new Ear(sound(), sound().createMediaStreamSource(microphone)));
  get("scope-box").classList.add("hears");
  scope.onlevel = (caller) => {
    if (document.body.dataset.stage === "ready") setup.level(caller);
  };
  setup.devices();
  return microphone;
}

// A call.

async function call({ silent = false, resume = null } = {}) {
  if (session && !session.over) return;
  problem(null);
  playback.close();
  stage("joining");
  const token = setup.token;
  let made = null;
  try {
    sound();
    const stream = silent ? devices.silentMicrophone(context) : (microphone ?? (await devices.openMicrophone(store.input)));
    microphone = null;
    get("scope-box").classList.remove("hears");
    setup.level(null);
    made = new Session({ base, token, context, voice });
    session = made;
    begin(made);
    if (store.output && devices.canChooseOutput()) await voice.setSinkId(store.output).catch(() => {});
    await made.start(resume ? { resume: resume.resume, ice: resume.ice } : setup.wanted, stream);
  } catch (error) {
    made?.drop();
    await over(made, null);
    session = null;
    stage("ready");
    setup.load();
    if (resume) drop();
    if (!resume || !["over", "unknown"].includes(error.code)) problem(error instanceof CallError ? error : new CallError("server", { detail: String(error) }));
    return;
  }
  if (made.over) return;
  hold({ ...made.link.call, silent });
  stage("call");
  network.start(made.link, (row) => {
    get("quality").hidden = false;
    panel.network(row);
    marks.lag = network.lag;
  }, context);
}

function begin(made) {
  const now = performance.now() / 1000;
  marks = new Marks(made.story);
  scope.clear(now);
  scope.annotate(() => marks.all());
  scope.listen("caller", new Ear(context, made.caller));
  scope.listen("agent", new Ear(context, made.agent));
  dialogue.show(made.story);
  panel.show(made.story);
  dock.serve(made);
  get("silence").hidden = false;
  recorder = setup.keep ? new Recorder() : null;
  recorder?.start(context, made.caller, made.agent).catch(() => (recorder = null));
  made.addEventListener("change", ({ detail }) => change(made, detail));
  made.addEventListener("log", () => panel.log());
  made.addEventListener("problem", ({ detail }) => problem(detail));
  made.addEventListener("silent", () => problem(new CallError("sound_blocked"), { sound: () => voice.play() }));
  made.addEventListener("state", ({ detail }) => {
    phase();
    if (detail.state === "reconnecting") problem(new CallError("reconnecting"));
    if (detail.state === "connected") {
      hold({ ...made.link.call });
      problem(null);
    }
  });
  made.addEventListener("over", ({ detail }) => {
    if (document.body.dataset.stage === "call") finished(made, detail);
  });
  clearInterval(clockTimer);
  clockTimer = setInterval(() => elapsed(made), 500);
  elapsed(made);
}

function elapsed(made) {
  const { story } = made;
  const seconds = story.phase === "ended" ? (story.length ?? 0) : story.at(performance.now() / 1000);
  write(get("elapsed"), clock(seconds));
}

function change(made, { changed, entries }) {
  if (made !== session) return;
  const { story } = made;
  if (changed.has("all")) dialogue.show(story);
  else dialogue.update(entries);
  get("silence").hidden = story.entries.size > 0;
  if (changed.has("phase")) phase();
  if (changed.has("agent") && story.agent) {
    write(get("name"), story.agent);
    document.title = `${story.agent} · Viva Voce`;
  }
  if (changed.has("turns") || changed.has("reply")) panel.render();
  if (changed.has("cost") || changed.has("network")) panel.render();
  if (changed.has("said")) announce(story, entries);
  subtitle(story);
}

// Screen readers hear what was said once it is final, not each word as it is guessed.
function announce(story, ids) {
  for (const id of ids) {
    const entry = story.entries.get(id);
    if (entry?.kind === "caller" && !entry.live) write(get("said"), `${t("talk.you")}: ${entry.text}`);
    if (entry?.kind === "agent" && entry.closed && entry.heard) write(get("said"), `${t("talk.agent")}: ${entry.heard}`);
  }
}

function captions(on) {
  get("subtitles").hidden = !on;
}

let captionTimer = 0;

function subtitle(story) {
  const live = story.entries.get("live");
  const reply = story.reply;
  const line = live?.text || (reply && !reply.closed ? reply.heard || reply.generated : "");
  const box = get("subtitles");
  clearTimeout(captionTimer);
  // What was said last stays for as long as it takes to read it.
  if (!line) captionTimer = setTimeout(() => write(box, ""), 3000);
  // The end of it: what is being said now.
  else write(box, line.length > 160 ? `…${line.slice(-158).replace(/^\S*\s/, "")}` : line);
}

async function over(made, recording) {
  clearInterval(clockTimer);
  network.stop();
  dock.serve(null);
  scope.listen("caller", null);
  scope.listen("agent", null);
  if (recording === null && recorder) await recorder.stop();
  recorder = null;
  return made;
}

async function finished(made, error) {
  drop();
  const kept = recorder;
  const recording = kept ? await kept.stop() : null;
  const began = kept?.started ?? 0;
  await over(made, recording ?? undefined);
  if (session !== made) return;
  dialogue.show(made.story);
  elapsed(made);
  scope.finish(made.story.zero ?? 0, (made.story.zero ?? 0) + (made.story.length ?? 1));
  write(get("subtitles"), "");
  stage("after");
  write(get("ended"), made.story.reason ? t("after.ended", { reason: made.story.reason }) : "");
  if (error) problem(error);
  panel.render();
  await playback.open(made, recording, began);
  if (document.activeElement === document.body) get("again").focus({ preventScroll: true });
}

function back() {
  playback.close();
  session = null;
  scope.annotate(() => []);
  scope.clear(performance.now() / 1000);
  problem(null);
  stage("ready");
  setup.load();
}

// The rest of the page.

function details(open = !document.body.classList.contains("details")) {
  document.body.classList.toggle("details", open);
  get("details").setAttribute("aria-expanded", String(open));
  store.details = open ? "yes" : "no";
  if (open) panel.render();
}

function words() {
  apply();
  drawIcons();
  setup.words();
  dock.words();
  phase();
  scope.recolour();
  if (session) {
    dialogue.show(session.story);
    panel.show(session.story);
  }
}

async function main() {
  drawIcons();
  theme.start(() => scope.recolour());
  await load(preferred(store.tongue)).catch(() => load("en"));
  fill(get("tongue"), Object.entries(LANGUAGES), current());
  get("tongue").addEventListener("change", async (event) => {
    store.tongue = event.target.value;
    await load(store.tongue).catch(() => {});
    words();
  });
  apply();
  dock.words();
  get("setup").addEventListener("submit", (event) => {
    event.preventDefault();
    if (setup.agent) call();
    else setup.load();
  });
  get("again").addEventListener("click", () => call());
  get("back").addEventListener("click", back);
  get("try").addEventListener("click", listen);
  setup.onmicrophone = () => microphone && listen();
  get("details").addEventListener("click", () => details());
  get("side-close").addEventListener("click", () => {
    details(false);
    get("details").focus();
  });
  details(store.details ? store.details === "yes" : innerWidth >= 1000);
  panel.choose("timing");
  const kept = await waiting();
  setup.load();
  if (kept && !kept.booth) call({ resume: kept, silent: kept.silent });
  else stage("ready");
  // A browser that keeps a page silent until it is touched lets it sound then.
  for (const name of ["pointerdown", "keydown"]) {
    addEventListener(name, () => {
      if (context?.state === "suspended") context.resume();
      if (voice.srcObject && voice.paused) voice.play().catch(() => {});
    });
  }
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

remember();
main();
