// Errors of a call, each with a code that the page has words for: what happened, what to do.

/** A call cannot begin, or cannot go on. */
export class CallError extends Error {
  /**
   * @param {string} code one of `errors.*` in the words
   * @param {{detail?: string, reason?: string, retryAfter?: number}} more what the server said; the
   *   same as a key of `why.*` in the words; seconds to wait
   */
  constructor(code, { detail = "", reason = "", retryAfter = 0 } = {}) {
    super(detail || code);
    this.name = "CallError";
    this.code = code;
    this.detail = detail;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

const BY_STATUS = {
  400: "refused",
  401: "token",
  403: "forbidden",
  404: "unknown",
  409: "used",
  410: "over",
  413: "refused",
  415: "refused",
  429: "limit",
  503: "busy",
};

// Where a status says less than the server's own code.
const BY_CODE = { taken: "refused", not_over: "refused" };

/** Errors after which trying again by itself is of no use. */
export const FINAL = new Set(["token", "forbidden", "unknown", "used", "over", "refused"]);

/** What a response that is not "ok" means. */
export async function fromResponse(response) {
  let detail = "";
  let said = "";
  try {
    const body = await response.json();
    said = String(body?.error?.code ?? "");
    detail = typeof body?.error?.message === "string" ? body.error.message.slice(0, 400) : "";
  } catch {
    // A proxy's error page says nothing to a caller.
  }
  const wait = Number(response.headers.get("Retry-After"));
  const code = BY_CODE[said] ?? BY_STATUS[response.status] ?? "server";
  return new CallError(code, { detail, reason: said && `refused.${said}`, retryAfter: Number.isFinite(wait) ? Math.max(0, wait) : 0 });
}

/** Ask the server: JSON in, JSON out; every failure is a `CallError`. */
export async function ask(url, { token, body, method, timeout = 10_000, keepalive = false } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
      credentials: "omit",
      keepalive,
    });
  } catch (error) {
    throw new CallError(error?.name === "TimeoutError" ? "slow" : "unreachable");
  }
  if (!response.ok) throw await fromResponse(response);
  try {
    return await response.json();
  } catch {
    throw new CallError("server");
  }
}
