// Answers of the gateway's read side.
import { t } from "./texts.js";

const PATIENCE = 8000; // ms

/** The JSON at that address; throws an Error whose message can be shown. */
export async function answerOf(address) {
  let response;
  try {
    response = await fetch(address, { headers: { accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new Error(t("notNow", { s: error.name }));
  }
  if (response.status === 404) throw new Error(t("notKnown"));
  if (!response.ok) throw new Error(t("notNow", { s: response.status }));
  return response.json();
}

/**
 * Sends a command as JSON, and gives the answer; throws an Error whose message can be shown, with the refusal's `reason` where there is one.
 *
 * Where no answer comes it asks once more, by the same name: whatever became of the first, the command takes effect once.
 */
export async function sendTo(address, body) {
  const command = JSON.stringify({ ...body, command_id: newName() });
  let response = await post(address, command).catch(() => null);
  if (!response || response.status >= 500) {
    try {
      response = await post(address, command);
    } catch (error) {
      throw new Error(t("noAnswer", { s: error.name }));
    }
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const reason = answer.error ?? String(response.status);
  if (response.status === 401 || response.status === 403) throw new Error(t("noRight", { r: reason }));
  if (response.status >= 500) throw new Error(t("noAnswer", { s: reason }));
  throw Object.assign(new Error(reason), { reason });
}

function post(address, command) {
  return fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: command, signal: AbortSignal.timeout(PATIENCE) });
}

// Not randomUUID, which a page that is not served over TLS does not have.
function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
