// The lag graph: how far each piece was behind, one bar each, with the lag that is aimed at.

import { get, h } from "./dom.js";
import { number, t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 320;
const TALL = 96;
const MOST = 48; // bars

/** What there is to say of lags: the last, the median and the longest (s); null before any. Pure. */
export function figures(lags) {
  if (!lags.length) return null;
  const sorted = [...lags].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { last: lags.at(-1), median, worst: sorted.at(-1) };
}

function shape(name, given) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(given)) node.setAttribute(key, value);
  return node;
}

/** Draw the lags (s), the newest last, and the one that is aimed at (s). */
export function draw(lags, aim) {
  const found = figures(lags);
  const s = (value) => t("booth.seconds", { s: number(value, 1) });
  get("lag-figures").replaceChildren(
    ...(found
      ? [["booth.last", found.last], ["booth.median", found.median], ["booth.worst", found.worst]].map(([word, value]) => h("div", {}, h("dt", {}, t(word)), h("dd", {}, s(value))))
      : [h("div", {}, h("dd", { class: "why" }, t("booth.noLag")))]),
  );
  const box = get("lag-graph");
  box.hidden = !found;
  if (!found) return;
  const rows = lags.slice(-MOST);
  const top = Math.max(...rows, aim || 0, 1) * 1.12;
  const y = (value) => TALL - (TALL * Math.max(0, value)) / top;
  const svg = shape("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", preserveAspectRatio: "none" });
  svg.setAttribute("aria-label", t("booth.graph", { last: s(found.last), median: s(found.median), worst: s(found.worst) }));
  const each = WIDE / Math.max(rows.length, 16);
  rows.forEach((value, at) => {
    const tall = Math.max(2, TALL - y(value));
    const last = at === rows.length - 1;
    svg.append(shape("rect", { x: (at * each + 1).toFixed(1), y: (TALL - tall).toFixed(1), width: Math.max(1.5, each - 2.5).toFixed(1), height: tall.toFixed(1), rx: 1.5, class: last ? "lag-bar last" : "lag-bar" }));
  });
  const parts = [svg];
  if (aim) {
    svg.append(shape("line", { x1: 0, x2: WIDE, y1: y(aim).toFixed(1), y2: y(aim).toFixed(1), class: "aim" }));
    const word = h("span", { class: "aim-word", "aria-hidden": true }, t("booth.aim", { s: number(aim, 1) }));
    word.style.setProperty("top", `${((100 * y(aim)) / TALL).toFixed(1)}%`);
    parts.push(word);
  }
  box.replaceChildren(...parts);
}
