// The service's clock, which may run faster than the wall's (a day played in minutes).
import { millis } from "./format.js";

const PATIENCE = 3000; // real ms for which the clock runs on without being told

export class Clock {
  #said = NaN; // ms of the service's clock when it last spoke
  #heard = 0; // ms of the browser's clock at that moment
  #rate = 1;

  /** Takes what a status event says. */
  hear(iso, real = performance.now()) {
    const said = millis(iso);
    if (!Number.isFinite(said)) return;
    const gone = real - this.#heard;
    if (Number.isFinite(this.#said) && gone > 200) {
      const seen = (said - this.#said) / gone;
      // A leap (another day, a restart) is no rate.
      if (seen >= 0 && seen < 10000) this.#rate = gone < 10000 ? seen : 1;
    }
    this.#said = said;
    this.#heard = real;
  }

  /** Now, in ms, by the service's clock; NaN before it has spoken. It stands still when nothing is heard. */
  now(real = performance.now()) {
    return this.#said + Math.min(real - this.#heard, PATIENCE) * this.#rate;
  }
}
