// The plane as a picture: the two fruits, pale; the points on their way; where each thinks that it is going.

const FEW = 12; // up to so many points, their guesses are drawn
const MANY = 400; // up to so many, their roads
const PAPER = "#fffdf7";
const INK = "#222";

export class PlanePicture {
  /** clouds, reach, nowhere: the fruits, how far the plane is shown, and the colour of points on no fruit. */
  constructor(canvas, { clouds, reach, nowhere }) {
    Object.assign(this, { reach, nowhere });
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.ends = [];
    this.unit = canvas.width / 640; // lengths below are those of a canvas of 640 pixels
    this.ground = document.createElement("canvas");
    this.ground.width = this.ground.height = canvas.width;
    const pen = this.ground.getContext("2d");
    pen.fillStyle = PAPER;
    pen.fillRect(0, 0, canvas.width, canvas.width);
    pen.globalAlpha = 0.35;
    for (const { x, y, colour } of clouds.flatMap(({ points }) => points)) {
      dot(pen, this.#at([x, y]), 3.2 * this.unit, colour);
    }
  }

  /** What colour each point has, by where it ends: [{colour} or null]. */
  colour(ends) {
    this.ends = ends;
  }

  /** Draw the points at a moment of their film; `at` counts its steps. */
  draw(frames, moment, at, cross) {
    const { pen } = this;
    pen.drawImage(this.ground, 0, 0);
    const count = moment ? moment.x_t.length / 2 : 0;
    const colours = Array.from({ length: count }, (_, i) => this.ends[i]?.colour ?? this.nowhere);
    const few = count <= FEW;
    for (let i = 0; i < count && count <= MANY; i++) {
      pen.globalAlpha = few ? 1 : 0.25;
      const past = frames.slice(0, Math.floor(at) + 1).map(({ x_t }) => this.#at(pair(x_t, i)));
      line(pen, [...past, this.#at(pair(moment.x_t, i))], colours[i], (few ? 4 : 1.5) * this.unit);
    }
    pen.globalAlpha = 1;
    for (let i = 0; i < count; i++) {
      if (few && moment.t > 0) this.#guess(this.#at(pair(moment.x_t, i)), this.#at(pair(moment.x0_hat, i)));
      dot(pen, this.#at(pair(moment.x_t, i)), (few ? 9 : 5) * this.unit, colours[i], "#fff");
    }
    if (this.canvas.matches(":focus-visible")) this.#strokes(this.#at(cross), 14, [1, 0], [0, 1]);
  }

  /** A dotted line from a point to its guess. */
  #guess(here, guess) {
    const { pen } = this;
    pen.setLineDash([4 * this.unit, 5 * this.unit]);
    line(pen, [here, guess], INK, 2 * this.unit);
    pen.setLineDash([]);
    this.#strokes(guess, 6, [1, 1], [1, -1]);
  }

  /** Two short lines that cross at a place. */
  #strokes([x, y], length, ...ways) {
    const far = length * this.unit;
    for (const [right, down] of ways) {
      const ends = [-far, far].map((by) => [x + by * right, y + by * down]);
      line(this.pen, ends, INK, 3 * this.unit);
    }
  }

  /** From the plane to the canvas. */
  #at([right, up]) {
    const half = this.canvas.width / 2;
    return [half * (1 + right / this.reach), half * (1 - up / this.reach)];
  }
}

const pair = (x, i) => [x[2 * i], x[2 * i + 1]];

function dot(pen, [x, y], radius, colour, edge) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = colour;
  pen.fill();
  if (!edge) return;
  pen.strokeStyle = edge;
  pen.lineWidth = 1.5;
  pen.stroke();
}

function line(pen, points, colour, width) {
  pen.beginPath();
  for (const point of points) pen.lineTo(...point);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
}
