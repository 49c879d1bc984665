// The scope: both voices over time, the caller's above and the agent's below. It draws the last
// seconds of a live call, and all of one that is over.

const STEP = 0.05; // s for one column
const LIVE = 12; // s that a live call shows

/** The loudest sample since the last look at an analyser, 0–1. */
export class Ear {
  #analyser;
  #samples;

  constructor(context, source) {
    this.#analyser = context.createAnalyser();
    this.#analyser.fftSize = 2048;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#source = source;
    source.connect(this.#analyser);
  }

  #source;

  peak() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let high = 0;
    for (const sample of this.#samples) high = Math.max(high, Math.abs(sample));
    return high;
  }

  close() {
    this.#source.disconnect(this.#analyser);
  }
}

/** A level for the eye: 0–1 over 60 dB, so that a quiet voice shows. */
export const loudness = (peak) => (peak > 0.001 ? Math.max(0, 1 + (20 * Math.log10(peak)) / 60) : 0);

export class Scope {
  #canvas;
  #columns = []; // [caller, agent] 0–1
  #start = 0; // of the first column, on the page's clock (s)
  #ears = { caller: null, agent: null };
  #marks = () => [];
  #window = null; // [from, to] on the page's clock once the call is over
  #timer = 0;
  #colours = {};
  #drawn = -1;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#start = performance.now() / 1000;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.recolour();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Look the colours up again: the theme changed. */
  recolour() {
    const style = getComputedStyle(this.#canvas);
    for (const name of ["--caller", "--agent", "--rule", "--soft", "--cut", "--cut-tint", "--caller-tint", "--agent-tint", "--ink"]) {
      this.#colours[name.slice(2)] = resolve(this.#canvas, style, name);
    }
    this.draw();
  }

  /** Hear a side from now on; null: nothing. */
  listen(side, ear) {
    this.#ears[side]?.close();
    this.#ears[side] = ear;
    if (!this.#timer && !this.#window) this.#run();
  }

  /** What to mark: a function that returns [{kind, side, start, end, text}] on the page's clock. */
  annotate(marks) {
    this.#marks = marks;
  }

  /** Begin anew, live. */
  clear(now) {
    this.#columns = [];
    this.#start = now;
    this.#window = null;
    if (!this.#timer) this.#run();
  }

  /** Show a finished call whole, from one moment to another (page's clock, s). */
  finish(from, to) {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#window = [from, Math.max(to, from + 1)];
    this.draw();
  }

  #run() {
    this.#timer = setInterval(() => this.#tick(), STEP * 1000);
  }

  #tick() {
    const now = performance.now() / 1000;
    const level = (side) => loudness(this.#ears[side]?.peak() ?? 0);
    const column = [level("caller"), level("agent")];
    this.onlevel?.(...column);
    const due = Math.floor((now - this.#start) / STEP);
    // A page that was busy fills the gap, so that time stays true.
    while (this.#columns.length <= due && this.#columns.length < 360_000) this.#columns.push(column);
    if (document.hidden) return;
    if (this.calm.matches && now - this.#drawn < 1) return;
    this.#drawn = now;
    this.draw(now);
  }

  draw(now = performance.now() / 1000) {
    const canvas = this.#canvas;
    const scale = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const [from, to] = this.#window ?? [now - LIVE, now];
    const x = (time) => ((time - from) / (to - from)) * width;
    const middle = Math.round(height / 2);
    this.#ground(context, { x, width, middle, height });
    context.fillStyle = this.#colours.rule;
    context.fillRect(0, middle - 0.5, width, 1);
    this.#waves(context, { from, to, x, width, middle });
    this.#notes(context, { x, width, middle, height });
  }

  #waves(context, { from, to, x, width, middle }) {
    const gap = 3; // px from bar to bar
    const each = Math.max(STEP, ((to - from) / width) * gap); // s for one bar
    const room = middle - 10;
    // Bars stand on whole multiples of their length, so that they glide instead of flickering.
    for (let at = Math.floor(from / each) * each; at < to; at += each) {
      const first = Math.max(0, Math.floor((at - this.#start) / STEP));
      const last = Math.min(this.#columns.length, Math.max(first + 1, Math.ceil((at + each - this.#start) / STEP)));
      let [caller, agent] = [0, 0];
      for (let column = first; column < last; column += 1) {
        caller = Math.max(caller, this.#columns[column][0]);
        agent = Math.max(agent, this.#columns[column][1]);
      }
      const left = x(at);
      const thick = Math.max(1.5, (each / (to - from)) * width - 1.5);
      bar(context, left, middle - 3, thick, -Math.max(1, caller ** 1.6 * room), this.#colours.caller, caller);
      bar(context, left, middle + 3, thick, Math.max(1, agent ** 1.6 * room), this.#colours.agent, agent);
    }
  }

  #ground(context, { x, width, middle, height }) {
    for (const mark of this.#marks()) {
      const left = Math.max(0, x(mark.start));
      const right = Math.min(width, x(mark.end ?? performance.now() / 1000));
      if (right <= 0 || left >= width || right <= left) continue;
      if (mark.kind === "said") {
        context.fillStyle = this.#colours[`${mark.side}-tint`];
        context.fillRect(left, mark.side === "caller" ? 0 : middle, right - left, mark.side === "caller" ? middle : height - middle);
      } else if (mark.kind === "cut") {
        context.fillStyle = this.#colours["cut-tint"];
        context.fillRect(left, 0, Math.max(2, right - left), height);
        context.fillStyle = this.#colours.cut;
        context.fillRect(right - 2, 0, 2, height);
      }
    }
  }

  // How long the caller waited, in the gap where they waited.
  #notes(context, { x, width, middle }) {
    context.font = "600 11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (const mark of this.#marks()) {
      if (mark.kind !== "wait") continue;
      const [left, right] = [x(mark.start), x(mark.end)];
      if (right <= 0 || left >= width) continue;
      context.fillStyle = this.#colours.soft;
      for (let dot = left; dot < right; dot += 5) context.fillRect(dot, middle - 1.5, 3, 3);
      const wide = context.measureText(mark.text).width;
      if (this.#window && right - left < wide * 0.6) continue; // no room in a long call
      context.fillText(mark.text, Math.max(2, (left + right - wide) / 2), middle - 14);
    }
  }
}

function bar(context, left, base, thick, tall, colour, level) {
  context.fillStyle = colour;
  context.globalAlpha = level > 0.02 ? 1 : 0.35;
  context.beginPath();
  context.roundRect(left, Math.min(base, base + tall), thick, Math.abs(tall), Math.min(thick / 2, Math.abs(tall) / 2));
  context.fill();
  context.globalAlpha = 1;
}

// `light-dark()` in a custom property is resolved only where a property uses it.
function resolve(canvas, style, name) {
  const value = style.getPropertyValue(name).trim();
  const before = canvas.style.color;
  canvas.style.color = value;
  const found = getComputedStyle(canvas).color;
  canvas.style.color = before;
  return found;
}
