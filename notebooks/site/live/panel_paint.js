// Draw 16 by 16 pixels, put noise on them, and let the network take it away.

import { announce, make, oneAtATime, partsOf, told, whenSeen } from "./parts.js";
import { ask, refuse, reply } from "./prompts.js";
import { valuesOf } from "./course.js";
import { enlarged, show } from "./pixels.js";
import { Player } from "./player.js";
import { travel } from "./panel_edit.js";

const SIDE = 16;
const SEED = 0; // of the noise that is put on
const KEPT = 50; // strokes that can be undone
const EXAMPLE = [
  "................",
  "................",
  "..b.............",
  "..yy............",
  "..yy............",
  "..yyy...........",
  "..yyy...........",
  "...yyy..........",
  "...yyyy......b..",
  "....yyyyyyyyyy..",
  ".....yyyyyyyyy..",
  "......yyyyyyy...",
  ".........yy.....",
  "................",
  "................",
  "................",
];
const NAMES = { ".": "cream", b: "brown", y: "yellow" };
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export function openPaint(section, page) {
  const part = partsOf(section);
  const { start, prompt } = part.ask.elements;
  const paints = Object.keys(page.words.paints); // names of colours; a pixel is a place in this list
  const values = Object.values(page.words.paints).map(valuesOf);
  const views = [
    { canvas: part.noisy, part: "x_t", what: "Noisy picture" },
    { canvas: part.guess, part: "x0_hat", what: "The network's guess" },
  ];
  const player = new Player(part.player, views, { label: "Moment of the denoising" });
  let pixels = EXAMPLE.flatMap((row) => [...row].map((letter) => paints.indexOf(NAMES[letter])));
  const example = [...pixels];
  const before = [];
  let paint = paints.indexOf("yellow");
  let cursor = [9, 7];

  /** The drawing as a picture of 32 by 32 pixels. */
  page.drawing = () => enlarged(small(), SIDE, 2);

  const small = () => {
    const x = new Float32Array(3 * SIDE * SIDE);
    pixels.forEach((name, i) => {
      values[name].forEach((value, c) => (x[c * SIDE * SIDE + i] = value));
    });
    return x;
  };
  const redraw = () => show(part.easel, small());
  const remember = () => {
    before.push([...pixels]);
    if (before.length > KEPT) before.shift();
  };
  const put = ([row, column]) => {
    pixels[row * SIDE + column] = paint;
    redraw();
  };
  const fill = ([row, column]) => {
    const old = pixels[row * SIDE + column];
    const edge = old === paint ? [] : [[row, column]];
    while (edge.length) {
      const [i, j] = edge.pop();
      if (i < 0 || j < 0 || i >= SIDE || j >= SIDE || pixels[i * SIDE + j] !== old) continue;
      pixels[i * SIDE + j] = paint;
      for (const [down, right] of Object.values(MOVES)) edge.push([i + down, j + right]);
    }
    redraw();
  };
  const place = () => {
    part.cursor.style.setProperty("--row", cursor[0]);
    part.cursor.style.setProperty("--column", cursor[1]);
  };
  const tellPlace = () => {
    const [row, column] = cursor;
    announce(`Row ${row + 1}, column ${column + 1}: ${paints[pixels[row * SIDE + column]]}.`);
  };

  const denoise = oneAtATime(
    () => {
      const wish = { x0: page.drawing(), caption: "", start: Number(start.value), seed: SEED };
      if (!prompt.value.trim()) {
        reply(part.answer, "", prompt);
        return wish;
      }
      const reading = ask(page.reader, prompt, part.answer);
      return reading && { ...wish, caption: reading.caption };
    },
    async (wish, signal) => {
      await travel(signal, page, player, wish);
      announce(`Denoised from ${told(wish.start)}${wish.caption && ` as ${wish.caption}`}.`);
    },
    (error) => refuse(part.answer, error.message),
  );

  // With the pointer: a stroke goes from one place to the next, however fast it is.

  let last = null;
  const placeOf = (event) => {
    const box = part.easel.getBoundingClientRect();
    const within = (at, size) => Math.max(0, Math.min(SIDE - 1, Math.floor((at / size) * SIDE)));
    return [within(event.clientY - box.top, box.height), within(event.clientX - box.left, box.width)];
  };
  part.easel.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    remember();
    part.easel.setPointerCapture(event.pointerId);
    cursor = last = placeOf(event);
    put(last);
    place();
  });
  part.easel.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = placeOf(event);
    const far = Math.max(Math.abs(next[0] - last[0]), Math.abs(next[1] - last[1]), 1);
    for (let i = 1; i <= far; i++) put(last.map((from, axis) => Math.round(from + (i / far) * (next[axis] - from))));
    cursor = last = next;
    place();
  });
  for (const end of ["pointerup", "pointercancel"]) part.easel.addEventListener(end, () => (last = null));

  // With the keyboard.

  part.easel.addEventListener("focus", () => (part.cursor.hidden = !part.easel.matches(":focus-visible")));
  part.easel.addEventListener("blur", () => (part.cursor.hidden = true));
  part.easel.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in MOVES) {
      cursor = cursor.map((at, axis) => Math.max(0, Math.min(SIDE - 1, at + MOVES[event.key][axis])));
    } else if (event.key === " " || event.key === "Enter") {
      remember();
      put(cursor);
    } else if (event.key.toLowerCase() === "f") {
      remember();
      fill(cursor);
    } else return;
    event.preventDefault();
    part.cursor.hidden = false;
    place();
    tellPlace();
  });

  paints.forEach((name, i) => {
    const swatch = make("button", { type: "button", className: "swatch", title: name });
    swatch.setAttribute("aria-label", name);
    swatch.setAttribute("aria-pressed", i === paint);
    swatch.style.background = page.words.paints[name];
    swatch.addEventListener("click", () => {
      paint = i;
      for (const [j, other] of [...part.palette.children].entries()) other.setAttribute("aria-pressed", j === i);
    });
    part.palette.append(swatch);
  });
  part.undo.addEventListener("click", () => {
    pixels = before.pop() ?? pixels;
    redraw();
  });
  part.clear.addEventListener("click", () => {
    remember();
    pixels = pixels.map(() => paints.indexOf("cream"));
    redraw();
  });
  part.example.addEventListener("click", () => {
    remember();
    pixels = [...example];
    redraw();
  });
  start.addEventListener("input", () => (part.startTold.textContent = told(Number(start.value))));
  start.addEventListener("change", denoise);
  part.ask.addEventListener("submit", (event) => {
    event.preventDefault();
    denoise();
  });
  place();
  redraw();
  whenSeen(section, denoise);
}
