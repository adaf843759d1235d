import assert from "node:assert/strict";
import { test } from "node:test";

import { Generator } from "../live/random.js";
import { farthest, python } from "./python.js";

const SEEDS = [0, 1, 2 ** 31, 123456789, 2 ** 32 + 5, 2 ** 53 - 1];
const COUNTS = [3072, 49152, 5, 16, 17, 100, 1, 15, 0, 3, 33]; // drawn from one generator, in this order

test("a seed gives the numbers of torch, draw after draw", () => {
  const drawn = python(`
import json, torch
def draws(seed):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(n, generator=g).tolist() for n in ${JSON.stringify(COUNTS)}]
print(json.dumps([draws(seed) for seed in ${JSON.stringify(SEEDS)}]))`);
  SEEDS.forEach((seed, i) => {
    const generator = new Generator(seed);
    COUNTS.forEach((n, j) => {
      const x = generator.normal(n);
      assert.ok(x instanceof Float32Array);
      assert.ok(farthest(x, drawn[i][j]) <= 2e-6, `seed ${seed}, ${n} numbers`);
    });
  });
});

test("several pictures from one generator, as torch draws them at once", () => {
  const drawn = python(`
import json, torch
print(json.dumps(torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(7)).flatten().tolist()))`);
  const generator = new Generator(7);
  const pictures = [1, 2, 3].map(() => [...generator.normal(3 * 32 * 32)]);
  assert.ok(farthest(pictures.flat(), drawn) <= 2e-6);
});

test("what is no seed, and no count, is refused", () => {
  for (const seed of [-1, 0.5, NaN, "1", 2 ** 53, undefined]) assert.throws(() => new Generator(seed), RangeError);
  for (const n of [-1, 1.5, NaN, undefined]) assert.throws(() => new Generator(0).normal(n), RangeError);
});
