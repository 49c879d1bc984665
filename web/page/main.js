// The page: puts its parts together, and carries a call from "Call" to listening to it again.

import { Dialogue } from "./dialogue.js";
import { Dock } from "./dock.js";
import { drawIcons, get, write } from "./dom.js";
import { CallError } from "./errors.js";
import { Frame } from "./frame.js";
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
import { t } from "./words.js";

const base = new URL(".", document.baseURI);
const voice = get("sound");
const scope = new Scope(get("scope"));
const dialogue = new Dialogue(get("dialogue"), get("scroller"), get("latest"));
const network = new Network();
const playback = new Playback({ scope, dialogue, base });
const panel = new Panel((text) => write(get("status"), text));
const setup = new Setup({ base, store, problem: (error) => problem(error) });
const frame = new Frame({ scope, voice, setup, problem: (error, actions) => problem(error, actions) });
const dock = new Dock({ store, problem: (error) => problem(error), captions });

let session = null;
let recorder = null;
let marks = null;

function stage(name) {
  frame.stage(name, { quality: network.rows.length > 0 });
  phase();
}

function phase() {
  dock.phase(frame.phase(session, (story) => (story.phase === "idle" ? "connecting" : story.phase)));
}

function problem(error, actions) {
  if (!error) return problems.show(null);
  if (["token", "used"].includes(error.code)) get("token-field").hidden = false;
  const again = () => call();
  const retry = { retry: setup.about ? again : () => setup.load() };
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
  if (await frame.listen()) get("scope-box").classList.add("hears");
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
    const stream = await frame.stream({ silent });
    get("scope-box").classList.remove("hears");
    made = new Session({ base, token, context: frame.context, voice });
    session = made;
    begin(made);
    await frame.start(made, stream, { resume, wanted: setup.wanted });
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
  }, frame.context);
}

function begin(made) {
  const now = performance.now() / 1000;
  marks = new Marks(made.story);
  scope.clear(now);
  scope.annotate(() => marks.all());
  scope.listen("caller", new Ear(frame.context, made.caller));
  scope.listen("agent", new Ear(frame.context, made.agent));
  dialogue.show(made.story);
  panel.show(made.story);
  dock.serve(made);
  get("silence").hidden = false;
  recorder = setup.keep ? new Recorder() : null;
  recorder?.start(frame.context, made.caller, made.agent).catch(() => (recorder = null));
  made.addEventListener("change", ({ detail }) => change(made, detail));
  made.addEventListener("log", () => panel.log());
  frame.follow(made, { phase, over: (error) => finished(made, error) });
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
  frame.unfollow();
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
  frame.elapsed(made);
  scope.finish(made.story.zero ?? 0, (made.story.zero ?? 0) + (made.story.length ?? 1));
  write(get("subtitles"), "");
  stage("after");
  frame.ended(made.story, "after.ended");
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

function details(given) {
  const open = frame.details(given);
  store.details = open ? "yes" : "no";
  if (open) panel.render();
}

function words() {
  dock.words();
  phase();
  if (session) {
    dialogue.show(session.story);
    panel.show(session.story);
    frame.ended(session.story, "after.ended");
  }
}

async function main() {
  drawIcons();
  await frame.open({ words, begin: () => call(), listen, details, open: store.details });
  dock.words();
  get("back").addEventListener("click", back);
  panel.choose("timing");
  const kept = await waiting();
  setup.load();
  if (kept && !kept.booth) call({ resume: kept, silent: kept.silent });
  else stage("ready");
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

remember();
main();
