// A film of a generation: it plays while it is being made, and can be slid back through, moment by moment.

import { denoiseStep } from "./noise.js";
import { make, still, told } from "./parts.js";
import { show } from "./pixels.js";

const LASTS = 3; // seconds of a film, unless that
const SLOWEST = 0.35; // would be more than so many for a step

/**
 * Films side by side, as long as each other, with one slider for all.
 *
 * views: [{canvas, film, part, what}]: which film (0, 1, ...) and which part of it ("x_t" or "x0_hat") a canvas shows.
 * onMoment: is told of each moment of the first film that is shown: ({t, x_t, x0_hat, here}, {at, crisp}).
 */
export class Player {
  constructor(root, views, { onMoment = () => {}, label = "moment" } = {}) {
    this.views = views;
    this.onMoment = onMoment;
    this.slider = make("input", { type: "range", min: 0, max: 1, step: 1, value: 0, disabled: true });
    this.slider.setAttribute("aria-label", label);
    this.output = make("output", { textContent: told(1) });
    this.button = make("button", { type: "button", textContent: "Play", disabled: true, className: "quiet" });
    root.append(this.button, this.slider, this.output);
    this.slider.addEventListener("input", () => {
      this.follows = false;
      this.to(Number(this.slider.value));
    });
    this.button.addEventListener("click", () => this.play());
    this.begin(1);
  }

  /** Forget the film; another one is coming, of about so many steps. */
  begin(steps, films = 1) {
    this.steps = steps;
    this.pace = Math.min(LASTS / steps, SLOWEST);
    this.films = Array.from({ length: films }, () => []);
    this.whole = false;
    this.large = null;
    this.at = 0;
    this.follows = true;
    this.slider.max = steps;
    this.slider.value = 0;
    this.slider.disabled = this.button.disabled = true;
    this.button.hidden = still();
  }

  /** How many moments of all films are there. */
  get arrived() {
    return Math.min(...this.films.map((film) => film.length));
  }

  /** Where the film ends: at the enlarged picture, if there is one. */
  get end() {
    return this.steps + (this.large ? 1 : 0);
  }

  /** A moment has been computed. */
  push(frame, film = 0) {
    this.films[film].push(frame);
    if (!this.arrived) return;
    if (this.arrived === 1) this.to(0);
    if (!still()) this.#run();
  }

  /** That was the last moment. */
  finish() {
    this.whole = true;
    this.slider.max = this.steps = this.arrived - 1;
    this.slider.disabled = this.button.disabled = false;
    if (still()) this.to(this.end);
    else this.#run();
  }

  /** The last picture has been enlarged: one more moment. */
  pushLarge(large) {
    this.large = large;
    this.slider.max = this.end;
    if (still() && this.follows) this.to(this.end);
    else this.#run();
  }

  /** From the noise again. */
  play() {
    this.at = 0;
    this.follows = true;
    this.#run();
  }

  /** What a film shows at a moment; between two of them, where the road between them leads. */
  moment(at, film = 0) {
    const here = Math.min(Math.floor(at), this.arrived - 1);
    const frame = this.films[film][here];
    const next = this.films[film][here + 1];
    const share = next ? Math.min(at - here, 1) : 0;
    if (!share) return { ...frame, here };
    const t = frame.t + share * (next.t - frame.t);
    return { t, x_t: denoiseStep(frame.x_t, frame.x0_hat, frame.t, t), x0_hat: frame.x0_hat, here };
  }

  /** Go to a moment, and show it. */
  to(at) {
    this.at = at;
    if (!this.arrived) return;
    const crisp = at > this.steps && this.large !== null;
    const moments = this.films.map((_, film) => this.moment(at, film));
    const [{ t }] = moments;
    for (const { canvas, film = 0, part, what } of this.views) {
      const x = crisp && part === "x0_hat" ? this.large : moments[film][part];
      show(canvas, x, `${what}, ${told(t)}`);
    }
    this.output.textContent = crisp ? "enlarged" : told(t);
    if (this.slider.value !== String(Math.round(at))) this.slider.value = Math.round(at);
    this.slider.setAttribute("aria-valuetext", this.output.textContent);
    this.onMoment(moments[0], { at, crisp });
  }

  /** Play on, from where it is to what is there; `push` and `finish` wake it again. */
  #run() {
    if (this.running) return;
    this.running = true;
    this.clock = null;
    const tick = (now) => {
      const until = this.whole ? this.end : this.arrived - 1;
      const passed = (now - (this.clock ?? now)) / 1000;
      const at = Math.min(this.at + passed / this.pace, until);
      this.running = this.follows && at < until;
      this.clock = now;
      if (this.follows) this.to(at > this.steps ? this.end : at);
      if (this.running) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
}
