// The page of an interpreted session: puts its parts together, from "Begin" to taking it home.

import { After } from "./booth-after.js";
import { Beamer } from "./booth-beamer.js";
import { Booth } from "./booth.js";
import { draw } from "./booth-lag.js";
import { Lines } from "./booth-lines.js";
import { Room } from "./booth-room.js";
import { Setup } from "./booth-setup.js";
import { drawIcons, get, setIcon, write } from "./dom.js";
import { CallError, ask } from "./errors.js";
import { Frame } from "./frame.js";
import { Network, judge } from "./network.js";
import { Playback } from "./playback.js";
import * as problems from "./problems.js";
import { Recorder } from "./recorder.js";
import { Ear, Scope } from "./scope.js";
import { Session } from "./session.js";
import { drop, hold, remember, store, waiting } from "./store.js";
import { instead, t, why } from "./words.js";

const base = new URL(".", document.baseURI);
const voice = get("sound");
const scope = new Scope(get("scope"));
const lines = new Lines(get("dialogue"), get("scroller"), get("latest"));
const network = new Network();
const after = new After({ base, problem: (error) => problem(error) });
const playback = new Playback({ scope, dialogue: lines, base, choose: (stereo) => after.choose(stereo) });
const setup = new Setup({ base, store, problem: (error) => problem(error) });
const frame = new Frame({ scope, voice, setup, problem: (error, actions) => problem(error, actions) });
const room = new Room({ problem: (error) => problem(error) });
const beamer = new Beamer({ store });

let session = null;
let about = null; // the session that goes on: title, languages, …
let recorder = null;
let muted = false;

function stage(name) {
  frame.stage(name, { quality: network.rows.length > 0 });
  for (const id of ["sound-box", "people-box", "voice-box"]) if (name === "after") get(id).hidden = true;
  phase();
}

function phase() {
  frame.phase(session, (story) => {
    if (story.phase === "idle" || story.phase === "connecting") return "connecting";
    const states = new Set(story.shown().map((row) => row.state));
    if (states.has("speaking")) return "speaking";
    return states.has("waiting") || states.has("translating") ? "thinking" : "listening";
  });
}

function problem(error, actions) {
  if (!error) return problems.show(null);
  if (["token", "used"].includes(error.code)) get("token-field").hidden = false;
  const again = { retry: () => (setup.about ? begin() : setup.load()) };
  const none = ["token_wanted", "forbidden", "no_interpreter", "no_room", "room_over", "no_subtitles", "refused"];
  const going = (session && !session.over) || document.body.dataset.stage === "after";
  return problems.show(error, actions ?? (going || none.includes(error.code) ? {} : again));
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
    const stream = await frame.stream({ silent: about.listens });
    made = new Session({ base, token: setup.token, context: frame.context, voice, story: new Booth() });
    session = made;
    serve(made, resume);
    await frame.start(made, stream, { resume, wanted: setup.wanted });
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
  }, frame.context);
}

function serve(made, resumed) {
  scope.clear(performance.now() / 1000);
  scope.annotate(() => made.story.marks());
  document.body.classList.toggle("listens", about.listens);
  if (!about.listens) scope.listen("caller", new Ear(frame.context, made.caller));
  scope.listen("agent", new Ear(frame.context, made.agent));
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
  recorder?.start(frame.context, made.caller, made.agent).catch(() => (recorder = null));
  made.addEventListener("change", ({ detail }) => change(made, detail));
  frame.follow(made, {
    phase,
    over: (error) => finished(made, error),
    tick: () => made.story.expire(performance.now() / 1000) && lines.update(new Set()),
  });
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
    if (story.room?.over) write(get("status"), why(`ended.${story.room.over_code}`, story.room.over));
  }
  if (changed.has("segment") || changed.has("all")) {
    draw(story.lags().map((each) => each.lag), about.aim);
    beamer.render();
  }
  if (changed.has("said")) announce(story, entries);
  if (changed.has("failed")) {
    const failures = [...story.entries.values()].filter((each) => each.kind === "failure");
    const last = failures.at(-1);
    problem(new CallError("stage", { detail: last?.message ?? "", reason: `failed.${last?.error}` }));
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
  frame.unfollow();
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
  frame.elapsed(made);
  scope.finish(story.zero ?? 0, (story.zero ?? 0) + (story.length ?? 1));
  stage("after");
  get("silence").hidden = story.segments.size > 0;
  write(get("silence"), t("booth.nothingSaid"));
  frame.ended(story, "booth.ended");
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

function details(given) {
  store.people = frame.details(given) ? "yes" : "no";
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
  room.words();
  after.words();
  phase();
  if (session) lines.show(session.story);
  if (session) frame.ended(session.story, "booth.ended");
  if (session) draw(session.story.lags().map((each) => each.lag), about.aim);
  beamer.render();
}

async function main() {
  drawIcons();
  instead({ "phase.thinking": "booth.translating", "phase.ended": "booth.over", "after.again": "booth.again", "setup.hint": "booth.hint",
    "errors.mic_denied.remedy": "booth.micDenied", "errors.mic_missing.remedy": "booth.micMissing" });
  await frame.open({ words, begin: () => begin(), listen: () => frame.listen(), details, open: store.people });
  get("back").addEventListener("click", back);
  get("mute").addEventListener("click", () => mute(!muted));
  get("end").addEventListener("click", end);
  get("shortcuts").checked = store.shortcuts !== "no";
  get("shortcuts").addEventListener("change", (event) => (store.shortcuts = event.target.checked ? "yes" : "no"));
  addEventListener("keydown", pressed);
  const kept = await waiting();
  setup.load();
  if (kept?.booth) begin({ resume: kept });
  else stage("ready");
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

remember();
main();
