// Requests to the page's own server.

/** A request failed; `code` names the sentence to show, `detail` is what the server said. */
export class Failure extends Error {
  constructor(code, detail = "") {
    super(code);
    this.code = code;
    this.detail = detail;
  }
}

export const get = async (path) => (await request(path)).json();

export const getPicture = async (path) => (await request(path)).blob();

export async function post(path, fields) {
  const headers = { "content-type": "application/json" };
  return (await request(path, { method: "POST", headers, body: JSON.stringify(fields) })).json();
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Failure("network");
  }
  if (response.ok) return response;
  let failure = {};
  try {
    failure = await response.json();
  } catch {
    // Not one of the server's own errors.
  }
  throw new Failure(failure.code ?? "request", failure.detail);
}

/** The bytes of a picture in base64. */
export async function base64(blob) {
  if (!blob.size) throw new Failure("avatar");
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Failure("avatar"));
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}
