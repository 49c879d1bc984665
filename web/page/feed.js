// A feed: a websocket that only tells. It comes back by itself until it is closed or told to stop.

const FIRST = 500; // ms until the first attempt to come back
const LAST = 8_000; // ms between attempts at most

/**
 * @typedef {object} Takes
 * @property {(event: object) => void} told takes an event
 * @property {(sound: ArrayBuffer) => void} [heard] takes sound
 * @property {(open: boolean) => void} [state] is told whether it stands
 * @property {() => (boolean|Promise<boolean>)} [again] whether to come back after its end
 */

export class Feed {
  #url;
  #token;
  #takes;
  #socket = null;
  #wait = FIRST;
  #timer = 0;
  #closed = false;
  #said = null;

  /** @param {URL} url @param {string} token what lets us in @param {Takes} takes */
  constructor(url, token, takes) {
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#token = token;
    this.#takes = takes;
    this.#open();
  }

  /** Ask for something; asked again when the feed comes back. */
  say(message) {
    this.#said = JSON.stringify(message);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(this.#said);
  }

  /** End it; does nothing the second time. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #open() {
    // A browser gives a websocket no headers: the token is offered as a subprotocol, where no
    // server's log has it.
    const protocols = ["vivavoce.operator", ...(this.#token ? [`vivavoce.token.${this.#token}`] : [])];
    const socket = new WebSocket(this.#url, protocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#wait = FIRST;
      if (this.#said) socket.send(this.#said);
      this.#takes.state?.(true);
    });
    socket.addEventListener("message", ({ data }) => {
      if (this.#closed) return;
      if (data instanceof ArrayBuffer) return this.#takes.heard?.(data);
      let message = null;
      try {
        message = JSON.parse(data);
      } catch {
        return; // not ours
      }
      if (message?.type === "server-message") this.#takes.told(message.data);
    });
    socket.addEventListener("close", () => this.#ended());
  }

  async #ended() {
    if (this.#closed) return;
    this.#takes.state?.(false);
    const again = this.#takes.again ? await this.#takes.again() : true;
    if (!again || this.#closed) return;
    this.#timer = setTimeout(() => this.#open(), this.#wait);
    this.#wait = Math.min(LAST, this.#wait * 2);
  }
}
