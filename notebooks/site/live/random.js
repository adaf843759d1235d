// The very numbers that PyTorch draws on a CPU, so that a seed gives the page the picture that it gives Python.

const SIZE = 624; // words of the generator's state
const FAR = 397;
const TWO_PI = Math.fround(2 * Math.PI);
const BLOCK = 16; // normal numbers are made from so many uniform ones at once

/**
 * `torch.Generator().manual_seed(seed)`: a Mersenne Twister, and normal numbers from it.
 *
 * Source: Matsumoto and Nishimura 1998, "Mersenne Twister", in the order of PyTorch's at::mt19937.
 */
export class Generator {
  #state = new Uint32Array(SIZE);
  #next = SIZE;
  #left = null; // short draws make two numbers at a time; this is the second one

  /** seed: a whole number from 0 to 2^53 - 1; anything else is a RangeError. */
  constructor(seed) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(`A seed is a whole number from 0 on, not ${seed}.`);
    }
    this.#state[0] = seed; // its lowest 32 bits, as in PyTorch
    for (let i = 1; i < SIZE; i++) {
      const before = this.#state[i - 1];
      this.#state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** `torch.randn(n, generator=generator)`: a Float32Array of n numbers from N(0, 1). */
  normal(n) {
    if (!Number.isSafeInteger(n) || n < 0) {
      throw new RangeError(`How many numbers to draw is a whole number from 0 on, not ${n}.`);
    }
    const x = new Float32Array(n);
    if (n < BLOCK) return x.map(() => this.#one());
    const uniform = () => (this.#word() & 0xffffff) / 2 ** 24;
    for (let i = 0; i < n; i++) x[i] = uniform();
    for (let i = 0; i + BLOCK <= n; i += BLOCK) transform(x.subarray(i, i + BLOCK));
    if (n % BLOCK) {
      const end = x.subarray(n - BLOCK); // a block that is cut off: the last 16 are drawn again
      for (let i = 0; i < BLOCK; i++) end[i] = uniform();
      transform(end);
    }
    return x;
  }

  /** Box and Muller's method in double precision, one number at a time: PyTorch's for fewer than 16. */
  #one() {
    if (this.#left !== null) {
      const kept = this.#left;
      this.#left = null;
      return kept;
    }
    const uniform = () => ((this.#word() & 0x1fffff) * 2 ** 32 + this.#word()) / 2 ** 53;
    const angle = 2 * Math.PI * uniform();
    const radius = Math.sqrt(-2 * Math.log1p(-uniform()));
    this.#left = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** The next 32 random bits. */
  #word() {
    if (this.#next === SIZE) this.#twist();
    let y = this.#state[this.#next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist() {
    const s = this.#state;
    for (let i = 0; i < SIZE; i++) {
      const mixed = (s[i] & 0x80000000) | (s[(i + 1) % SIZE] & 0x7fffffff);
      s[i] = s[(i + FAR) % SIZE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

/** Box and Muller's method in place, in single precision: eight radii and eight angles become 16 normal numbers. */
function transform(block) {
  for (let i = 0; i < BLOCK / 2; i++) {
    const radius = Math.sqrt(-2 * Math.fround(Math.log(1 - block[i])));
    const angle = Math.fround(TWO_PI * block[i + BLOCK / 2]);
    block[i] = radius * Math.cos(angle);
    block[i + BLOCK / 2] = radius * Math.sin(angle);
  }
}
