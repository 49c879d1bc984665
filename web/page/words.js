// Words: what the page says, in the reader's language. English and French; figures as the
// language writes them.

export const LANGUAGES = { en: "English", fr: "Français" };

let words = {};
let language = "en";

/** The language that this browser's user reads, of those that there are. */
export function preferred(stored) {
  const wanted = [stored, ...(navigator.languages || [navigator.language || "en"])];
  for (const each of wanted) {
    const base = (each || "").split("-")[0];
    if (base in LANGUAGES) return base;
  }
  return "en";
}

export const current = () => language;

/** Load a language's words. */
export async function load(wanted) {
  const found = await fetch(new URL(`./locales/${wanted}.json`, import.meta.url), {
    signal: AbortSignal.timeout(10_000),
  });
  if (!found.ok) throw new Error(`no words in ${wanted}`);
  words = await found.json();
  language = wanted;
}

let others = {};

/** Say one thing in place of another: `{ "talk.you": "watch.caller" }`, by key. */
export const instead = (given) => (others = given);

const find = (key) => (others[key] ?? key).split(".").reduce((at, part) => at?.[part], words);

/** Tell whether there are words for a key. */
export const has = (key) => find(key) !== undefined;

/** Say something: `t("events.count", { count: 3 })`. An object of words is chosen by `count`. */
export function t(key, given = {}) {
  let found = find(key);
  if (found && typeof found === "object") {
    found = found[new Intl.PluralRules(language).select(given.count)] ?? found.other;
  }
  if (typeof found !== "string") return key;
  return found.replace(/\{(\w+)\}/g, (_, name) =>
    typeof given[name] === "number" ? number(given[name]) : (given[name] ?? ""),
  );
}

/** Write a number. */
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);

/** Write a delay (ms): whole from 100 on, else to a tenth. */
export const ms = (value) =>
  new Intl.NumberFormat(language, { maximumFractionDigits: value >= 100 ? 0 : 1 }).format(value);

/** Write an amount of US dollars; small ones to a hundredth of a cent. */
export const usd = (value) =>
  new Intl.NumberFormat(language, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: value < 1 ? 4 : 2,
  }).format(value);

/** Name a language ("fr-CA") to the reader. */
export function named(code) {
  try {
    return new Intl.DisplayNames([language], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

/** Say why, by a reason's key below `why` ("ended.left"); in the server's words where there are none for it. */
export function why(reason, text) {
  const found = reason ? find(`why.${reason}`) : undefined;
  return typeof found === "string" ? found : text;
}

const ATTRIBUTES = { tLabel: "aria-label", tTitle: "title", tPlaceholder: "placeholder" };

/** Put words wherever the markup asks for them (`data-t`, `data-t-label`, …). */
export function apply(root = document) {
  if (root === document) document.documentElement.lang = language;
  for (const node of root.querySelectorAll("[data-t]")) {
    // A button's icon stays: its words stand in a text of their own behind it.
    const icon = node.querySelector(":scope > svg");
    node.replaceChildren(...(icon ? [icon] : []), t(node.dataset.t));
  }
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    const selector = `[data-${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}]`;
    for (const node of root.querySelectorAll(selector)) node.setAttribute(attribute, t(node.dataset[name]));
  }
}
