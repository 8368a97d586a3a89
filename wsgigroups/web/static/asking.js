// Questions to the server, with the session's key, which this tab alone has, and streams of its answers.

const KEY = "wsgigroups-key";
const AGAIN_MS = 2000;

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

class Refused extends Error {
  constructor(status, answer) {
    super(answer.hint ? `${answer.error} (${answer.hint})` : answer.error);
    this.status = status;
  }
}

export async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = { "X-Wsgigroups-Key": sessionStorage.getItem(KEY) ?? "" };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method, headers, signal, body: body ? JSON.stringify(body) : undefined, credentials: "same-origin", cache: "no-store",
  });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({ error: response.statusText }));
    throw new Refused(response.status, answer);
  }
  return response;
}

// Server-sent events over fetch, which EventSource could not give the key's header field.
export async function* listen(path, signal) {
  const response = await ask(path, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const fields = new Map(part.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
      if (fields.has("event")) yield { kind: fields.get("event"), data: JSON.parse(fields.get("data")) };
    }
  }
}

export const pause = (signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, AGAIN_MS);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
