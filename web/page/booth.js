// The booth: what an interpreted session told, in order: pieces of speech with their translations,
// who is there, how far the translation is behind. It takes messages and the time, and says what
// changed; it knows neither the network nor the screen.

import { Story, nameOf } from "./story.js";

const CHAIN = 40; // pieces at the end among which what is understood now may begin
const PAUSE = 10; // s without a piece after which a lane is taken for one that ended
const STALE = 4; // s that words stand there which are not told again
const ALIKE = 0.5; // share of a piece's words from which it is taken for the beginning of a text

const bare = (word) => word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

// The words behind a piece in a text that may have been understood a little otherwise; null where
// it does not begin with it.
function after(words, piece) {
  const known = piece.split(/\s+/);
  const count = Math.min(words.length, known.length);
  let alike = 0;
  for (let at = 0; at < count; at += 1) alike += bare(words[at]) === bare(known[at]) ? 1 : 0;
  return count && alike >= ALIKE * count ? words.slice(known.length) : null;
}

/** What of a text is behind the last of these pieces, of which the first ones may be older. Pure. */
export function behind(text, pieces) {
  const words = text.split(/\s+/).filter(Boolean);
  for (let first = 0; first < pieces.length; first += 1) {
    let rest = words;
    for (const piece of pieces.slice(first)) rest = rest && (rest.length ? after(rest, piece) : []);
    if (rest) return rest.join(" ");
  }
  return words.join(" ");
}

/** Whether two languages are one: "fr-CA" and "fr". */
export const same = (one, other) => (one || "").split("-")[0] === (other || "").split("-")[0];

/** What two captions have in common at their beginning, whole words only. Pure. */
export function common(before, now) {
  let end = 0;
  for (let at = 0; at <= before.length && at <= now.length; at += 1) {
    const stands = (text) => at === text.length || /\s/.test(text[at]);
    if (stands(before) && stands(now)) end = at;
    if (before[at] !== now[at]) break;
  }
  return end;
}

export class Booth extends Story {
  constructor() {
    super();
    this.segments = new Map(); // by `nameOf`, in the order in which they came
    this.partials = new Map(); // what is understood and not cut off yet: {speaker, text, since}, by speaker
    this.voice = null; // how far the copying of one's own voice is: the last `voice` event
    this.room = null; // who is there: the last `room` event
    this.lag = 0; // how long after its arrival sound is heard here (s)
    this.lanes = new Map(); // by speaker: the language whose pieces are shown
  }

  take(event, now) {
    const rows = event.event === "snapshot" ? (event.transcript ?? []) : [];
    // Pieces are kept apart from what else happens.
    const given = rows.length ? { ...event, transcript: rows.filter((row) => row.kind !== "segment") } : event;
    const told = super.take(event.event === "segment" ? { at: event.at } : given, now);
    switch (event.event) {
      case "snapshot":
        this.segments.clear();
        this.partials.clear();
        for (const row of rows) if (row.kind === "segment") this.#put(row, now);
        if (event.room) this.room = event.room;
        told.changed.add("room");
        break;
      case "segment":
        told.entries.add(this.#put(event.segment, now));
        told.changed.add("segment");
        if (this.segments.get(nameOf(event.segment)).settledNow) told.changed.add("said");
        break;
      case "room":
        this.room = event;
        told.changed.add("room");
        break;
      case "voice":
        this.voice = event;
        told.changed.add("room");
        break;
      case "caller_partial":
        this.#understood(event.speaker ?? "", event.text, now);
        told.changed.add("partial");
        break;
      case "caller_said":
        this.partials.delete(event.speaker ?? "");
        told.changed.add("partial");
        break;
      case "call_ended":
        this.partials.clear();
        told.changed.add("partial");
        break;
      default:
    }
    return told;
  }

  #put(segment, now) {
    const name = nameOf(segment);
    const known = this.segments.get(name);
    const settled = ["spoken", "written", "failed"].includes(segment.state);
    const row = { ...segment, id: name, settledNow: settled && !known?.settled, settled };
    // What was shown and was not simply the beginning of what stands there now was corrected.
    const corrected = known && known.translation && !segment.translation.startsWith(known.translation);
    row.struck = corrected ? { text: known.translation, at: now } : (known?.struck ?? null);
    this.segments.set(name, row);
    if (!this.lanes.has(segment.speaker)) this.lanes.set(segment.speaker, segment.target);
    const waiting = this.partials.get(segment.speaker) ?? this.partials.get("");
    if (!known && waiting) this.#understood(waiting.speaker, waiting.text, waiting.since);
    return name;
  }

  /** Take the session's record, which has all of it: also what a reload in its middle missed. */
  fill(rows) {
    const found = rows.filter((row) => row.kind === "segment");
    if (!found.length) return;
    this.segments.clear();
    for (const row of found) {
      this.#put(row, 0);
      this.segments.get(nameOf(row)).settledNow = false;
    }
  }

  // Of what is understood of an utterance only the words are live that were not cut off yet.
  #understood(speaker, text, since) {
    const who = speaker || this.room?.you;
    const cut = this.shown().filter((each) => !who || each.speaker === who).slice(-CHAIN);
    const rest = behind(text, cut.map((each) => each.text));
    if (rest) this.partials.set(speaker, { speaker, text: rest, since });
    else this.partials.delete(speaker);
  }

  /** Forget words that nothing became of: they were understood otherwise in the end. */
  expire(now) {
    let gone = false;
    for (const [speaker, { since }] of this.partials) {
      if (now - since > STALE) gone = this.partials.delete(speaker);
    }
    return gone;
  }

  /**
   * The pieces to show, in the order in which they came: of each speaker those in the language that
   * is heard here. Where there are none of a time, as before another language was chosen, those of
   * another lane.
   */
  shown() {
    const rows = [...this.segments.values()];
    const speakers = Map.groupBy(rows, (row) => row.speaker);
    const kept = new Set();
    for (const [speaker, theirs] of speakers) {
      const lanes = [...Map.groupBy(theirs, (row) => row.target).entries()];
      const first = ([target]) => (same(target, this.language) ? 0 : target === this.lanes.get(speaker) ? 1 : 2);
      const told = []; // [from, to] of the lanes before
      for (const [, lane] of lanes.sort((one, other) => first(one) - first(other))) {
        const own = [];
        for (const row of lane) {
          const middle = (row.started + row.ended) / 2;
          if (told.some(([from, to]) => middle >= from && middle <= to)) continue;
          kept.add(row);
          const last = own.at(-1);
          if (last && row.started <= last[1]) last[1] = Math.max(last[1], row.ended + PAUSE);
          else own.push([row.started, row.ended + PAUSE]);
        }
        told.push(...own);
      }
    }
    return rows.filter((row) => kept.has(row));
  }

  /** How far each piece that was spoken was behind: [{id, lag}], in order. */
  lags() {
    return this.shown()
      .filter((row) => Number.isFinite(row.lag))
      .map(({ id, lag }) => ({ id, lag }));
  }

  /** All languages of the session, the spoken ones first. */
  tongues() {
    const rows = [...this.segments.values()];
    return [...new Set([...rows.map((row) => row.source), ...rows.filter((row) => row.translation).map((row) => row.target)])];
  }

  /** Who speaks, by name. */
  speakers() {
    return [...new Set([...this.segments.values()].map((row) => row.speaker))];
  }

  /** What to mark in the scope, on the page's clock (s): who sounded when. */
  marks() {
    if (this.zero === null) return [];
    const found = [];
    for (const row of this.shown()) {
      if (!this.room || row.speaker === this.room.you) {
        found.push({ kind: "said", side: "caller", start: this.zero + row.started, end: this.zero + row.ended });
      }
      if (row.spoken_from === null || row.spoken_from === undefined) continue;
      const end = row.spoken_to ?? (this.phase === "ended" ? row.spoken_from : undefined);
      found.push({ kind: "said", side: "agent", start: this.zero + this.lag + row.spoken_from, end: end === undefined ? undefined : this.zero + this.lag + end });
    }
    return found;
  }

  toJSON() {
    return { ...super.toJSON(), transcript: [...this.segments.values()].map(({ settledNow, settled, struck, id, ...row }) => row), room: this.room };
  }
}
