// The API, which is the same that scripts and tests use.

export class Problem extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" }, ...options });
  } catch {
    throw new Problem(0, "The relay does not answer");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, body.error ?? response.statusText);
  return body;
}

export const get = (path) => answer(path);
export const remove = (path) => answer(path, { method: "DELETE" });
export const post = (path, body) => answer(path, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
