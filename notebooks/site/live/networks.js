// The networks, and what stands on the page while one is fetched: how much is there, or what went wrong and a button.

import { announce, partsOf } from "./parts.js";
import { openEngine } from "./engine.js";

const RUNTIME = "runtime";
const NAMES = {
  runtime: "the network",
  few_steps: "the network",
  denoiser: "the network of many steps",
  enlarger: "the network that enlarges",
  plane: "the network of the plane",
};

/** Opens the engine and fetches networks. What fails is told, and begins anew when somebody presses Retry. */
export class Networks {
  #bytes = new Map(); // by name: [how many are there, of how many], of what somebody waits for
  #fault = ""; // the name of what could not be fetched

  constructor(section) {
    this.part = partsOf(section);
    this.engine = null;
  }

  /** The engine, once it is open. */
  async open() {
    if (typeof WebAssembly !== "object") {
      this.#tell("This browser has no WebAssembly, which the network needs. Open the page in a newer one.");
      return new Promise(() => {}); // nothing on this page can be drawn
    }
    const onProgress = (loaded, total) => this.#count(RUNTIME, loaded, total);
    this.engine ??= await this.#untilDone(RUNTIME, () => openEngine({ onProgress }));
    return this.engine;
  }

  /** The engine, once a network is ready. */
  async need(name) {
    const { engine } = this;
    if (engine.ready(name)) return engine;
    await this.#untilDone(name, () => engine.load(name, (loaded, total) => this.#count(name, loaded, total)));
    this.#bytes.clear();
    return engine;
  }

  /** Fetch a network before somebody needs it. A failure is told when somebody does. */
  async prepare(name) {
    await this.engine.load(name).catch(() => {});
  }

  /** Do something, with the bar on the page; where it fails, say so, and again when somebody presses Retry. */
  async #untilDone(name, act) {
    for (;;) {
      this.#count(name, 0, 0);
      try {
        const result = await act();
        if (name !== RUNTIME) this.part.loading.hidden = true; // after the runtime there is more to come
        return result;
      } catch (error) {
        this.#fault = name;
        this.#tell(error.message);
        this.part.retry.hidden = false;
        await new Promise((again) => this.part.retry.addEventListener("click", again, { once: true }));
        this.#fault = "";
        this.#bytes.clear();
      }
    }
  }

  /** So much of something is there: the bar shows all that is on its way. */
  #count(name, loaded, total) {
    this.#bytes.set(name, [loaded, total]);
    if (this.#fault) return;
    const [there, all] = [0, 1].map((i) => [...this.#bytes.values()].reduce((sum, bytes) => sum + bytes[i], 0));
    const { loading, loadingText, loadingBar, retry } = this.part;
    const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
    const sizes = all ? `: ${megabytes(there)} of ${megabytes(all)} MB` : " …";
    loadingText.textContent = `Loading ${NAMES[name]}${sizes}`;
    loading.classList.remove("fault");
    loading.hidden = loadingBar.hidden = false;
    retry.hidden = true;
    if (all) loadingBar.value = there / all;
    else loadingBar.removeAttribute("value");
  }

  #tell(sentence) {
    this.part.loading.hidden = false;
    this.part.loading.classList.add("fault");
    this.part.loadingText.textContent = sentence;
    this.part.loadingBar.hidden = true;
    announce(sentence);
  }
}
