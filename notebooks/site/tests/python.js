// What Python says, for a test that asks for the same: a script whose last line prints JSON.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PYTHON = process.env.PYTHON ?? `${ROOT}.venv/bin/python`;

export function python(script) {
  return JSON.parse(execFileSync(PYTHON, ["-c", script], { cwd: ROOT, maxBuffer: 2 ** 28 }));
}

/** The largest difference of two lists of numbers, which must be as long. */
export function farthest(ours, theirs) {
  if (ours.length !== theirs.length) return Infinity;
  return theirs.reduce((most, x, i) => Math.max(most, Math.abs(x - ours[i])), 0);
}
