// Requests to the page's own server.

/** A request failed; `code` names the sentence to show, `detail` is what the server said. */
export class Failure extends Error {
  constructor(code, detail = "") {
    super(code);
    this.code = code;
    this.detail = detail;
  }
}

export const get = (path) => request(path, (response) => response.json());

export const getPicture = (path) => request(path, (response) => response.blob());

export function post(path, fields) {
  const headers = { "content-type": "application/json" };
  return request(path, (response) => response.json(), { method: "POST", headers, body: JSON.stringify(fields) });
}

/** Fetch and read a response; a connection may also be lost while its body arrives. */
async function request(path, read, options) {
  let response;
  try {
    response = await fetch(path, options);
    if (response.ok) return await read(response);
  } catch {
    throw new Failure("network");
  }
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
