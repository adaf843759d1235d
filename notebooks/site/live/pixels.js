// From numbers to pixels: a picture is 3 * side * side numbers in about [-1, 1], colour by colour, as in the course.

/** The side of a picture of so many numbers. */
export const sideOf = (x) => Math.round(Math.sqrt(x.length / 3));

/** The bytes of a picture, red, green, blue and opaque in turn; values beyond [-1, 1] are clipped. */
export function bytesOf(x) {
  const count = x.length / 3;
  const bytes = new Uint8ClampedArray(4 * count); // it rounds and clips by itself
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) bytes[4 * i + c] = (x[c * count + i] + 1) * 127.5;
    bytes[4 * i + 3] = 255;
  }
  return bytes;
}

/** Show a picture on a canvas, one pixel for each of its own; the style sheet makes them large. */
export function show(canvas, x, what) {
  const side = sideOf(x);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(new ImageData(bytesOf(x), side), 0, 0);
  if (what) canvas.setAttribute("aria-label", what);
}

/** Each pixel `factor` times as wide and high, for any number of channels one after the other. */
export function enlarged(x, side, factor) {
  const wide = side * factor;
  const channels = x.length / side ** 2;
  const large = new x.constructor(x.length * factor ** 2);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < wide; i++) {
      const row = c * side ** 2 + Math.floor(i / factor) * side;
      for (let j = 0; j < wide; j++) large[(c * wide + i) * wide + j] = x[row + Math.floor(j / factor)];
    }
  }
  return large;
}

/** A picture as a PNG file whose sides are at least 512 pixels. */
export function pngOf(x) {
  const factor = Math.max(1, Math.round(512 / sideOf(x)));
  const canvas = document.createElement("canvas");
  show(canvas, enlarged(x, sideOf(x), factor));
  return new Promise((done, fail) => {
    const given = (blob) => (blob ? done(blob) : fail(new Error("This browser gave no picture. Try another one.")));
    canvas.toBlob(given, "image/png");
  });
}

/** Hand a file to whoever is looking. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A file name made of a caption. */
export const nameOf = (caption) => caption.replace(/[^\p{L}\p{N}]+/gu, "_").slice(0, 100) || "picture";
