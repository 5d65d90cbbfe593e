// Requests to the server that this page came from, and its answers chunk by chunk.

const KEY = "api-key";

/** A refusal or failure; its message is the server's own sentence. */
export class ApiError extends Error {
  /**
   * @param {string} message one sentence for a person
   * @param {number} status HTTP status, 0 where there was no whole answer
   * @param {number} retryAfter seconds after which to try again, where the server says so
   */
  constructor(message, status, retryAfter = 0) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The API key, or null. Session storage ends with the tab and is sent nowhere by itself. */
export const getKey = () => sessionStorage.getItem(KEY);

/** Keep a key for this tab. */
export const setKey = (key) => sessionStorage.setItem(KEY, key);

/** Where the API begins, without a slash at the end, as OpenAI clients want it. */
export const apiBase = () => new URL("v1", document.baseURI).href;

/** The one model that is served: its id and max_model_len. */
export async function getModel() {
  const response = await send("models", {});
  return (await response.json()).data[0];
}

/**
 * Ask for a completion.
 *
 * @param {object} request the JSON body
 * @param {AbortSignal} signal its abort cancels the work on the server too
 * @yields {object} response objects: chunks of a stream, or the one answer
 */
export async function* complete(request, signal) {
  const response = await send("completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
  if (!response.headers.get("Content-Type").startsWith("text/event-stream")) {
    yield await response.json();
    return;
  }
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(chunk.error.message, 0);
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a TypeError is the browser's word for a lost connection
  }
  throw new ApiError("The answer broke off; is the server still running?", 0);
}

/**
 * The data of each event of a stream of server-sent events; comments are skipped.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @yields {string}
 */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        if (lines.length) yield lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // an aborted stream has nothing left to cancel
  }
}

async function send(route, options) {
  const key = getKey();
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  let response;
  try {
    response = await fetch(`${apiBase()}/${route}`, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached; is it still running?", 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  const body = await response.json().catch(() => null); // a proxy in between may answer in HTML
  const message = body?.error?.message ?? `The server answered with status ${response.status}.`;
  return new ApiError(message, response.status, Number(response.headers.get("Retry-After")) || 0);
}
