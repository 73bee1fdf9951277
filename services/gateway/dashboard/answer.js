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

/** Sends that as JSON, and gives the answer; throws an Error whose message can be shown, with the refusal's `reason` where there is one. */
export async function sendTo(address, body) {
  let response;
  try {
    response = await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new Error(t("noAnswer", { s: error.name }));
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const reason = answer.error ?? String(response.status);
  if (response.status === 401 || response.status === 403) throw new Error(t("noRight", { r: reason }));
  if (response.status >= 500) throw new Error(t("noAnswer", { s: reason }));
  throw Object.assign(new Error(reason), { reason });
}
