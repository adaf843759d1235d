// Two prompts from the same noise.

import { anySeed, announce, oneAtATime, partsOf, whenSeen } from "./parts.js";
import { ask, refuse } from "./prompts.js";
import { Player } from "./player.js";

export function openCompare(section, page) {
  const part = partsOf(section);
  const { left, right } = part.ask.elements;
  const sides = [
    { canvas: part.left, film: 0, part: "x_t", what: "Left picture" },
    { canvas: part.right, film: 1, part: "x_t", what: "Right picture" },
  ];
  const player = new Player(part.player, sides, { label: "Moment of both pictures" });
  let seed = 7;

  const draw = oneAtATime(
    () => {
      const captions = [];
      for (const input of [left, right]) {
        const reading = ask(page.reader, input, part.answer);
        if (!reading) return null;
        captions.push(reading.caption);
      }
      return captions;
    },
    async (captions, signal) => {
      [part.leftTitle.textContent, part.rightTitle.textContent] = captions;
      const { steps, guidance_scale } = page.words.usual.few_steps;
      player.begin(steps, 2);
      const engine = await page.networks.need("few_steps");
      if (signal.aborted) return;
      const how = { network: "few_steps", seed, steps, guidance_scale, signal };
      const roads = captions.map((caption) => engine.generate({ ...how, tokens: page.reader.encode(caption) }));
      for (let step = 0; step <= steps; step++) {
        for (const [film, road] of roads.entries()) {
          const { value } = await road.next();
          if (signal.aborted) return;
          player.push(value, film);
        }
      }
      player.finish();
      announce(`Drawn from the same noise: ${captions.join("; ")}.`);
    },
    (error) => refuse(part.answer, error.message),
  );

  part.ask.addEventListener("submit", (event) => {
    event.preventDefault();
    draw();
  });
  part.newNoise.addEventListener("click", () => {
    seed = anySeed();
    draw();
  });
  whenSeen(section, draw);
}
