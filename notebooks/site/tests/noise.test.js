import assert from "node:assert/strict";
import { test } from "node:test";

import { addNoise, denoiseStep, guide, noiseLevels } from "../live/noise.js";
import { Generator } from "../live/random.js";
import { farthest, python } from "./python.js";

test("the levels of a road are those of Python, to the last bit", () => {
  const { roads, edits } = python(`
import json, torch
from course_lib.noise import noise_levels
roads = [noise_levels(steps).tolist() for steps in range(1, 1001)]
edits = [[k, n, torch.linspace(k / 100, 0, n + 1).tolist()] for k in range(1, 101) for n in (1, 2, 13, k)]
print(json.dumps(dict(roads=roads, edits=edits)))`);
  roads.forEach((levels, i) => assert.deepEqual(noiseLevels(i + 1), levels));
  for (const [k, n, levels] of edits) assert.deepEqual(noiseLevels(n, k / 100), levels);
});

test("noise is put on, and taken away, as in Python", () => {
  const LEVELS = [0, 0.1, 0.3, 0.5, 0.77, 1];
  const { x0, eps, mixed, steps, leant } = python(`
import json, torch
from course_lib.noise import add_noise
from course_lib.sample import denoise_step, guided
g = torch.Generator().manual_seed(0)
x0 = torch.rand(1, 3, 8, 8, generator=g) * 2 - 1
eps = torch.randn(1, 3, 8, 8, generator=g)
levels = ${JSON.stringify(LEVELS)}
mixed = [add_noise(x0, t, eps).flatten().tolist() for t in levels]
steps = [[t, s, denoise_step(eps, x0, t, s).flatten().tolist()] for t in levels for s in levels if s < t]
model = lambda x_t, t, tokens: torch.cat([x0, eps])
tokens = torch.ones(1, 3, dtype=torch.int64)
leant = [[w, guided(model, x0, 0.5, tokens, w).flatten().tolist()] for w in (0, 0.5, 2, 3.3, -1.7)]
print(json.dumps(dict(x0=x0.flatten().tolist(), eps=eps.flatten().tolist(), mixed=mixed, steps=steps, leant=leant)))`);
  const [a, b] = [x0, eps].map((x) => Float32Array.from(x));
  LEVELS.forEach((t, i) => assert.ok(farthest(addNoise(a, t, b), mixed[i]) <= 3e-7, `t = ${t}`));
  for (const [t, s, x] of steps) assert.ok(farthest(denoiseStep(b, a, t, s), x) <= 3e-7, `${t} to ${s}`);
  for (const [w, x] of leant) assert.ok(farthest(guide(a, b, w), x) <= 1e-6, `guidance ${w}`);
});

test("both ends of the road are exact", () => {
  const [x0, eps] = [3, 4].map((seed) => new Generator(seed).normal(100));
  assert.deepEqual(addNoise(x0, 0, eps), x0);
  assert.deepEqual(addNoise(x0, 1, eps), eps);
  assert.deepEqual(denoiseStep(eps, x0, 0.5, 0), x0);
});

test("levels out of range, and pictures that do not fit, are refused", () => {
  const x = new Float32Array(3);
  for (const steps of [0, 1001, 1.5, undefined]) assert.throws(() => noiseLevels(steps), RangeError);
  for (const start of [0, 1.1, NaN]) assert.throws(() => noiseLevels(5, start), RangeError);
  for (const t of [-0.1, 1.1, NaN]) assert.throws(() => addNoise(x, t, x), RangeError);
  assert.throws(() => denoiseStep(x, x, 0.5, 0.5), /not below t = 0.5/);
  assert.throws(() => addNoise(x, 0.5, new Float32Array(4)), /eps has 4 numbers, not 3/);
  assert.throws(() => addNoise([0], 0.5, [0]), TypeError);
});
