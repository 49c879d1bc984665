// What this browser keeps: choices for good, and the call of this tab until it is over.

const PLACE = "vivavoce.";
const CALL = `${PLACE}call`;
const PATIENCE = 20_000; // ms that the server keeps a call without a connection

/** Choices, as properties; nothing is kept where the browser forbids it. */
export const store = new Proxy(
  {},
  {
    get: (_, name) => {
      try {
        return localStorage.getItem(PLACE + String(name)) ?? undefined;
      } catch {
        return undefined;
      }
    },
    set: (_, name, value) => {
      try {
        localStorage.setItem(PLACE + String(name), value);
      } catch {
        // Private windows: a choice then lives as long as its control.
      }
      return true;
    },
  },
);

let held = null;
let release = null;

/** Keep this tab's call, so that the page finds it after a reload. */
export function hold(call) {
  held = { ...held, ...call };
  // A tab that was duplicated has a copy of what this one keeps: the lock tells whose it is.
  if (!release && navigator.locks) {
    release = () => {};
    navigator.locks.request(PLACE + held.call, () => new Promise((resolve) => (release = resolve))).catch(() => {});
  }
  save();
}

function save() {
  try {
    if (held) sessionStorage.setItem(CALL, JSON.stringify({ ...held, left: Date.now() }));
    else sessionStorage.removeItem(CALL);
  } catch {
    // Then a reload ends the call.
  }
}

/** Forget it: the call is over. */
export function drop() {
  held = null;
  release?.();
  release = null;
  save();
}

/** Note the moment at which the page is left. */
export function remember() {
  addEventListener("pagehide", () => held && save());
}

/** The call that this tab was in when it was reloaded; null when there is none to go on with. */
export async function waiting() {
  let found = null;
  try {
    found = JSON.parse(sessionStorage.getItem(CALL) ?? "null");
  } catch {
    return null;
  }
  if (!found?.resume || Date.now() - found.left > PATIENCE || !navigator.locks) return null;
  // The page that was here before may still be letting go of it.
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const { held: locks } = await navigator.locks.query();
    if (!locks.some((each) => each.name === PLACE + found.call)) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  try {
    sessionStorage.removeItem(CALL); // another tab is in this call
  } catch {
    // It was read, so it can be removed.
  }
  return null;
}
