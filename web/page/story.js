// The story of a call: what the server told, in order. It takes messages and the time, and says
// what changed; it knows neither the network nor the screen.

const LOG = 2000; // events that are kept for the log

const EMPTY = {
  call: "",
  agent: "",
  language: "",
  languages: [],
  phase: "idle",
  muted: false,
  recording: false,
  reason: "",
  why: "",
};

/** An entry's name: an interpreter's pieces are numbered for each speaker and language. */
export const nameOf = (entry) => (entry.kind === "segment" ? `${entry.speaker}/${entry.target}/${entry.number}` : entry.id);

export class Story {
  constructor() {
    Object.assign(this, structuredClone(EMPTY));
    this.entries = new Map(); // what was said, heard and done, by id, in order
    this.turns = []; // {reply, latency, why_ended, speculation}
    this.cost = null; // {usd, usage}
    this.network = null; // as the server sees it
    this.log = []; // {number, at, direction, name, data}
    this.zero = null; // the call's beginning on the page's clock (s)
    this.speaking = { caller: false, agent: false };
    this.numbers = 0;
    this.logged = 0;
  }

  /** Turn the page's clock (s) into seconds since the call began. */
  at(now) {
    return this.zero === null ? 0 : now - this.zero;
  }

  /** The reply that is being said, or was said last. */
  get reply() {
    let last = null;
    for (const entry of this.entries.values()) if (entry.kind === "agent") last = entry;
    return last;
  }

  /** Why the turn before a reply ended, where the ledger did not say. */
  #whyBefore(id) {
    let why = "";
    for (const entry of this.entries.values()) {
      if (entry.id === id) return why;
      if (entry.kind === "caller") why = entry.why_ended || "";
    }
    return why;
  }

  /** Note a message for the log. */
  note(message, direction, now) {
    const name = message.data?.event ?? message.data?.t ?? message.type;
    const row = { number: ++this.logged, at: this.at(now), direction, type: message.type, name, data: message.data ?? null };
    this.log.push(row);
    if (this.log.length > LOG) this.log.shift();
    return row;
  }

  /**
   * Take a `server-message`'s data.
   * @param {object} event
   * @param {number} now the page's clock (s)
   * @returns {{changed: Set<string>, entries: Set<string>}} parts of the story, and ids of entries
   */
  take(event, now) {
    const changed = new Set();
    const entries = new Set();
    // Messages take their time on the way, never less than none: the earliest tells the beginning.
    const { at } = event;
    if (Number.isFinite(at)) this.zero = this.zero === null ? now - at : Math.min(this.zero, now - at);
    const put = (entry, before) => {
      const id = nameOf(entry) ?? `${entry.kind}${++this.numbers}`;
      const known = this.entries.get(id);
      if (before && !known) this.#replace(before, { ...entry, id });
      else this.entries.set(id, { ...known, ...entry, id });
      entries.add(id);
    };
    switch (event.event) {
      case "snapshot":
        this.#restore(event);
        for (const each of ["all", "phase", "turns", "agent"]) changed.add(each);
        break;
      case "phase":
        this.phase = event.phase;
        changed.add("phase");
        break;
      case "caller_started":
      case "caller_stopped":
        this.speaking.caller = event.event === "caller_started";
        changed.add("speaking");
        break;
      case "caller_partial":
        put({ id: "live", kind: "caller", text: event.text, started: at, live: true });
        break;
      case "caller_said":
        put(event.utterance, this.entries.has("live") ? "live" : null);
        entries.add("live");
        this.entries.delete("live");
        this.speaking.caller = false;
        changed.add("said");
        break;
      case "reply":
      case "agent_started":
      case "agent_said":
        put(event.reply);
        this.speaking.agent = !event.reply.closed && event.reply.started !== null;
        if (event.event === "agent_said") changed.add("said");
        changed.add("reply");
        break;
      case "tool_started":
      case "tool_ended":
        put(event.use);
        break;
      case "segment":
        put(event.segment);
        break;
      case "turn":
        this.#turn(event);
        changed.add("turns");
        break;
      case "network":
        this.network = event;
        changed.add("network");
        break;
      case "cost":
        this.cost = event;
        changed.add("cost");
        break;
      case "key_pressed":
        put({ kind: "key", key: event.key, at });
        break;
      case "message":
        put({ kind: "message", message: event.message, at });
        break;
      case "handed_off":
        put(event.handoff);
        this.agent = event.handoff.agent;
        changed.add("agent");
        break;
      case "language_changed":
        this.language = event.language;
        changed.add("agent");
        break;
      case "hold_started":
      case "hold_ended":
        this.phase = event.event === "hold_started" ? "holding" : "listening";
        changed.add("phase");
        break;
      case "checked":
        put({ kind: "checked", what: event.what, text: event.text, instead: event.instead, refused: event.refused, at });
        break;
      case "failed":
        put(event.failure);
        changed.add("failed");
        break;
      case "call_ended":
        this.phase = "ended";
        this.reason = event.reason ?? "";
        this.why = event.code ? `ended.${event.code}` : "";
        this.length = at;
        this.speaking = { caller: false, agent: false };
        entries.add("live");
        this.entries.delete("live");
        changed.add("phase");
        break;
      default: // a newer server's: in the log only
    }
    return { changed, entries };
  }

  // Put an entry where another stood, so that words do not jump when they become final.
  #replace(old, entry) {
    const rows = [...this.entries];
    this.entries.clear();
    for (const [id, each] of rows) this.entries.set(id === old ? entry.id : id, id === old ? entry : each);
  }

  #turn({ reply, latency, why_ended, speculation }) {
    const row = { reply, latency, why_ended, speculation };
    const known = this.turns.findIndex((each) => each.reply === reply);
    if (known < 0) this.turns.push(row);
    else this.turns[known] = row;
    const entry = this.entries.get(reply);
    if (entry) entry.latency = latency;
  }

  #restore(event) {
    for (const key of Object.keys(EMPTY)) if (key in event) this[key] = event[key];
    this.entries.clear();
    for (const entry of event.transcript ?? []) {
      const id = nameOf(entry) ?? `${entry.kind}${++this.numbers}`;
      this.entries.set(id, { ...entry, id });
    }
    const ledger = new Map(this.turns.map((turn) => [turn.reply, turn]));
    this.turns = [];
    for (const entry of this.entries.values()) {
      if (entry.kind !== "agent" || !entry.latency) continue;
      const why_ended = this.#whyBefore(entry.id);
      // A server that took the call over counts replies anew: the same name may be another one's.
      const known = ledger.get(entry.id);
      const same = known?.latency.total_us === entry.latency.total_us;
      this.turns.push(same ? known : { reply: entry.id, latency: entry.latency, why_ended, speculation: "" });
    }
  }

  /** The story as JSON, for a file. */
  toJSON() {
    return {
      call: this.call,
      agent: this.agent,
      language: this.language,
      seconds: this.length ?? null,
      ended: this.reason,
      transcript: [...this.entries.values()],
      turns: this.turns,
      cost: this.cost,
      events: this.log,
    };
  }
}
