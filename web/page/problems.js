// Problems: what went wrong, in words, with what the user can do about it.

import { get, h, icon } from "./dom.js";
import { has, t, why } from "./words.js";

/**
 * Show a problem in place of the one before; null takes it away.
 * @param {import("./errors.js").CallError | null} error
 * @param {Record<string, () => void>} actions what can be done, by name ("retry", "type")
 */
export function show(error, actions = {}) {
  const box = get("problems");
  if (!error) {
    box.replaceChildren();
    return;
  }
  const known = has(`errors.${error.code}`) ? error.code : "server";
  const buttons = Object.entries(actions).map(([name, act]) =>
    h("button", { type: "button", class: "plain wide", onclick: () => { box.replaceChildren(); act(); } }, t(`actions.${name}`)),
  );
  box.replaceChildren(
    h(
      "div",
      { class: "problem", role: "alert", data: { code: error.code } },
      icon("warn"),
      h(
        "div",
        {},
        h("p", {}, h("b", {}, t(`errors.${known}.title`))),
        h("p", {}, t(`errors.${known}.remedy`, { wait: Math.ceil(error.retryAfter ?? 0) || 5 })),
        error.detail ? h("p", { class: "why", dir: "auto" }, why(error.reason, error.detail)) : null,
        buttons.length ? h("p", { class: "problem-actions" }, buttons) : null,
      ),
      h("button", { type: "button", class: "plain", "aria-label": t("actions.dismiss"), onclick: () => box.replaceChildren() }, icon("close")),
    ),
  );
}
