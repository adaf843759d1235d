// What the panels need to know of the course, out of course.json.

/**
 * { kinds, colours, backgrounds, heldOut, paints, usual, apple, clouds, reach, near, nowhere, millions }
 *
 * paints: name to colour, of fruits and backgrounds; usual: network to how it is asked; clouds: [{fruit, points}], a
 * point being {x, y, colour}; millions: how many numbers the network of few steps has.
 */
export function wordsOf({ fruit, networks, apple, plane }) {
  const configs = Object.entries(networks).map(([name, { config }]) => [name, config]);
  return {
    kinds: fruit.kinds,
    colours: Object.keys(fruit.colours),
    backgrounds: Object.keys(fruit.backgrounds),
    heldOut: fruit.held_out.map(([kind, colour]) => ({ kind, colour })),
    paints: { ...fruit.colours, ...fruit.backgrounds },
    usual: Object.fromEntries(configs),
    apple: Float32Array.from(apple),
    clouds: Object.entries(plane.points).map(([name, points]) => ({ fruit: name, points: points.map(pointOf) })),
    reach: plane.reach,
    near: plane.near,
    nowhere: plane.nowhere,
    millions: networks.few_steps.parameters / 1e6,
  };
}

const pointOf = ([x, y, ...rgb]) => ({ x, y, colour: `rgb(${rgb.map((part) => Math.round(255 * part)).join(" ")})` });

/** A colour such as #4cad29 as three numbers in [-1, 1], as pictures have it. */
export const valuesOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 127.5 - 1);
