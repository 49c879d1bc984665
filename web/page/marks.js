// What is marked in the scope: who spoke when, how long the caller waited, where they cut in.

import { ms } from "./words.js";

export class Marks {
  /** How long after its arrival sound is heard here (s). */
  lag = 0;

  /** @param {import("./story.js").Story} story */
  constructor(story) {
    this.story = story;
  }

  /** All marks, on the page's clock (s). */
  all() {
    const { zero, entries } = this.story;
    if (zero === null) return [];
    const found = [];
    let spoken = null; // the end of the caller's last turn
    for (const entry of entries.values()) {
      if (entry.kind === "caller") {
        const end = entry.live ? undefined : zero + entry.ended;
        found.push({ kind: "said", side: "caller", start: zero + entry.started, end });
        spoken = end ?? null;
      } else if (entry.kind === "agent" && entry.started != null) {
        const start = zero + entry.started + this.lag;
        const end = entry.ended != null ? zero + entry.ended + this.lag : undefined;
        found.push({ kind: "said", side: "agent", start, end });
        if (entry.latency && entry.latency.total_us > 0) {
          const felt = entry.latency.total_us / 1e6;
          found.push({ kind: "wait", start: spoken ?? start - felt, end: start, text: `${ms(Math.round(felt * 1000))} ms` });
        }
        if (entry.closed && entry.interrupted && end !== undefined) {
          found.push({ kind: "cut", start: end - (entry.reaction ?? 0), end });
        }
      }
    }
    return found;
  }
}
