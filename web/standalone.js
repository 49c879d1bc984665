"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");

  /* What the page was made from. */

  async function unpack() {
    const bytes = Uint8Array.from(atob(get("record").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard without a secure context, or the browser asked and was refused.
      const box = document.createElement("textarea");
      box.value = text;
      box.setAttribute("readonly", "");
      document.body.append(box);
      box.select();
      const copied = document.execCommand("copy");
      box.remove();
      if (!copied) throw new Error("refused");
    }
  }

  if ("DecompressionStream" in window) {
    get("copy").hidden = false;
    get("copy").addEventListener("click", async () => {
      try {
        const text = await unpack();
        await copy(text);
        get("copied").textContent = "Copied, " + text.length.toLocaleString("en") + " characters";
      } catch {
        get("copied").textContent = "The browser did not allow copying";
      }
      setTimeout(() => (get("copied").textContent = ""), 4000);
    });
  }

  /* On paper, everything shows. */

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => closed.forEach((each) => (each.open = false)));
})();
