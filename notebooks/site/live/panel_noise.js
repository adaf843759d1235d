// The noise slider: an apple under noise, and what the network makes of it without words.

import { anySeed, partsOf, told, whenSeen } from "./parts.js";
import { addNoise } from "./noise.js";
import { Generator } from "./random.js";
import { refuse } from "./prompts.js";
import { show } from "./pixels.js";

export function openNoise(section, page) {
  const part = partsOf(section);
  const { level } = part.ask.elements;
  let seed = 1;
  const x0 = page.words.apple;
  let eps = new Generator(seed).normal(x0.length);
  let asking = false;

  /** The noisy picture at once, and the guess of it as soon as the network has answered the one before. */
  const look = async () => {
    const t = Number(level.value);
    part.levelTold.textContent = told(t);
    level.setAttribute("aria-valuetext", told(t));
    show(part.noisy, addNoise(x0, t, eps), `Apple under noise, ${told(t)}`);
    if (asking) return;
    asking = true;
    try {
      const engine = await page.networks.need("denoiser");
      let answered = null;
      while (answered !== `${level.value} ${seed}`) {
        answered = `${level.value} ${seed}`; // what is asked may change while the network computes
        const now = Number(level.value);
        const tokens = new Int32Array(page.words.usual.denoiser.max_words);
        const how = { network: "denoiser", tokens, guidance_scale: 1 };
        const guess = await engine.denoise({ ...how, x_t: addNoise(x0, now, eps), t: now });
        show(part.guess, guess, `What the network thinks at ${told(now)}`);
      }
    } catch (error) {
      refuse(part.answer, error.message);
    } finally {
      asking = false;
    }
  };

  part.ask.addEventListener("submit", (event) => event.preventDefault());
  level.addEventListener("input", look);
  part.newNoise.addEventListener("click", () => {
    seed = anySeed();
    eps = new Generator(seed).normal(x0.length);
    look();
  });
  whenSeen(section, look);
}
