// The live stream of the gateway: reconnects by itself, and says when it is away.

const KINDS = ["metric", "contact", "pool", "flag", "status"];
const SILENCE = 15000; // ms without a status after which the connection counts as dead
const AGAIN = 2000; // ms until the next try, where the browser has given up

/** Feeds the store from the stream; calls back with "connecting", "live" or "away" when that changes. */
export function listen(url, store, onState) {
  let source = null;
  let state = null;
  let heard = 0;
  let retry = null;

  const become = (next) => {
    if (next !== state) onState((state = next));
  };

  function open() {
    retry = null;
    heard = performance.now();
    source = new EventSource(url);
    source.addEventListener("open", () => {
      store.reopened();
      become("live");
    });
    source.addEventListener("error", () => {
      become("away");
      // The browser retries on its own unless the answer was an error.
      if (source.readyState === EventSource.CLOSED) again();
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        heard = performance.now();
        try {
          store.put(kind, JSON.parse(event.data));
        } catch (error) {
          console.warn(`unreadable ${kind} event`, error.name);
        }
      });
    }
  }

  function again() {
    source?.close();
    if (retry === null) retry = setTimeout(open, AGAIN);
  }

  setInterval(() => {
    if (retry === null && performance.now() - heard > SILENCE) {
      become("away");
      again();
    }
  }, 1000);
  become("connecting");
  open();
}
