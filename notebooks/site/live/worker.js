// Runs the networks, away from the page, so that it never stands still: onnxruntime-web, in WebAssembly.
//
// A message {id, task, ...} is answered by {id, answer} or {id, error}, and on the way by {id, loaded, total}, in bytes.

const RUNTIME = "ort.wasm.bundle.min.mjs";
const WASM = "ort-wasm-simd-threaded.wasm";
const WASM_BYTES = 14_239_897; // of version 1.30.0; a packed file does not say how large it will be

// A network that does nothing. Opening it opens the runtime, which has no function for that alone.
const NOTHING = "CAoSADo3ChAKAWESAWIiCElkZW50aXR5EgFnWg8KAWESCgoICAESBAoCCAFiDwoBYhIKCggIARIECgIIAUIECgAQFA==";

const AGAIN = "Check the connection, then try again.";

let runtime = null; // a promise of onnxruntime
const sessions = new Map(); // by name
const spoilt = new Set(); // addresses that brought something wrong: next time past the browser's cache

const tasks = {
  /** Fetch and open the runtime. */
  start({ vendor }, onProgress) {
    runtime ??= openRuntime(new URL(vendor), onProgress);
    return runtime.then(() => {});
  },

  /** Fetch a network, look whether it is the right one, and open it. */
  async open({ name, url, bytes, sha256 }, onProgress) {
    const contents = await fetchNetwork(url, bytes, sha256, onProgress);
    const ort = await runtime;
    const session = await ort.InferenceSession.create(contents, { executionProviders: ["wasm"] }).catch((error) => {
      throw new Error(`This browser cannot run ${fileName(url)} (${error.message}). Try a newer one.`, {
        cause: error,
      });
    });
    sessions.set(name, session);
  },

  /** Ask a network: feeds are {name: [values, shape]}; its guess is a Float32Array. */
  async run({ name, feeds }) {
    const { Tensor } = await runtime;
    const inputs = Object.entries(feeds).map(([input, [values, shape]]) => [input, new Tensor(values, shape)]);
    const { x0_hat } = await sessions.get(name).run(Object.fromEntries(inputs));
    return x0_hat.data; // a copy of what lies in the runtime's memory
  },
};

onmessage = async ({ data: { id, task, ...given } }) => {
  try {
    const answer = await tasks[task](given, (loaded, total) => postMessage({ id, loaded, total }));
    postMessage({ id, answer }, answer ? [answer.buffer] : []);
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};

async function openRuntime(vendor, onProgress) {
  countDownload(onProgress);
  const ort = await import(new URL(RUNTIME, vendor)).catch(() => {
    throw new Error(`${RUNTIME}, which runs the networks, could not be fetched. ${AGAIN}`);
  });
  // A server that keeps other origins out, by two headers, may have several threads; from any other there is one.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  ort.env.wasm.wasmPaths = { wasm: new URL(WASM, vendor).href };
  ort.env.logLevel = "error";
  try {
    await ort.InferenceSession.create(Uint8Array.from(atob(NOTHING), (letter) => letter.charCodeAt(0)));
  } catch (error) {
    throw new Error(`${WASM}, which runs the networks, could not be opened (${error.message}). ${AGAIN}`, {
      cause: error,
    });
  }
  return ort;
}

/**
 * Count the bytes of the runtime's WebAssembly, which it fetches by itself, from a copy of the answer. It is compiled
 * from the answer of a fetch as it arrives: so alone does the browser keep what it compiled for the next visit.
 */
function countDownload(onProgress) {
  const fetchAsEver = self.fetch;
  self.fetch = async (...request) => {
    const response = await fetchAsEver(...request);
    if (String(request[0].url ?? request[0]).endsWith(WASM)) {
      self.fetch = fetchAsEver;
      if (response.ok) count(response.clone(), WASM_BYTES, onProgress).catch(() => {}); // the runtime tells what is wrong
    }
    return response;
  };
}

async function count(response, total, onProgress, keep = () => {}) {
  const reader = response.body.getReader();
  for (let loaded = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return loaded;
    keep(value, loaded);
    loaded += value.length;
    onProgress(loaded, total);
  }
}

/** The contents of a network's file, which must have the size and the SHA-256 that the course says. */
async function fetchNetwork(url, bytes, sha256, onProgress) {
  const contents = new Uint8Array(bytes);
  let loaded = 0;
  const keep = (part) => {
    if (loaded + part.length <= bytes) contents.set(part, loaded);
    loaded += part.length;
  };
  const response = await fetch(url, { cache: spoilt.has(url) ? "reload" : "default" }).catch(() => {
    throw new Error(`${fileName(url)} could not be fetched. ${AGAIN}`);
  });
  if (!response.ok) {
    throw new Error(`The server has no ${fileName(url)} to give (it answers ${response.status}). Try again later.`);
  }
  spoilt.add(url);
  await count(response, bytes, onProgress, keep).catch(() => {
    throw new Error(`${fileName(url)} broke off after ${megabytes(loaded)} of ${megabytes(bytes)}. ${AGAIN}`);
  });
  if (loaded !== bytes) {
    throw new Error(`${fileName(url)} came with ${loaded} bytes where ${bytes} were expected. ${AGAIN}`);
  }
  if (sha256 && crypto.subtle && hex(await crypto.subtle.digest("SHA-256", contents)) !== sha256) {
    throw new Error(`${fileName(url)} is not the file that belongs to this page, or it is damaged. Try again.`);
  }
  spoilt.delete(url);
  return contents;
}

const fileName = (url) => url.split("/").at(-1);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
