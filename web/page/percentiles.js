// Percentiles over time: a chart, and the same figures as a table.

import { h } from "./dom.js";
import { current, ms, number, t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const NARROW = 560; // px below which there is room for fewer words
const LEFT = 64;
const RIGHT = 8;
const TOP = 12;
const LOW = 28;
const STEPS = [50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000];
export const SHARES = ["p50", "p95", "p99"];

/** Stretches of time that can be chosen: seconds in all, seconds of one bucket. */
export const RANGES = { hour: [3600, 60], day: [86_400, 1800], week: [604_800, 14_400], month: [2_592_000, 86_400] };

function s(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function when(at, whole, full = false) {
  const hours = { hour: "2-digit", minute: "2-digit" };
  const days = { day: "numeric", month: "short" };
  const form = full ? { ...days, ...hours } : whole <= 2 * 86_400 ? hours : days;
  return new Intl.DateTimeFormat(current(), form).format(at);
}

/**
 * Draw what the server found.
 * @param {{since: string, until: string, bucket: number, buckets: object[]}} found
 * @param {number} wide the chart's width (px): its letters keep their size
 */
export function delays({ since, until, bucket, buckets }, wide) {
  const WIDE = Math.max(280, Math.round(wide));
  const HIGH = WIDE < NARROW ? 220 : 260;
  const quarters = WIDE < NARROW ? [0, 2, 4] : [0, 1, 2, 3, 4];
  if (!buckets.length) return [h("p", { class: "nothing" }, t("watch.noDelays"))];
  const from = Date.parse(since);
  const to = Date.parse(until);
  const whole = (to - from) / 1000;
  const most = Math.max(...buckets.map((each) => each.p99));
  const step = STEPS.find((each) => most / each <= 4) ?? most;
  const top = step * Math.max(1, Math.ceil(most / step));
  // A point stands in the middle of its stretch, as far as that lies within the chart.
  const x = (at) => LEFT + ((WIDE - LEFT - RIGHT) * Math.min(to - from, Math.max(0, at - from))) / (to - from);
  const y = (value) => TOP + (HIGH - TOP - LOW) * (1 - value / top);
  const middle = (each) => x(Date.parse(each.since) + bucket * 500);
  const marks = [];
  for (let value = 0; value <= top; value += step) {
    const label = t("units.ms", { ms: number(value) });
    marks.push(s("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }));
    marks.push(s("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, label));
  }
  for (const n of quarters) {
    const at = from + ((to - from) * n) / 4;
    marks.push(s("text", { x: x(at), y: HIGH - 6, "text-anchor": n === 4 ? "end" : "middle" }, when(at, whole)));
  }
  const lines = SHARES.map((share) => {
    const pieces = [];
    let before = null;
    for (const each of buckets) {
      const at = Date.parse(each.since);
      // Where nobody was answered there is no line.
      pieces.push(`${before !== null && at - before <= bucket * 1500 ? "L" : "M"}${middle(each).toFixed(1)} ${y(each[share]).toFixed(1)}`);
      before = at;
    }
    const dots = buckets.map((each) =>
      s("circle", { cx: middle(each).toFixed(1), cy: y(each[share]).toFixed(1), r: 3 }, s("title", {}, `${when(Date.parse(each.since), whole, true)} · ${share} ${ms(each[share])} ms`)),
    );
    return s("g", { class: share }, s("path", { d: pieces.join("") }), ...dots);
  });
  const turns = buckets.reduce((sum, each) => sum + each.turns, 0);
  const best = Math.min(...buckets.map((each) => each.p50));
  const worst = Math.max(...buckets.map((each) => each.p50));
  const said = t("watch.chart", { count: turns, from: ms(best), to: ms(worst), worst: ms(most) });
  const figures = (each) => SHARES.map((share) => h("td", {}, ms(each[share])));
  return [
    s("svg", { width: WIDE, height: HIGH, viewBox: `0 0 ${WIDE} ${HIGH}`, class: "over-time", role: "img", "aria-label": said }, ...marks, ...lines),
    h("ul", { class: "key" }, SHARES.map((share) => h("li", { class: share }, h("i", { class: "swatch" }), t(`watch.${share}`)))),
    h(
      "details",
      { class: "figures" },
      h("summary", {}, t("watch.table")),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": t("watch.table") },
        h(
          "table",
          {},
          h("caption", {}, t("watch.caption")),
          h("thead", {}, h("tr", {}, ["since", "calls", "answers"].map((name) => h("th", { scope: "col" }, t(`watch.${name}`))), SHARES.map((share) => h("th", { scope: "col" }, share)))),
          h("tbody", {}, [...buckets].reverse().map((each) => h("tr", {}, h("th", { scope: "row" }, when(Date.parse(each.since), whole, true)), h("td", {}, number(each.calls)), h("td", {}, number(each.turns)), figures(each)))),
        ),
      ),
    ),
  ];
}
