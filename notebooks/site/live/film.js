// A film as an animated GIF: the noisy picture on the left, the guess on the right.

import { denoiseStep } from "./noise.js";
import { bytesOf, enlarged, sideOf } from "./pixels.js";

const WIDE = 256; // the side of each of the two pictures in the film, in pixels
const MOMENTS = 24; // at least so many, so that a film of few steps moves too
const DELAY = 90; // milliseconds
const LAST = 2500; // the last moment stays

let encoder = null;

/** What writes GIFs, fetched once; before it is needed, so that films can be saved without a network, too. */
export const readyForFilms = () => (encoder ??= import(new URL("vendor/gifenc.esm.js", document.baseURI).href));

/** All moments of a film that are worth a picture: {x_t, x0_hat}, with some between those that were computed. */
export function momentsOf(frames) {
  const between = Math.max(1, Math.ceil(MOMENTS / (frames.length - 1)));
  const moments = [];
  for (let k = 0; k + 1 < frames.length; k++) {
    const { t, x_t, x0_hat } = frames[k];
    for (let i = 0; i < between; i++) {
      const s = t + (i / between) * (frames[k + 1].t - t);
      moments.push({ x_t: i ? denoiseStep(x_t, x0_hat, t, s) : x_t, x0_hat });
    }
  }
  return [...moments, frames[frames.length - 1]];
}

/** The film of a generation as a GIF file; its last moment shows the enlarged picture, if there is one. */
export async function filmOf(frames, large) {
  const { GIFEncoder, quantize, applyPalette } = await readyForFilms();
  const gif = GIFEncoder();
  const moments = momentsOf(frames);
  moments.forEach(({ x_t, x0_hat }, i) => {
    const last = i === moments.length - 1;
    const halves = [x_t, last && large ? large : x0_hat].map((x) => [bytesOf(x), sideOf(x)]);
    const palette = quantize(joined(halves.map(([bytes]) => bytes)), 256);
    const [left, right] = halves.map(([bytes, side]) => enlarged(applyPalette(bytes, palette), side, WIDE / side));
    const both = new Uint8Array(2 * WIDE * WIDE);
    for (let row = 0; row < WIDE; row++) {
      both.set(left.subarray(row * WIDE, (row + 1) * WIDE), 2 * row * WIDE);
      both.set(right.subarray(row * WIDE, (row + 1) * WIDE), (2 * row + 1) * WIDE);
    }
    gif.writeFrame(both, 2 * WIDE, WIDE, { palette, delay: last ? LAST : DELAY });
  });
  gif.finish();
  return new Blob([gif.bytes()], { type: "image/gif" });
}

function joined(arrays) {
  const whole = new Uint8ClampedArray(arrays.reduce((length, array) => length + array.length, 0));
  let begin = 0;
  for (const array of arrays) {
    whole.set(array, begin);
    begin += array.length;
  }
  return whole;
}
