// A link that holds what was asked for: #prompt=a+green+banana&seed=3&network=few_steps&steps=4&guidance=1

export const SEEDS = 2 ** 31 - 1; // the largest seed that can be typed
const NUMBERS = { seed: [0, SEEDS, 1], steps: [1, 100, 1], guidance: [-2, 8, 0.5] }; // least, most, in steps of
const NETWORKS = ["few_steps", "denoiser"];

/** The address of this page with settings {prompt, seed, network, steps, guidance}; without what no link can hold. */
export function linkTo(settings) {
  const address = new URL(location.href);
  const held = Object.entries(settings).filter(([name, value]) => fits(name, String(value)));
  address.hash = new URLSearchParams(held).toString();
  return address.href;
}

/**
 * What a fragment asks for: {settings, fault}. No settings where it is none of ours; where a part of it cannot be read,
 * `fault` is a sentence, and there are no settings either.
 */
export function readLink(fragment) {
  const text = fragment.replace(/^#/, "");
  if (!text.includes("=")) return { settings: null, fault: "" };
  const settings = {};
  for (const [name, value] of new URLSearchParams(text)) {
    if (!fits(name, value)) {
      const part = `${name}=${value}`;
      const shown = part.length > 40 ? `${part.slice(0, 40)}…` : part;
      return { settings: null, fault: `The link was not followed, because “${shown}” in it cannot be read.` };
    }
    settings[name] = name in NUMBERS ? Number(value) : value;
  }
  return { settings, fault: "" };
}

function fits(name, value) {
  if (name === "prompt") return true; // the reader says what is wrong with it
  if (name === "network") return NETWORKS.includes(value);
  if (!Object.hasOwn(NUMBERS, name) || !/^-?\d+(\.\d+)?$/.test(value)) return false;
  const [least, most, step] = NUMBERS[name];
  const number = Number(value);
  return number >= least && number <= most && Number.isInteger((number - least) / step);
}
