// Change a picture: back into the noise a part of the way, and down again with other words.

import { announce, oneAtATime, partsOf, told, whenSeen } from "./parts.js";
import { ask, refuse } from "./prompts.js";
import { Player } from "./player.js";
import { show } from "./pixels.js";

const SEED = 0; // of the noise that is put on

export function openEdit(section, page) {
  const part = partsOf(section);
  const { prompt, start, source } = part.ask.elements;
  const views = [
    { canvas: part.noisy, part: "x_t", what: "Noisy picture" },
    { canvas: part.guess, part: "x0_hat", what: "The network's guess" },
  ];
  const player = new Player(part.player, views, { label: "Moment of the change" });

  const change = oneAtATime(
    () => {
      const reading = ask(page.reader, prompt, part.answer);
      const x0 = pictureOf[source.value]();
      if (reading && !x0) refuse(part.answer, "There is no picture above yet. Draw one, or begin with the apple.");
      return reading && x0 ? { x0, caption: reading.caption, start: Number(start.value), seed: SEED } : null;
    },
    async (wish, signal) => {
      show(part.old, wish.x0, "The picture that is changed");
      await travel(signal, page, player, wish);
      announce(`Changed into ${wish.caption}, from ${told(wish.start)}.`);
    },
    (error) => refuse(part.answer, error.message),
  );
  const pictureOf = {
    words: () => page.picture?.map((value) => Math.max(-1, Math.min(1, value))),
    apple: () => page.words.apple,
    paint: () => page.drawing(),
  };

  part.ask.addEventListener("submit", (event) => {
    event.preventDefault();
    change();
  });
  part.ask.addEventListener("change", ({ target }) => target !== prompt && change());
  start.addEventListener("input", () => (part.startTold.textContent = told(Number(start.value))));
  whenSeen(section, change);
}

/** A picture into the noise up to `start`, and down again with a caption or, where it is "", without words. */
export async function travel(signal, page, player, { x0, caption, start, seed }) {
  const { steps, guidance_scale } = page.words.usual.denoiser;
  const engine = await page.networks.need("denoiser");
  if (signal.aborted) return;
  player.begin(Math.ceil(steps * start));
  const words = caption
    ? { tokens: page.reader.encode(caption), guidance_scale }
    : { tokens: new Int32Array(page.words.usual.denoiser.max_words), guidance_scale: 1 };
  const frames = engine.generate({ network: "denoiser", x0, start, seed, steps, signal, ...words });
  for await (const frame of frames) {
    if (signal.aborted) return;
    player.push(frame);
  }
  player.finish();
}
