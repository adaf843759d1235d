// Noise put on, and taken away: noise.py and sample.py of the course, in the same single precision.

const f = Math.fround;

/** So many levels of a road, evenly spaced from `start` down to 0, as `torch.linspace`: steps + 1 numbers. */
export function noiseLevels(steps, start = 1) {
  if (!Number.isInteger(steps) || steps < 1 || steps > 1000) {
    throw new RangeError(`steps must be a whole number from 1 to 1000, not ${steps}.`);
  }
  if (!(start > 0 && start <= 1)) {
    throw new RangeError(`start must be a noise level above 0, up to 1, not ${start}.`);
  }
  const first = f(start);
  const by = f(-first / steps);
  const half = (steps + 1) / 2; // each half is counted from its own end, so both ends are exact
  return Array.from({ length: steps + 1 }, (_, i) =>
    i < Math.floor(half) ? f(first + by * i) : i === steps ? 0 : f(-by * (steps - i)),
  );
}

/** A clean picture mixed with noise: x_t = (1 - t) x0 + t eps. */
export function addNoise(x0, t, eps) {
  checkLevel(t);
  checkSame(x0, eps, "eps");
  const signal = f(1 - f(t));
  const noise = f(t);
  return x0.map((x, i) => f(signal * x) + f(noise * eps[i]));
}

/** A step from noise level t down to s: x_s = x0_hat + (s / t) (x_t - x0_hat). */
export function denoiseStep(x_t, x0_hat, t, s) {
  checkLevel(t);
  checkLevel(s);
  checkSame(x_t, x0_hat, "x0_hat");
  if (!(s < t)) throw new RangeError(`A step goes down from t to s, but s = ${s} is not below t = ${t}.`);
  const share = f(f(s) / f(t));
  return x_t.map((x, i) => x0_hat[i] + f(share * f(x - x0_hat[i])));
}

/** The guess with a caption, c, and the one without, u: x0_hat = u + w (c - u). */
export function guide(c, u, w) {
  checkSame(c, u, "u");
  const scale = f(w);
  return c.map((x, i) => u[i] + f(scale * f(x - u[i])));
}

function checkLevel(t) {
  if (!(t >= 0 && t <= 1)) {
    throw new RangeError(`The noise level t must lie in [0, 1], not ${t}. 0 is the clean picture, 1 is pure noise.`);
  }
}

function checkSame(x, y, name) {
  for (const array of [x, y]) {
    if (!(array instanceof Float32Array)) throw new TypeError("Pictures are Float32Arrays.");
  }
  if (x.length !== y.length) throw new RangeError(`${name} has ${y.length} numbers, not ${x.length}.`);
}
