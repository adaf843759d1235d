// The networks, for the page: it asks a worker for guesses, and walks from noise to pictures as sample.py does.

import { addNoise, denoiseStep, guide, noiseLevels } from "./noise.js";
import { Generator } from "./random.js";

/**
 * Open the engine: resolves once course.json is read. What runs the networks is fetched meanwhile; the first `load`
 * waits for it.
 *
 * base, vendor: the folders of the networks and of onnxruntime-web, as seen from the page; onProgress(loaded, total):
 * told how many bytes of what runs the networks are there. Rejects with an Error whose message says what to do.
 */
export async function openEngine({ base = "data/", vendor = "vendor/", onProgress = () => {} } = {}) {
  const folder = new URL(base, document.baseURI);
  const worker = new NetworkWorker(new URL(vendor, document.baseURI).href, onProgress);
  worker.start().catch(() => {}); // the first `load` tells it
  try {
    return new Engine(await fetchCourse(new URL("course.json", folder)), folder, worker);
  } catch (error) {
    worker.stop(error);
    throw error;
  }
}

async function fetchCourse(url) {
  const response = await fetch(url).catch(() => {
    throw new Error("course.json could not be fetched. Check the connection, then try again.");
  });
  if (!response.ok) throw new Error(`The server has no course.json to give (it answers ${response.status}).`);
  return response.json().catch(() => {
    throw new Error("course.json did not arrive whole. Check the connection, then try again.");
  });
}

/** Networks that are asked for guesses and for pictures. `course` is the parsed course.json. */
export class Engine {
  #folder;
  #worker;
  #loads = new Map(); // by name, promises
  #ready = new Set();

  constructor(course, folder, worker) {
    this.course = course;
    this.#folder = folder;
    this.#worker = worker;
    worker.onStop = () => {
      this.#loads.clear();
      this.#ready.clear();
    };
  }

  /** Is this network open? */
  ready(name) {
    return this.#ready.has(name);
  }

  /**
   * Fetch and open a network, "few_steps", "denoiser", "enlarger" or "plane"; onProgress(loaded, total), in bytes.
   * Rejects with an Error whose message says what to do; it can then be called again.
   */
  load(name, onProgress = () => {}) {
    if (!this.#loads.has(name)) {
      const loading = this.#open(name, onProgress);
      this.#loads.set(name, loading);
      loading.catch(() => this.#loads.get(name) === loading && this.#loads.delete(name));
    }
    return this.#loads.get(name);
  }

  async #open(name, onProgress) {
    const { file } = this.#about(name);
    const url = new URL(file.name, this.#folder).href;
    const opening = { name, url, bytes: file.bytes, sha256: file.sha256 };
    await Promise.all([this.#worker.start(), this.#worker.ask("open", opening, onProgress)]);
    this.#ready.add(name);
  }

  /**
   * From noise to a picture: frames {t, x_t, x0_hat}, steps + 1 of them, as `sample` in Python yields them, each picture
   * a Float32Array of 3 * 32 * 32. With a picture x0 and a level `start`, from 0.01 to 1, as `edit` yields them.
   *
   * tokens: a caption, as the reader encodes it; seed: a whole number; steps, guidance_scale: as the network was made
   * for, unless one says otherwise; signal: an AbortSignal, heard between steps. A network that is not there is loaded.
   * guidance_interval: the noise levels that guidance is used at; a scale given without one holds at all of them.
   */
  async *generate({
    network = "few_steps",
    tokens,
    seed,
    steps,
    guidance_scale,
    guidance_interval,
    start,
    x0,
    signal,
  }) {
    signal?.throwIfAborted();
    const usual = this.#about(network).config;
    const many = steps ?? usual.steps;
    const scale = guidance_scale ?? usual.guidance_scale;
    let levels = noiseLevels(many);
    let [low, high] = guidance_interval ?? (guidance_scale === undefined ? usual.guidance_interval : [0, 1]);
    let x_t = new Generator(seed).normal(3 * usual.size ** 2);
    if (start !== undefined) {
      checkEdit(start, x0);
      levels = noiseLevels(Math.max(1, roundToEven(many * start)), start);
      [low, high] = [0, 1];
      x_t = addNoise(x0, start, x_t);
    }
    const guess = (x_t, t) =>
      this.denoise({ network, x_t, t, tokens, guidance_scale: low < t && t <= high ? scale : 1 });
    let asked = guess(x_t, levels[0]);
    for (const [t, s] of pairs(levels)) {
      const x0_hat = await asked;
      signal?.throwIfAborted();
      const x_s = denoiseStep(x_t, x0_hat, t, s);
      if (s > 0) {
        asked = guess(x_s, s); // the network goes on while the page shows this frame
        asked.catch(() => {});
      }
      yield { t, x_t, x0_hat };
      x_t = x_s;
    }
    yield { t: 0, x_t, x0_hat: x_t };
  }

  /**
   * One guess of the clean picture, x0_hat, of a noisy one at the level t, leaning towards the caption: `guided` in
   * Python. Arguments as those of `generate`.
   */
  async denoise({ network = "few_steps", x_t, t, tokens, guidance_scale }) {
    const { vocabulary, max_words, guidance_scale: usual } = this.#about(network).config;
    const scale = guidance_scale ?? usual;
    if (!(Math.abs(scale) <= 1000)) throw new RangeError(`guidance_scale is a number up to 1000, not ${scale}.`);
    if (tokens?.length !== max_words || !tokens.every((word) => word >= 0 && word < vocabulary.length)) {
      throw new RangeError(`tokens are ${max_words} of this network's words, as the reader encodes a caption.`);
    }
    const count = scale === 1 ? 1 : 2; // the second is without a caption
    const captions = new BigInt64Array(count * max_words);
    captions.set(Array.from(tokens, BigInt));
    const noisy = new Float32Array(count * x_t.length);
    for (let i = 0; i < count; i++) noisy.set(x_t, i * x_t.length);
    const given = { x_t: noisy, t: new Float32Array(count).fill(t), tokens: captions };
    const x0_hat = await this.#guess(network, count, given);
    if (count === 1) return x0_hat;
    return guide(x0_hat.subarray(0, x_t.length), x0_hat.subarray(x_t.length), scale);
  }

  /**
   * A picture of 32 pixels, clipped to [-1, 1], enlarged to 128: each step's guess, a Float32Array of 3 * 128 * 128 in
   * [-1, 1], the last of which is the result. The seed is the picture's own; it makes other noise here.
   */
  async *enlarge({ small, seed, steps, signal }) {
    const { config, inputs } = this.#about("enlarger");
    const clean = small.map(clip);
    let x_t = new Generator(seed + this.course.seeds.enlarging).normal(size(inputs.x_t.shape));
    for (const [t, s] of pairs(noiseLevels(steps ?? config.steps))) {
      const x0_hat = await this.#guess("enlarger", 1, { x_t, t: Float32Array.of(t), small: clean });
      signal?.throwIfAborted();
      yield x0_hat.map(clip);
      x_t = denoiseStep(x_t, x0_hat, t, s);
    }
  }

  /** The guesses of points on the plane, x_t: (B, 2), at one level t: (B, 2). */
  plane({ x_t, t }) {
    const count = x_t.length / 2;
    return this.#guess("plane", count, { x_t, t: new Float32Array(count).fill(t) });
  }

  /** What a network, which is loaded if it is not there, answers to a batch of so many. */
  async #guess(name, count, values) {
    const feeds = {};
    for (const [input, { shape }] of Object.entries(this.#about(name).inputs)) {
      const whole = [count, ...shape];
      if (values[input].length !== size(whole)) {
        throw new RangeError(`${input} must have ${size(whole)} numbers, not ${values[input].length}.`);
      }
      feeds[input] = [values[input], whole];
    }
    await this.load(name);
    return this.#worker.ask("run", { name, feeds });
  }

  /** What course.json says of a network. */
  #about(name) {
    const about = this.course.networks[name];
    if (!about) throw new RangeError(`There is no network ${name}, only ${Object.keys(this.course.networks)}.`);
    return about;
  }
}

/** The worker that runs the networks, as a function that answers; one that stopped is replaced when it is started. */
class NetworkWorker {
  #vendor;
  #onProgress;
  #worker = null;
  #started = null;
  #asked = new Map(); // by id
  #ids = 0;

  /** onStop: called when the worker, and with it every network that it had opened, is gone. */
  constructor(vendor, onProgress) {
    this.#vendor = vendor;
    this.#onProgress = onProgress;
    this.onStop = () => {};
  }

  /** Start the worker and, in it, what runs networks: once. */
  start() {
    if (this.#started) return this.#started;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => this.#hear(data));
    this.#worker.addEventListener("error", () => {
      this.stop(new Error("What runs the networks stopped. Check the connection, then try again."));
    });
    this.#started = this.ask("start", { vendor: this.#vendor }, this.#onProgress);
    this.#started.catch((error) => this.stop(error));
    return this.#started;
  }

  /** End the worker; what it was asked and has not answered is answered by the error. */
  stop(error) {
    this.#worker?.terminate();
    this.#worker = this.#started = null;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    this.onStop();
  }

  ask(task, given, onProgress = () => {}) {
    return new Promise((resolve, reject) => {
      this.#asked.set(++this.#ids, { resolve, reject, onProgress });
      this.#worker.postMessage({ id: this.#ids, task, ...given });
    });
  }

  #hear({ id, loaded, total, answer, error }) {
    const asked = this.#asked.get(id);
    if (!asked) return; // the last bytes may be told after the answer
    if (loaded !== undefined) return asked.onProgress(loaded, total);
    this.#asked.delete(id);
    if (error) asked.reject(new Error(error));
    else asked.resolve(answer);
  }
}

const clip = (value) => Math.max(-1, Math.min(1, value));
const size = (shape) => shape.reduce((product, side) => product * side);
const pairs = (levels) => levels.slice(1).map((s, i) => [levels[i], s]);

/** As Python rounds: a half goes to the even neighbour. */
function roundToEven(number) {
  const nearest = Math.round(number);
  return nearest - number === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

function checkEdit(start, x0) {
  if (!(start >= 0.01 && start <= 1)) throw new RangeError(`start is a noise level from 0.01 to 1, not ${start}.`);
  if (!(x0 instanceof Float32Array) || x0.some((value) => !(Math.abs(value) <= 1 + 1e-5))) {
    throw new RangeError("x0 must be a picture in [-1, 1], as a Float32Array.");
  }
}
