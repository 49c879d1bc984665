// The link: one call's connection to the server, as docs/web.md describes it. It survives a change
// of network and a lost connection for as long as the server waits, and says so.

import { CallError, FINAL, ask } from "./errors.js";

const PATIENCE = 20_000; // ms that the server keeps a call without a connection
const CONNECT = 15_000; // ms for a connection to stand
const RESTART = 4_000; // ms for a connection to move to another network
const SILENCE = 4_000; // ms without a sign of life after which the connection is given up
const BEAT = 1_000; // ms between signs of life
const ANSWER = 5_000; // ms for the answer to a message

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Events: `state` ("connecting", "connected", "reconnecting", "closed"; a `CallError` as
 * `detail.error` where it closed of itself), `message` (from the server), `sent`, `stream` (what
 * the agent says).
 */
export class Link extends EventTarget {
  #base;
  #token;
  #pc = null;
  #channel = null;
  #id = ""; // of the connection
  #call = null; // {call, agent, resume}
  #wanted = {};
  #ice = []; // STUN and TURN servers
  #track = null;
  #state = "idle";
  #beat = 0;
  #heard = 0; // when the last sign of life came (ms)
  #ticked = 0;
  #recovering = false;
  #ending = false;
  #numbers = 0;
  #waiting = new Map(); // answers that are waited for, by id
  #moved = () => this.#recover("moved");

  /** @param {{base: URL, token?: string}} where the server's root, and what lets us in */
  constructor({ base, token = "" }) {
    super();
    this.#base = base;
    this.#token = token;
  }

  get state() {
    return this.#state;
  }

  /** `{call, agent, resume, ice}` once the server took the call. */
  get call() {
    return this.#call;
  }

  /** The connection, for its statistics. */
  get peer() {
    return this.#pc;
  }

  /**
   * Begin a call, or go on with one (`resume`).
   * @param {{resume?: string, ice?: object[]}} wanted with what else is asked for: agent, language, …
   * @param {MediaStreamTrack} track what the caller says
   */
  async start(wanted, track) {
    this.#wanted = wanted;
    this.#ice = wanted.ice ?? [];
    this.#track = track;
    this.#become("connecting");
    addEventListener("online", this.#moved);
    navigator.connection?.addEventListener?.("change", this.#moved);
    try {
      await (wanted.resume ? this.#comeBack() : this.#open());
    } catch (error) {
      this.#shut();
      this.#become("closed");
      throw error instanceof CallError ? error : new CallError("media", { detail: String(error) });
    }
  }

  /** Send one message; false while there is no connection. */
  send(type, data, id = `p${++this.#numbers}`) {
    if (this.#channel?.readyState !== "open") return false;
    const message = { label: "rtvi-ai", type, id, ...(data === undefined ? {} : { data }) };
    this.#channel.send(JSON.stringify(message));
    this.dispatchEvent(new CustomEvent("sent", { detail: message }));
    return true;
  }

  /** Ask something of the call (a `client-message`); throws what the server says against it. */
  async tell(t, d) {
    const id = `p${++this.#numbers}`;
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new CallError("slow")), ANSWER);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    if (!this.send("client-message", d === undefined ? { t } : { t, d }, id)) {
      this.#answer(id, (each) => each.reject(new CallError("lost")));
    }
    return answer;
  }

  /** Say something else from now on: another microphone. */
  async replaceTrack(track) {
    this.#track = track;
    const sender = this.#pc?.getSenders().find((each) => each.track?.kind === "audio" || !each.track);
    await sender?.replaceTrack(track);
  }

  /** Hang up. The server's last word still comes where it is quick. */
  async end() {
    if (this.#state === "closed" || this.#ending) return;
    this.#ending = true;
    const told = this.send("disconnect-bot");
    if (told) {
      const until = performance.now() + 1500;
      while (this.#state !== "closed" && performance.now() < until) await sleep(25);
    }
    if (this.#state !== "closed" && this.#call) {
      const url = new URL(`api/calls/${encodeURIComponent(this.#call.call)}/end`, this.#base);
      await ask(url, { token: this.#token, body: { token: this.#call.resume }, timeout: 3000, keepalive: true }).catch(
        () => {}, // it ends by itself when nobody comes back
      );
    }
    this.close();
  }

  /** Drop the connection; does nothing the second time. */
  close(error) {
    if (this.#state === "closed") return;
    this.#shut();
    this.#become("closed", error);
  }

  // A page that was loaded anew while its server is started again, or another one takes the call over.
  async #comeBack() {
    const until = performance.now() + PATIENCE;
    for (;;) {
      try {
        return await this.#open();
      } catch (error) {
        const given = error instanceof CallError ? error : new CallError("media", { detail: String(error) });
        if (this.#state === "closed" || FINAL.has(given.code) || performance.now() > until) throw given;
        await sleep(Math.max(1000, Math.min(5000, given.retryAfter * 1000)));
      }
    }
  }

  // The connection.

  async #open() {
    this.#drop();
    const iceServers = await this.#servers();
    if (this.#state === "closed") throw new CallError("lost"); // while we asked
    const pc = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    this.#pc = pc;
    this.#id = "";
    const candidates = this.#trickle(pc);
    pc.addTransceiver(this.#track ?? "audio", { direction: "sendrecv" });
    const channel = pc.createDataChannel("rtvi", { ordered: true });
    this.#channel = channel;
    channel.addEventListener("message", ({ data }) => this.#receive(channel, data));
    pc.addEventListener("track", ({ track, streams }) => {
      const stream = streams[0] ?? new MediaStream([track]);
      if (pc === this.#pc) this.dispatchEvent(new CustomEvent("stream", { detail: stream }));
    });
    const opened = new Promise((resolve, reject) => {
      channel.addEventListener("open", resolve, { once: true });
      pc.addEventListener("connectionstatechange", () => {
        if (pc.connectionState === "failed" || pc.connectionState === "closed") reject(new CallError("media"));
      });
    });
    opened.catch(() => {}); // the offer may fail first
    await this.#offer(pc, {});
    candidates.begin(this.#id);
    await Promise.race([
      opened,
      sleep(CONNECT).then(() => {
        throw new CallError("media");
      }),
    ]);
    if (pc !== this.#pc) throw new CallError("lost");
    this.send("client-ready", { version: "1.2.0", about: { library: "vivavoce-page" } });
    this.#watch(pc);
    this.#become("connected");
  }

  // STUN and TURN. A call that goes on has outlived its token: what it is resumed with opens, too.
  async #servers() {
    try {
      const token = this.#call?.resume ?? this.#wanted.resume ?? this.#token;
      const { iceServers } = await ask(new URL("api/ice", this.#base), { token });
      this.#ice = iceServers ?? [];
    } catch (error) {
      const goesOn = this.#call !== null || Boolean(this.#wanted.resume);
      // A server without TURN need not know of it.
      if (error.code !== "unknown" && !(goesOn && ["token", "used", "forbidden"].includes(error.code))) throw error;
    }
    return this.#ice;
  }

  async #offer(pc, { restart = false }) {
    await pc.setLocalDescription(await pc.createOffer({ iceRestart: restart }));
    const { sdp, type } = pc.localDescription;
    const resume = this.#call?.resume ?? this.#wanted.resume;
    const { resume: _, ice: __, ...asked } = this.#wanted;
    const body = { sdp, type };
    if (restart) body.pc_id = this.#id;
    else body.request_data = resume ? { resume } : asked;
    const answer = await ask(new URL("api/offer", this.#base), {
      token: this.#token,
      body,
      timeout: restart ? RESTART : 10_000,
    });
    if (pc !== this.#pc) throw new CallError("lost");
    this.#id = answer.pc_id;
    this.#call = { call: answer.call, agent: answer.agent, resume: answer.resume ?? resume, ice: this.#ice };
    await pc.setRemoteDescription({ sdp: answer.sdp, type: answer.type });
  }

  // Candidates found before the server knows the connection wait; then they go in handfuls.
  #trickle(pc) {
    let id = "";
    let found = [];
    let timer = 0;
    const flush = () => {
      timer = 0;
      const candidates = found.splice(0);
      if (!candidates.length || pc !== this.#pc) return;
      ask(new URL("api/offer", this.#base), {
        token: this.#token,
        method: "PATCH",
        body: { pc_id: id, candidates },
      }).catch(() => {}); // others may do; if none does, the connection says so
    };
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (!candidate) return;
      found.push({
        candidate: candidate.candidate,
        sdp_mid: candidate.sdpMid,
        sdp_mline_index: candidate.sdpMLineIndex,
      });
      if (id && !timer) timer = setTimeout(flush, 30);
    });
    return {
      begin: (given) => {
        id = given;
        flush();
      },
    };
  }

  // Whether it lives.

  #watch(pc) {
    this.#heard = this.#ticked = performance.now();
    clearInterval(this.#beat);
    this.#beat = setInterval(() => {
      const now = performance.now();
      // A page that slept has no right to complain about silence.
      if (now - this.#ticked > 3 * BEAT) this.#heard = now;
      this.#ticked = now;
      if (now - this.#heard > SILENCE) this.#recover("silent");
      else if (this.#channel?.readyState === "open") this.#channel.send(`ping ${Math.round(now)}`);
    }, BEAT);
    const lost = () => {
      if (pc !== this.#pc) return;
      if (pc.connectionState === "failed") this.#recover("failed");
      if (this.#channel?.readyState === "closed") this.#recover("closed");
    };
    pc.addEventListener("connectionstatechange", lost);
    this.#channel.addEventListener("close", lost);
  }

  async #recover(why) {
    if (this.#recovering || this.#ending || this.#state !== "connected") return;
    this.#recovering = true;
    const until = performance.now() + PATIENCE;
    let last = new CallError("lost");
    try {
      if (why === "moved" && (await this.#restart())) return;
      clearInterval(this.#beat);
      this.#become("reconnecting");
      while (this.#state === "reconnecting" && performance.now() < until) {
        try {
          await this.#open();
          return;
        } catch (error) {
          last = error instanceof CallError ? error : new CallError("media", { detail: String(error) });
          if (FINAL.has(last.code)) break;
        }
        await sleep(Math.max(1000, Math.min(5000, last.retryAfter * 1000)));
      }
      if (this.#state === "reconnecting") {
        const ended = last.code === "unknown" || last.code === "over";
        const code = ended ? "ended" : FINAL.has(last.code) ? last.code : "lost";
        this.close(new CallError(code, { detail: last.detail, reason: last.reason }));
      }
    } finally {
      this.#recovering = false;
    }
  }

  // The same connection over another network; false where it must be made anew.
  async #restart() {
    const pc = this.#pc;
    try {
      await this.#offer(pc, { restart: true });
      const before = this.#heard;
      const until = performance.now() + RESTART;
      while (performance.now() < until) {
        await sleep(100);
        if (pc !== this.#pc || this.#state !== "connected") return true;
        if (this.#heard > before) return true;
      }
    } catch {
      // It is made anew.
    }
    return false;
  }

  // Messages.

  #receive(channel, data) {
    if (channel !== this.#channel || typeof data !== "string") return;
    this.#heard = performance.now();
    if (data.startsWith("pong")) return;
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message?.label !== "rtvi-ai") return;
    if (message.type === "server-response") this.#answer(message.id, (each) => each.resolve(message.data?.d));
    if (message.type === "error-response") {
      const detail = String(message.data?.error ?? "");
      const reason = message.data?.code ? `refused.${message.data.code}` : "";
      this.#answer(message.id, (each) => each.reject(new CallError("refused", { detail, reason })));
    }
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    if (message.type === "server-message" && message.data?.event === "call_ended") this.close();
  }

  #answer(id, how) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    how(waiting);
  }

  #become(state, error = null) {
    if (this.#state === state) return;
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, error } }));
  }

  #drop() {
    this.#channel?.close();
    this.#pc?.close();
    this.#channel = this.#pc = null;
  }

  #shut() {
    clearInterval(this.#beat);
    removeEventListener("online", this.#moved);
    navigator.connection?.removeEventListener?.("change", this.#moved);
    for (const id of [...this.#waiting.keys()]) this.#answer(id, (each) => each.reject(new CallError("lost")));
    this.#drop();
  }
}
