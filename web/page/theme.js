// The theme: as the system has it, or light, or dark.

import { get } from "./dom.js";
import { store } from "./store.js";

const THEMES = ["auto", "light", "dark"];

/** Show the theme that was chosen, and let it be changed; `changed` is told. */
export function start(changed) {
  const root = document.documentElement;
  const show = () => {
    const chosen = THEMES.includes(store.theme) ? store.theme : "auto";
    if (chosen === "auto") delete root.dataset.theme;
    else root.dataset.theme = chosen;
    changed();
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  get("theme").addEventListener("click", () => {
    const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
    const other = now === "dark" ? "light" : "dark";
    // What the system says anyway need not be kept.
    store.theme = other === (dark.matches ? "dark" : "light") ? "auto" : other;
    show();
  });
  dark.addEventListener("change", changed);
  show();
}
