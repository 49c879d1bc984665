// The page of an interpreted session: puts its parts together, from "Begin" to taking it home.

import { After } from "./booth-after.js";
import { Beamer } from "./booth-beamer.js";
import { Booth } from "./booth.js";
import { draw } from "./booth-lag.js";
import { Lines } from "./booth-lines.js";
import { Room } from "./booth-room.js";
import { Setup } from "./booth-setup.js";
import * as devices from "./devices.js";
import { clock, drawIcons, fill, get, setIcon, write } from "./dom.js";
import { CallError, ask } from "./errors.js";
import { Network, judge } from "./network.js";
import { Playback } from "./playback.js";
import * as problems from "./problems.js";
import { Recorder } from "./recorder.js";
import { Ear, Scope } from "./scope.js";
import { Session } from "./session.js";
import { drop, hold, remember, store, waiting } from "./store.js";
import * as theme from "./theme.js";
import { LANGUAGES, apply, current, instead, load, preferred, t } from "./words.js";

const base = new URL(".", document.baseURI);
const voice = get("sound");
const scope = new Scope(get("scope"));
const lines = new Lines(get("dialogue"), get("scroller"), get("latest"));
const network = new Network();
const after = new After({ base, problem: (error) => problem(error) });
const playback = new Playback({ scope, dialogue: lines, base, choose: (stereo) => after.choose(stereo) });
const setup = new Setup({ base, store, problem: (error) => problem(error) });
const room = new Room({ problem: (error) => problem(error) });
const beamer = new Beamer({ store });

let context = null;
let microphone = null; // open before a session, for the level
let session = null;
let about = null; // the session that goes on: title, languages, …
let recorder = null;
let clockTimer = 0;
let muted = false;

function sound() {
  context ??= new AudioContext({ latencyHint: "interactive" });
  if (context.state === "suspended") context.resume();
  return context;
}

function stage(name) {
  document.body.dataset.stage = name;
  const going = name === "call" || name === "joining";
  get("setup").hidden = name !== "ready";
  get("dock").hidden = !going;
  get("conversation").hidden = name === "ready" || name === "loading";
  get("after").hidden = name !== "after";
  get("elapsed").hidden = name === "ready" || name === "loading";
  get("quality").hidden = !going || !network.rows.length;
  for (const id of ["sound-box", "people-box", "voice-box"]) if (name === "after") get(id).hidden = true;
  phase();
}

function phase() {
  const link = session?.link.state;
  let name = "idle";
  if (document.body.dataset.stage === "after") name = "ended";
  else if (link === "connecting" || link === "reconnecting") name = link;
  else if (session) {
    const speaking = session.story.shown().some((row) => row.state === "speaking");
    const works = session.story.shown().some((row) => row.state === "waiting" || row.state === "translating");
    name = session.story.phase === "idle" || session.story.phase === "connecting" ? "connecting" : speaking ? "speaking" : works ? "thinking" : "listening";
  } else if (document.body.dataset.stage === "joining") name = "connecting";
  get("state").dataset.phase = name;
  write(get("phase"), t(`phase.${name}`));
}

function problem(error, actions) {
  if (!error) return problems.show(null);
  if (["token", "used"].includes(error.code)) get("token-field").hidden = false;
  const again = { retry: () => (setup.about ? begin() : setup.load()) };
  const none = ["token_wanted", "forbidden", "no_interpreter", "no_room", "room_over", "no_subtitles", "refused"];
  const going = (session && !session.over) || document.body.dataset.stage === "after";
  return problems.show(error, actions ?? (going || none.includes(error.code) ? {} : again));
}

// The microphone before a session.

async function listen() {
  try {
    const before = microphone;
    microphone = await devices.openMicrophone(store.input);
    devices.stop(before);
  } catch (error) {
    setup.level(null);
    return problem(error);
  }
  problem(null);
  scope.listen("caller", new Ear(sound(), sound().createMediaStreamSource(microphone)));
  scope.onlevel = (caller) => document.body.dataset.stage === "ready" && setup.level(caller);
  return setup.devices();
}

// A session.

async function begin({ resume = null } = {}) {
  if (session && !session.over) return;
  if (!resume && setup.missing) return;
  problem(null);
  playback.close();
  after.close();
  stage("joining");
  about = resume?.booth ?? {
    title: setup.title,
    languages: setup.about.languages ?? [setup.about.source, ...setup.about.targets],
    source: setup.about.source,
    original: setup.about.original ?? "ducked",
    aim: setup.aim,
    listens: setup.listens,
    captions: Boolean(setup.wanted.captions),
  };
  get("original").value = about.original;
  let made = null;
  try {
    sound();
    const stream = about.listens ? devices.silentMicrophone(context) : (microphone ?? (await devices.openMicrophone(store.input)));
    microphone = null;
    setup.level(null);
    made = new Session({ base, token: setup.token, context, voice, story: new Booth() });
    session = made;
    serve(made, resume);
    if (store.output && devices.canChooseOutput()) await voice.setSinkId(store.output).catch(() => {});
    await made.start(resume ? { resume: resume.resume, ice: resume.ice } : setup.wanted, stream);
  } catch (error) {
    made?.drop();
    await leave(made, false);
    session = recorder = null;
    stage("ready");
    setup.load();
    if (resume) drop();
    if (!resume || !["over", "unknown"].includes(error.code)) problem(error instanceof CallError ? error : new CallError("server", { detail: String(error) }));
    return;
  }
  if (made.over) return;
  hold({ ...made.link.call, booth: about });
  stage("call");
  network.start(made.link, () => {
    get("quality").hidden = false;
    const quality = judge(network.rows.slice(-10));
    get("quality").dataset.quality = quality;
    made.story.lag = network.lag;
    get("quality").title = t(`net.${quality}Meaning`);
    write(get("quality-word"), t(`net.${quality}`));
  }, context);
}

function serve(made, resumed) {
  scope.clear(performance.now() / 1000);
  scope.annotate(() => made.story.marks());
  document.body.classList.toggle("listens", about.listens);
  if (!about.listens) scope.listen("caller", new Ear(context, made.caller));
  scope.listen("agent", new Ear(context, made.agent));
  lines.show(made.story);
  beamer.serve(made.story);
  room.serve(made, about);
  draw([], about.aim);
  get("silence").hidden = false;
  write(get("silence"), t("booth.nothing"));
  write(get("name"), about.title);
  document.title = `${about.title} · Viva Voce`;
  mute(false);
  recorder = (resumed ? store.keep !== "no" && !about.listens : setup.keep) ? new Recorder() : null;
  recorder?.start(context, made.caller, made.agent).catch(() => (recorder = null));
  made.addEventListener("change", ({ detail }) => change(made, detail));
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
  clockTimer = setInterval(() => {
    elapsed(made);
    if (made.story.expire(performance.now() / 1000)) lines.update(new Set());
  }, 500);
  elapsed(made);
}

function elapsed({ story }) {
  write(get("elapsed"), clock(story.phase === "ended" ? (story.length ?? 0) : story.at(performance.now() / 1000)));
}

function change(made, { changed, entries }) {
  if (made !== session) return;
  const { story } = made;
  if (changed.has("all")) lines.show(story);
  else if (changed.has("segment") || changed.has("partial")) lines.update(entries);
  get("silence").hidden = story.segments.size > 0 || story.partials.size > 0;
  if (changed.has("phase") || changed.has("segment") || changed.has("all")) phase();
  if (changed.has("room") || changed.has("agent") || changed.has("all")) {
    room.render();
    if (changed.has("agent")) lines.show(story);
    if (story.room?.over) write(get("status"), story.room.over);
  }
  if (changed.has("segment") || changed.has("all")) {
    draw(story.lags().map((each) => each.lag), about.aim);
    beamer.render();
  }
  if (changed.has("said")) announce(story, entries);
  if (changed.has("failed")) {
    const failures = [...story.entries.values()].filter((each) => each.kind === "failure");
    problem(new CallError("stage", { detail: failures.at(-1)?.message ?? "" }));
  }
}

// Screen readers are told each piece once, when nothing of it changes any more.
function announce(story, ids) {
  const said = [];
  for (const id of ids) {
    const row = story.segments.get(id);
    if (row?.settledNow && story.shown().includes(row)) said.push(row.translation || t("booth.failed"));
  }
  if (said.length) write(get("said"), said.join(" "));
}

function mute(on) {
  muted = on;
  session?.mute(on);
  const button = get("mute");
  button.hidden = about?.listens ?? false;
  button.setAttribute("aria-pressed", String(on));
  setIcon(button, on ? "muted" : "mic");
}

async function end() {
  get("end").disabled = true;
  try {
    await session?.end();
  } finally {
    get("end").disabled = false;
  }
}

async function leave(made, keeps) {
  clearInterval(clockTimer);
  network.stop();
  scope.listen("caller", null);
  scope.listen("agent", null);
  beamer.serve(null);
  room.serve(null);
  const recording = keeps && recorder ? await recorder.stop() : null;
  if (!keeps && recorder) await recorder.stop();
  return recording;
}

async function finished(made, error) {
  drop();
  const began = recorder?.started ?? 0;
  const recording = await leave(made, true);
  recorder = null;
  if (session !== made) return;
  const { story } = made;
  await record(made);
  if (session !== made) return;
  lines.show(story);
  draw(story.lags().map((each) => each.lag), about.aim);
  elapsed(made);
  scope.finish(story.zero ?? 0, (story.zero ?? 0) + (story.length ?? 1));
  stage("after");
  get("silence").hidden = story.segments.size > 0;
  write(get("silence"), t("booth.nothingSaid"));
  write(get("ended"), story.reason ? t("booth.ended", { reason: story.reason }) : "");
  if (error) problem(error);
  after.open(made, playback);
  await playback.open(made, recording, began);
  get("save-dubbed").hidden = !playback.recording;
  if (document.activeElement === document.body) get("again").focus({ preventScroll: true });
}

// The server's record has all of it, also from before a reload; what was seen here does without it.
async function record({ link, story }) {
  if (!link.call) return;
  const url = new URL(`api/calls/${encodeURIComponent(link.call.call)}`, base);
  const found = await ask(url, { token: link.call.resume, timeout: 2500 }).catch(() => null);
  story.fill(found?.transcript ?? []);
}

function back() {
  playback.close();
  after.close();
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
  store.people = open ? "yes" : "no";
}

function pressed(event) {
  if (!session || session.over || store.shortcuts === "no") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.("input:not([type=checkbox]), select, textarea")) return;
  const key = event.key.toLowerCase();
  if (key === "m" && !about.listens) mute(!muted);
  if (key === "s") beamer.open(get("beamer").hidden);
}

function words() {
  apply();
  drawIcons();
  setup.words();
  room.words();
  after.words();
  phase();
  scope.recolour();
  if (session) lines.show(session.story);
  if (session) draw(session.story.lags().map((each) => each.lag), about.aim);
  beamer.render();
}

async function main() {
  drawIcons();
  instead({ "phase.thinking": "booth.translating", "phase.ended": "booth.over", "after.again": "booth.again", "setup.hint": "booth.hint",
    "errors.mic_denied.remedy": "booth.micDenied", "errors.mic_missing.remedy": "booth.micMissing" });
  theme.start(() => scope.recolour());
  await load(preferred(store.tongue)).catch(() => load("en"));
  fill(get("tongue"), Object.entries(LANGUAGES), current());
  get("tongue").addEventListener("change", async (event) => {
    store.tongue = event.target.value;
    await load(store.tongue).catch(() => {});
    words();
  });
  apply();
  get("setup").addEventListener("submit", (event) => {
    event.preventDefault();
    if (setup.about) begin();
    else setup.load();
  });
  get("again").addEventListener("click", () => begin());
  get("back").addEventListener("click", back);
  get("try").addEventListener("click", listen);
  setup.onmicrophone = () => microphone && listen();
  get("mute").addEventListener("click", () => mute(!muted));
  get("end").addEventListener("click", end);
  get("shortcuts").checked = store.shortcuts !== "no";
  get("shortcuts").addEventListener("change", (event) => (store.shortcuts = event.target.checked ? "yes" : "no"));
  addEventListener("keydown", pressed);
  get("details").addEventListener("click", () => details());
  get("side-close").addEventListener("click", () => {
    details(false);
    get("details").focus();
  });
  details(store.people ? store.people === "yes" : innerWidth >= 1000);
  const kept = await waiting();
  setup.load();
  if (kept?.booth) begin({ resume: kept });
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
