// The flow in the plane: points of noise travel to a banana or to an apple. The lessons' own little network.

import { announce, oneAtATime, partsOf, whenSeen } from "./parts.js";
import { denoiseStep, noiseLevels } from "./noise.js";
import { refuse, reply } from "./prompts.js";
import { Generator } from "./random.js";
import { Player } from "./player.js";
import { PlanePicture } from "./plane_picture.js";

const STEPS = [1, 2, 3, 5, 10, 20, 50];
const MOST = 1000; // points at once
const DROPPED = 200;
const MOVES = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };

export function openPlane(section, page) {
  const part = partsOf(section);
  const { steps } = part.ask.elements;
  const { clouds, near, reach } = page.words;
  const picture = new PlanePicture(part.ground, page.words);
  let starts = []; // [right, up] of each point, as it was dropped
  let cross = [0, 1.5];
  let dropped = 0;
  const player = new Player(part.player, [], {
    label: "Moment of the journey",
    onMoment: (moment, { at }) => picture.draw(player.films[0], moment, at, cross),
  });
  const redraw = () => (player.arrived ? player.to(player.at) : picture.draw([], null, 0, cross));

  const travel = oneAtATime(
    () => STEPS[steps.value],
    async (count, signal) => {
      player.begin(count);
      if (!starts.length) {
        reply(part.answer, "");
        return redraw();
      }
      await page.networks.need("plane");
      if (signal.aborted) return;
      const frames = await road(page.networks.engine, Float32Array.from(starts.flat()), count, signal);
      if (signal.aborted) return;
      const ends = landings(frames.at(-1).x_t, clouds, near);
      picture.colour(ends);
      for (const frame of frames) player.push(frame);
      player.finish();
      part.ground.setAttribute("aria-label", `The plane of the two fruits. ${summary(ends, count)}`);
      reply(part.answer, summary(ends, count));
    },
    (error) => refuse(part.answer, error.message),
  );

  const drop = (...places) => {
    starts = [...starts, ...places].slice(-MOST);
    return travel();
  };

  part.ground.addEventListener("click", (event) => {
    const box = part.ground.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width;
    const down = (event.clientY - box.top) / box.height;
    cross = [(2 * across - 1) * reach, (1 - 2 * down) * reach];
    drop(cross);
  });
  part.ground.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in MOVES) {
      const within = (at) => Math.max(-reach, Math.min(reach, at));
      cross = cross.map((at, axis) => within(at + MOVES[event.key][axis]));
      announce(`Right ${cross[0].toFixed(1)}, up ${cross[1].toFixed(1)}`);
      redraw();
    } else if (event.key === "Enter" || event.key === " ") drop(cross);
    else return;
    event.preventDefault();
  });
  part.drop.addEventListener("click", () => {
    const x = new Generator(dropped++).normal(2 * DROPPED);
    drop(...Array.from({ length: DROPPED }, (_, i) => [x[2 * i], x[2 * i + 1]]));
  });
  part.clear.addEventListener("click", () => {
    starts = [];
    travel();
    announce("No points.");
  });
  part.ask.addEventListener("submit", (event) => event.preventDefault());
  steps.addEventListener("input", () => {
    part.stepsTold.textContent = STEPS[steps.value];
    steps.setAttribute("aria-valuetext", STEPS[steps.value]);
  });
  steps.addEventListener("change", travel);
  steps.setAttribute("aria-valuetext", STEPS[steps.value]);
  for (const change of ["focus", "blur"]) part.ground.addEventListener(change, redraw);
  redraw();
  whenSeen(section, () => starts.length || part.drop.click());
}

/** The way of points (B, 2) from the noise to the fruits by `denoiseStep` alone: steps + 1 moments {t, x_t, x0_hat}. */
async function road(engine, x_1, steps, signal) {
  const levels = noiseLevels(steps);
  const frames = [];
  let x_t = x_1;
  for (let i = 0; i < steps; i++) {
    const x0_hat = await engine.plane({ x_t, t: levels[i] });
    if (signal.aborted) return frames;
    frames.push({ t: levels[i], x_t, x0_hat });
    x_t = denoiseStep(x_t, x0_hat, levels[i], levels[i + 1]);
  }
  return [...frames, { t: 0, x_t, x0_hat: x_t }];
}

/** Where points have ended: for each the {fruit, colour} that it is near to, or null for one on no fruit. */
function landings(x, clouds, near) {
  return Array.from({ length: x.length / 2 }, (_, i) => {
    const best = { far: near ** 2, found: null };
    for (const { fruit, points } of clouds) {
      for (const point of points) {
        const far = (point.x - x[2 * i]) ** 2 + (point.y - x[2 * i + 1]) ** 2;
        if (far < best.far) Object.assign(best, { far, found: { fruit, colour: point.colour } });
      }
    }
    return best.found;
  });
}

function summary(ends, steps) {
  const on = (fruit) => ends.filter((end) => end?.fruit === fruit).length;
  const [banana, apple] = ["banana", "apple"].map(on);
  const points = ends.length === 1 ? "1 point" : `${ends.length} points`;
  const taken = steps === 1 ? "one giant step" : `${steps} steps`;
  const neither = ends.length - banana - apple;
  return `${points}, ${taken}: ${banana} on the banana, ${apple} on the apple, ${neither} on neither.`;
}
