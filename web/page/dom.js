// Elements. Text from callers, models and tools only ever becomes text nodes and attribute values
// of our own choosing: nothing here, or anywhere in this folder, parses markup.

const SVG = "http://www.w3.org/2000/svg";

export const get = (id, root = document) => root.getElementById(id);

/** Make an element: `h("p", { class: "who", onclick }, "text", node, null)`. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
    else if (name === "value" || name === "checked" || name === "open") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const PATHS = {
  mic: "M12 15a3.5 3.5 0 0 0 3.5-3.500v-5a3.5 3.5 0 0 0-7 0v5A3.5 3.5 0 0 0 12 15zM5.5 11.500a6.5 6.5 0 0 0 13 0M12 18v3.5",
  muted: "M3.5 3.500l17 17M15.5 9.500v-3a3.5 3.5 0 0 0-6.8-1.100M8.5 8.500v3a3.5 3.5 0 0 0 5.4 2.900M5.5 11.500a6.5 6.5 0 0 0 10.6 5M18.4 12.500a6 6 0 0 0 .1-1M12 18v3.5",
  hand: "M8 12.500V6a1.6 1.6 0 0 1 3.2 0v5M11.2 10.500V4.600a1.6 1.6 0 0 1 3.2 0v5.900M14.4 11V6.500a1.6 1.6 0 0 1 3.2 0v8c0 3.9-2.5 6.5-5.9 6.5-2.7 0-4.2-1.2-5.7-3.800l-2-3.600a1.5 1.5 0 0 1 2.5-1.600L8 14",
  keypad: "M6 5.500h.01M12 5.500h.01M18 5.500h.01M6 11.500h.01M12 11.500h.01M18 11.500h.01M6 17.500h.01M12 17.500h.01M18 17.500h.01",
  subtitles: "M4.5 5h15A1.5 1.5 0 0 1 21 6.500v11a1.5 1.5 0 0 1-1.5 1.500h-15A1.5 1.5 0 0 1 3 17.500v-11A1.5 1.5 0 0 1 4.5 5zM6.5 15h6M15.5 15h2M6.5 11.500h2M11.5 11.500h6",
  hold: "M9 5.500v13M15 5.500v13",
  resume: "M8 5.500v13l10-6.500z",
  phone: "M5 4h3.500l1.7 4.3-2.2 1.500a12 12 0 0 0 6.2 6.200l1.5-2.200L20 15.500V19a1.5 1.5 0 0 1-1.6 1.500A15.5 15.5 0 0 1 3.5 5.6 1.5 1.5 0 0 1 5 4z",
  hangup: "M3 14.300c5-4.7 13-4.7 18 0l-2.3 2.7-3.6-1.4-.3-2.500a11 11 0 0 0-5.6 0l-.3 2.500L5.3 17z",
  send: "M4.5 12h15M13 5.500l6.5 6.5-6.5 6.5",
  details: "M4 19.500v-6M10 19.500v-15M16 19.500v-9M21.5 19.500h-19",
  phones: "M4 15v-3a8 8 0 0 1 16 0v3M4 14.500h2.500a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1H5.500A1.5 1.5 0 0 1 4 19zM20 14.500h-2.500a1 1 0 0 0-1 1v4a1 1 0 0 0 1 1h1A1.5 1.5 0 0 0 20 19z",
  theme: "M12 3.500a8.5 8.5 0 1 0 0 17zM12 3.500a8.5 8.5 0 0 1 0 17",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M8.5 8.500v-4h11v11h-4M4.5 8.500h11v11h-11z",
  down: "M12 4.500v13M6 12l6 6 6-6",
  play: "M8 5v14l11-7z",
  pause: "M7 5h3.500v14H7zM13.5 5H17v14h-3.500z",
  warn: "M12 4l9.5 16.500h-19zM12 10v4.500M12 17.500h.01",
  tool: "M14.5 6.500a4 4 0 0 1 5-1l-2.7 2.7 1 1 2.7-2.700a4 4 0 0 1-5.3 5L8 18.700a1.9 1.9 0 0 1-2.7-2.700l7.2-7.200a4 4 0 0 1 2-2.300z",
};

/** An icon: decoration, hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon i-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Put icons where the markup asks for them (`data-icon`). */
export function drawIcons(root = document) {
  for (const node of root.querySelectorAll("[data-icon]")) {
    node.prepend(icon(node.dataset.icon));
    delete node.dataset.icon;
  }
}

/** Put one icon in place of the one that a button has. */
export function setIcon(button, name) {
  const old = button.querySelector("svg");
  if (old?.classList.contains(`i-${name}`)) return;
  if (old) old.replaceWith(icon(name));
  else button.prepend(icon(name));
}

/** Write text only where it changed, so that selections and screen readers are left alone. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Fill a select: `[[value, label], …]`; returns the value that is chosen then. */
export function fill(select, rows, chosen) {
  select.replaceChildren(...rows.map(([value, label]) => h("option", { value }, label)));
  if (rows.some(([value]) => value === chosen)) select.value = chosen;
  return select.value;
}

/** Seconds as "0:07" or "1:02:03"; with a tenth where asked. */
export function clock(seconds, tenth = false) {
  const tenths = Math.max(0, tenth ? Math.round(seconds * 10) : Math.floor(seconds) * 10);
  const whole = Math.floor(tenths / 10);
  const pad = (n) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  const head = minutes >= 60 ? `${Math.floor(minutes / 60)}:${pad(minutes % 60)}` : `${minutes}`;
  return `${head}:${pad(whole % 60)}${tenth ? `.${tenths % 10}` : ""}`;
}

/** Copy text; throws where the browser does not allow it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard outside a secure context, or the browser asked and was refused.
    const box = h("textarea", { readonly: true, value: text, class: "vh" });
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy");
    box.remove();
    if (!done) throw new Error("refused");
  }
}

/** Hand a file to the user. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
