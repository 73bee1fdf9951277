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
