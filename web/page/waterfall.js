// The waterfall: where each reply's delay went. The bars of a row sum to what the caller felt.

import { clock, h } from "./dom.js";
import { ms, number, t } from "./words.js";

export const STAGES = ["endpointing", "transcription", "thinking", "tools", "clause", "speech", "output"];

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000];
const LABELLED = 0.09; // share of the axis from which a bar has room for its figure

const share = (part, whole) => `${whole > 0 ? Math.min(100, (100 * part) / whole).toFixed(2) : 0}%`;

/** One delay as a thin bar of its shares, for the dialogue. */
export function strip(latency) {
  return h(
    "i",
    { class: "strip", "aria-hidden": true },
    STAGES.filter((stage) => latency.stages_us[stage]).map((stage) =>
      h("i", { class: stage, style: { width: share(latency.stages_us[stage], latency.total_us) } }),
    ),
  );
}

/** Place the hidden work of each stage: [stage, start, end] in µs from the total's start. */
export function hiddenBars(latency) {
  const found = [];
  let before = 0;
  for (const stage of STAGES) {
    const worked = latency.hidden_us?.[stage] ?? 0;
    if (worked) {
      // Work that hid wholly behind a later stage has no bar of its own to stand against.
      const end = Math.min(Math.max(before, worked), latency.total_us);
      found.push([stage, Math.max(0, end - worked), end]);
    }
    before += latency.stages_us[stage] ?? 0;
  }
  return found;
}

/** The value that a share (0–1) of the values do not exceed (nearest rank). */
export function percentile(values, part) {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.max(0, Math.ceil(part * ordered.length) - 1)];
}

/** The figures at the head: what half and nearly all replies took. */
export function figures(turns) {
  if (!turns.length) return h("p", { class: "nothing" }, t("time.none"));
  const totals = turns.map((turn) => turn.latency.total_us / 1000);
  const figure = (name, value) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, ms(value), h("small", {}, ` ${t("units.msOnly")}`)));
  return h(
    "dl",
    { class: "headline" },
    figure(t("time.last"), totals.at(-1)),
    figure(t("time.median"), percentile(totals, 0.5)),
    figure(t("time.worst"), Math.max(...totals)),
  );
}

/** All turns, the newest first. */
export function waterfall(turns, story) {
  if (!turns.length) return h("p", { class: "nothing" }, t("time.empty"));
  const longest = Math.max(...turns.map((turn) => turn.latency.total_us), 1);
  const used = STAGES.filter((stage) =>
    turns.some(({ latency }) => latency.stages_us[stage] || latency.hidden_us?.[stage]),
  );
  const hidden = turns.some(({ latency }) => Object.keys(latency.hidden_us ?? {}).length);
  return [
    h("div", { class: "chart" }, axis(longest), h("ol", { class: "rows" }, [...turns].reverse().map((turn) => row(turn, story, longest)))),
    h(
      "ul",
      { class: "legend" },
      used.map((stage) =>
        h("li", {}, h("i", { class: `swatch ${stage}` }), t(`stages.${stage}.name`), h("small", {}, t(`stages.${stage}.meaning`))),
      ),
      hidden ? h("li", {}, h("i", { class: "swatch hidden" }), t("time.hidden"), h("small", {}, t("time.hiddenMeaning"))) : null,
    ),
  ];
}

function axis(longest) {
  const whole = longest / 1000;
  const step = STEPS.find((each) => whole / each <= 4) ?? whole;
  const marks = [];
  for (let at = 0; at <= whole; at += step) {
    const label = whole < 2000 ? `${number(at)} ms` : `${number(at / 1000, step < 1000 ? 1 : 0)} s`;
    marks.push(h("span", { style: { left: share(at, whole) } }, label));
  }
  return h("div", { class: "scale", "aria-hidden": true }, marks);
}

/** A delay in words: the total, then each stage that took part in it. */
export function spoken(latency) {
  const parts = STAGES.filter((stage) => latency.stages_us[stage]).map(
    (stage) => `${t(`stages.${stage}.name`)} ${ms(latency.stages_us[stage] / 1000)} ms`,
  );
  return t("time.spoken", { total: ms(latency.total_us / 1000), parts: parts.join(", ") });
}

function row({ reply, latency, why_ended, speculation }, story, longest) {
  const entry = story.entries.get(reply);
  const said = entry ? entry.heard || entry.generated : "";
  const bars = STAGES.filter((stage) => latency.stages_us[stage]).map((stage) => {
    const took = latency.stages_us[stage];
    return h(
      "i",
      { class: stage, style: { width: share(took, longest) }, title: `${t(`stages.${stage}.name`)}: ${ms(took / 1000)} ms` },
      took / longest >= LABELLED ? ms(Math.round(took / 1000)) : null,
    );
  });
  const behind = hiddenBars(latency).map(([stage, start, end]) =>
    h("i", {
      class: `${stage} hidden`,
      style: { "margin-left": share(start, longest), width: share(end - start, longest) },
      title: t("time.hiddenBar", { stage: t(`stages.${stage}.name`), ms: ms((end - start) / 1000) }),
    }),
  );
  const guess = ["hit", "miss"].includes(speculation)
    ? h("span", { class: `badge ${speculation === "hit" ? "ok" : "bad"}`, title: t(`time.${speculation}Meaning`) }, t(`time.${speculation}`))
    : null;
  return h(
    "li",
    {},
    h(
      "p",
      { class: "label" },
      h("span", { class: "at" }, entry?.started != null ? clock(entry.started) : "–"),
      h("span", { class: "words", dir: "auto" }, said),
    ),
    h("span", { class: "bars", role: "img", "aria-label": spoken(latency) }, bars),
    behind.length ? h("span", { class: "behind", "aria-hidden": true }, behind) : null,
    h("span", { class: "total" }, h("b", {}, ms(latency.total_us / 1000)), " ms"),
    h("p", { class: "why" }, guess, why_ended ? t("talk.turnEnded", { why: why_ended }) : null),
  );
}
