// The operator's view: which calls there are and were, those that were opened, and delays over time.

import { Calls } from "./calls.js";
import { drawIcons, fill, get, write } from "./dom.js";
import { ask } from "./errors.js";
import { Feed } from "./feed.js";
import { Pane } from "./pane.js";
import { RANGES, delays } from "./percentiles.js";
import { store } from "./store.js";
import * as theme from "./theme.js";
import { LANGUAGES, apply, current, instead, load, preferred, t } from "./words.js";

const PLACE = "vivavoce.operator"; // where this tab keeps its token
const PATIENCE = 250; // ms after the last key until it is searched
const WRITTEN = 1_200; // ms after a call's end until its record is there
const REDRAW = 30_000; // ms between two looks at the delays
const MOST = 8; // calls that stand open at once

const base = new URL(".", document.baseURI);
const live = new Calls(get("live"), (row) => toggle(row));
const past = new Calls(get("past"), (row) => toggle(row));
const panes = new Map();

let token = "";
let about = null;
let feed = null;
let shift = 0; // the server's clock less ours (ms)
let liveRows = [];
let pastRows = [];
let cursor = "";
let measured = null; // delays as they were last found
let connected = false;
let asking = false; // whether the server is to be heard of: not before a token is there
let count = 0;
let searching = 0;
let asked = 0;

const status = (text) => write(get("status"), text);

// What the page says to a caller is said about one here.
instead({
  "talk.you": "watch.caller",
  "talk.pressed": "watch.pressed",
  "talk.delay": "watch.delay",
  "time.empty": "watch.noTurns",
  "time.hitMeaning": "watch.hitMeaning",
  "time.missMeaning": "watch.missMeaning",
  "stages.endpointing.meaning": "watch.endpointing",
});

function kept() {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

function keep(value) {
  token = value;
  try {
    if (value) sessionStorage.setItem(PLACE, value);
    else sessionStorage.removeItem(PLACE);
  } catch {
    // Then a reload asks for it again.
  }
}

const request = (path, query = {}) => {
  const url = new URL(`api/operator${path}`, base);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return ask(url, { token });
};

const wanted = () => ({ text: get("search").value.trim(), agent: get("agent").value });

// What is shown.

function health() {
  const most = about?.max_calls ?? 0;
  get("health").hidden = !asking;
  get("health").dataset.state = !connected ? "gone" : count >= most ? "busy" : "ok";
  write(get("health-word"), connected ? t("watch.count", { count, most }) : t("health.gone"));
}

function lists() {
  live.show(liveRows);
  past.show(pastRows);
  const open = new Set(panes.keys());
  live.mark(open);
  past.mark(open);
  live.tick(shift);
  write(get("live-count"), String(liveRows.length));
  const found = Boolean(wanted().text);
  get("live-none").hidden = liveRows.length > 0;
  write(get("live-none"), t(found ? "watch.notFound" : "watch.noLive"));
  get("past-none").hidden = pastRows.length > 0;
  write(get("past-none"), t(found ? "watch.notFound" : "watch.noPast"));
  get("more").hidden = !cursor;
  get("kept").hidden = !about || about.kept;
}

function wrong(error) {
  if (error.code === "token") return enter(error);
  return status(error.detail || t(`errors.${error.code ?? "server"}.title`));
}

// Calls.

async function find({ older = false } = {}) {
  const number = ++asked;
  try {
    const found = await request("/calls", { ...wanted(), state: "past", cursor: older ? cursor : "" });
    if (number !== asked) return; // something else was typed meanwhile
    const rows = found.past.map((row) => ({ ...row, live: false }));
    pastRows = older ? [...pastRows, ...rows] : rows;
    cursor = found.cursor;
    lists();
  } catch (error) {
    wrong(error);
  }
}

function told(event) {
  if (event.event !== "calls") return;
  shift = Date.parse(event.now) - Date.now();
  count = event.count;
  const before = liveRows.map((row) => row.call);
  liveRows = event.live;
  for (const row of liveRows) panes.get(row.call)?.tick(row, shift);
  lists();
  health();
  const now = new Set(liveRows.map((row) => row.call));
  if (before.some((call) => !now.has(call))) {
    setTimeout(find, WRITTEN);
    setTimeout(measure, WRITTEN);
  }
}

function search() {
  clearTimeout(searching);
  searching = setTimeout(() => {
    feed?.say(wanted());
    find();
    measure();
  }, PATIENCE);
}

function toggle(row) {
  const there = panes.get(row.call);
  if (there) return there.close();
  // The one that was opened first makes room.
  if (panes.size >= MOST) panes.values().next().value.close();
  const pane = new Pane(row, { base, token, status, closed });
  panes.set(row.call, pane);
  get("panes").append(pane.root);
  lists();
  pane.tick(null, shift);
  pane.root.scrollIntoView({ block: "nearest" });
  pane.name.focus({ preventScroll: true });
  return pane;
}

function closed(pane) {
  panes.delete(pane.call);
  lists();
  const line = document.querySelector(`li[data-call="${CSS.escape(pane.call)}"] .call-line`);
  (line ?? get("search")).focus({ preventScroll: true });
}

// Delays.

async function measure() {
  const [whole, bucket] = RANGES[get("range").value] ?? RANGES.day;
  // The chart ends with a whole stretch, so that its marks do not wander.
  const until = (Math.floor(Date.now() / 1000 / bucket) + 1) * bucket;
  try {
    measured = await request("/percentiles", { since: until - whole, until, bucket, agent: wanted().agent });
  } catch (error) {
    return wrong(error);
  }
  return draw();
}

function draw() {
  if (!measured) return;
  const open = get("delays").querySelector("details")?.open;
  get("delays").replaceChildren(...delays(measured, get("delays").clientWidth));
  const details = get("delays").querySelector("details");
  if (details && open) details.open = true;
}

// Coming in.

function enter(error) {
  feed?.close();
  feed = null;
  asking = false;
  health();
  for (const pane of [...panes.values()]) pane.close();
  document.body.dataset.view = "enter";
  get("view").hidden = true;
  get("enter").hidden = false;
  write(get("enter-why"), token ? error.detail : "");
  keep("");
  get("token").focus();
}

async function start() {
  try {
    about = await request("");
  } catch (error) {
    if (["token", "forbidden"].includes(error.code)) return enter(error);
    asking = true;
    connected = false;
    health();
    status(t(`errors.${error.code}.title`));
    return setTimeout(start, 3000);
  }
  asking = true;
  get("enter").hidden = true;
  get("view").hidden = false;
  document.body.dataset.view = "calls";
  agents();
  feed?.close();
  feed = new Feed(new URL("api/operator/live", base), token, {
    told,
    state: (open) => {
      connected = open;
      health();
    },
    // A token that is over opens nothing any more: the page asks for another.
    again: () => request("").then(() => true, (error) => (error.code === "token" ? (enter(error), false) : true)),
  });
  feed.say(wanted());
  await Promise.all([find(), measure()]);
}

function agents() {
  const rows = (about?.agents ?? []).map((name) => [name, name]);
  fill(get("agent"), [["", t("watch.everyAgent")], ...rows], get("agent").value);
}

function words() {
  apply();
  document.title = `${t("watch.title")} · Viva Voce`;
  fill(get("range"), Object.keys(RANGES).map((name) => [name, t(`watch.${name}`)]), get("range").value || store.range || "day");
  agents();
  lists();
  health();
  draw();
  for (const pane of panes.values()) pane.words();
}

async function main() {
  drawIcons();
  theme.start(() => {});
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) history.replaceState(null, "", location.pathname + location.search); // not for the history
  keep(given ?? kept());
  await load(preferred(store.tongue)).catch(() => load("en"));
  fill(get("tongue"), Object.entries(LANGUAGES), current());
  get("tongue").addEventListener("change", async (event) => {
    store.tongue = event.target.value;
    await load(store.tongue).catch(() => {});
    words();
  });
  words();
  get("search").addEventListener("input", search);
  get("agent").addEventListener("change", search);
  get("more").addEventListener("click", () => find({ older: true }));
  get("range").addEventListener("change", () => {
    store.range = get("range").value;
    measure();
  });
  get("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    keep(get("token").value.trim());
    get("token").value = "";
    start();
  });
  setInterval(() => {
    live.tick(shift);
    for (const [call, pane] of panes) pane.tick(live.row(call) ?? null, shift);
  }, 1000);
  setInterval(() => feed && measure(), REDRAW);
  let wide = 0;
  new ResizeObserver(() => {
    if (Math.abs(get("delays").clientWidth - wide) < 4) return;
    wide = get("delays").clientWidth;
    draw();
  }).observe(get("delays"));
  await start();
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

main();
