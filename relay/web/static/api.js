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
  const body = await response.json().catch(() => (response.ok ? null : {}));
  if (!response.ok) throw new Problem(response.status, body.error ?? response.statusText);
  if (body === null) throw new Problem(0, "The relay's answer broke off");
  return body;
}

// What came with the document answers the first question; what is asked again is asked.
const first = JSON.parse(document.getElementById("first")?.textContent || "{}");

export async function get(path, options = {}) {
  const known = first[path];
  delete first[path];
  return known ?? answer(path, options);
}
export const remove = (path) => answer(path, { method: "DELETE" });
export const post = (path, body) => answer(path, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
