"use strict";
(() => {
  const get = (id) => document.getElementById(id);

  /* Playback. */

  const audio = get("audio");
  if (!audio) return;
  const tracks = get("tracks");
  const span = Number(tracks.dataset.span);
  const head = tracks.querySelector(".playhead");
  const dialogue = document.querySelector(".dialogue");
  const lines = [...document.querySelectorAll(".dialogue > li[data-start]")].map((item) => ({
    item,
    start: Number(item.dataset.start),
    end: Math.max(Number(item.dataset.end || item.dataset.start), Number(item.dataset.start) + 0.3),
  }));

  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10);
    const whole = Math.floor(tenths / 10);
    const hours = Math.floor(whole / 3600);
    const pad = (n) => String(n).padStart(2, "0");
    const minutes = Math.floor(whole / 60) % 60;
    const left = pad(whole % 60) + "." + (tenths % 10);
    return hours ? hours + ":" + pad(minutes) + ":" + left : minutes + ":" + left;
  };
  const length = () => (Number.isFinite(audio.duration) ? audio.duration : span);

  function show() {
    const now = audio.currentTime;
    head.style.left = (100 * Math.min(now, span)) / span + "%";
    get("now").textContent = clock(now);
    tracks.setAttribute("aria-valuenow", now.toFixed(1));
    tracks.setAttribute("aria-valuetext", clock(now) + " of " + clock(length()));
    for (const { item, start, end } of lines) {
      const on = now >= start && now < end && (now > 0 || !audio.paused);
      if (item.classList.contains("on") === on) continue;
      item.classList.toggle("on", on);
      if (on) item.setAttribute("aria-current", "time");
      else item.removeAttribute("aria-current");
    }
  }

  function seek(seconds, play) {
    const range = audio.seekable;
    if (audio.readyState && (!range.length || range.end(range.length - 1) < length() - 1)) {
      // Some simple web servers give files only from their beginning.
      get("length").textContent = "This server cannot skip: open the page as a file";
    }
    audio.currentTime = Math.min(Math.max(seconds, 0), length());
    show();
    if (play) audio.play().catch(fail);
  }

  function fail() {
    get("length").textContent = "The recording cannot be played";
  }

  function follow() {
    show();
    if (!audio.paused) requestAnimationFrame(follow);
  }

  const toggle = () => (audio.paused ? audio.play().catch(fail) : audio.pause());

  audio.addEventListener("play", () => {
    document.body.classList.add("playing");
    get("play").setAttribute("aria-label", "Pause");
    follow();
  });
  audio.addEventListener("pause", () => {
    document.body.classList.remove("playing");
    get("play").setAttribute("aria-label", "Play");
    show();
  });
  audio.addEventListener("seeked", show);
  audio.addEventListener("error", fail);
  const loaded = () => (get("length").textContent = "of " + clock(length()));
  if (audio.readyState) loaded();
  else audio.addEventListener("loadedmetadata", loaded);
  if (audio.error) fail();

  get("controls").hidden = false;
  audio.removeAttribute("controls");
  get("play").addEventListener("click", toggle);
  get("speed").addEventListener("change", (event) => {
    audio.playbackRate = Number(event.target.value);
  });

  head.hidden = false;
  tracks.classList.add("live");
  tracks.tabIndex = 0;
  tracks.setAttribute("role", "slider");
  tracks.setAttribute("aria-label", "Position in the recording");
  tracks.setAttribute("aria-valuemin", "0");
  tracks.setAttribute("aria-valuemax", span.toFixed(1));
  const at = (event) => {
    const box = tracks.getBoundingClientRect();
    return (span * (event.clientX - box.left)) / box.width;
  };
  tracks.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    // A finger may be about to scroll: a touch seeks on its click, a mouse also by dragging.
    if (event.pointerType === "mouse") tracks.setPointerCapture(event.pointerId);
  });
  tracks.addEventListener("pointermove", (event) => {
    if (tracks.hasPointerCapture(event.pointerId)) seek(at(event), false);
  });
  tracks.addEventListener("click", (event) => seek(at(event), false));
  tracks.addEventListener("keydown", (event) => {
    const now = audio.currentTime;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) seek(now + steps[event.key], false);
    else if (event.key === "Home") seek(0, false);
    else if (event.key === "End") seek(length(), false);
    else if (event.key === " " || event.key === "Enter") toggle();
    else return;
    event.preventDefault();
  });

  dialogue?.classList.add("live");
  dialogue?.addEventListener("click", (event) => {
    const item = event.target.closest("li[data-start]");
    const time = event.target.closest("a.at");
    if (!item || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!time && event.target.closest("a, summary, pre, button")) return;
    if (!time && String(getSelection())) return;
    event.preventDefault();
    seek(Number(item.dataset.start), true);
  });

  show();
})();
