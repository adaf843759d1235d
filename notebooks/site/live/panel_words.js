// Words to picture: a prompt, pure noise, and what becomes of it.

import { download, nameOf, pngOf, show } from "./pixels.js";
import { ask, asked, captionOf, refuse, unseen, withWord } from "./prompts.js";
import { anySeed, announce, make, oneAtATime, partsOf } from "./parts.js";
import { filmOf } from "./film.js";
import { Generator } from "./random.js";
import { linkTo, readLink } from "./link.js";
import { Player } from "./player.js";

const NUMBERS = 3 * 32 * 32; // of a picture
const NETWORKS = { few_steps: "the network of few steps", denoiser: "the network of many steps" };

/** Open the panel; resolves once there is a first picture. */
export function openWords(section, page) {
  const part = partsOf(section);
  const { prompt } = part.ask.elements;
  const { seed, network, steps, guidance } = part.settings.elements;
  const result = { caption: "", frames: [], large: null };
  const guessing = [...part.guessTitle.childNodes];
  const noisy = [...part.noisyTitle.childNodes];
  const views = [
    { canvas: part.noisy, part: "x_t", what: "Noisy picture" },
    { canvas: part.guess, part: "x0_hat", what: "The network's guess" },
  ];
  const player = new Player(part.player, views, {
    label: "Moment, from the noise to the picture",
    onMoment: ({ t }, { crisp }) => {
      part.noisyTitle.replaceChildren(...(t > 0 ? noisy : ["the picture, 32 by 32 pixels"]));
      if (section.classList.toggle("crisp", crisp)) {
        part.guessTitle.replaceChildren("the picture, enlarged");
        part.guess.setAttribute("aria-label", `The picture: ${result.caption}, 128 by 128 pixels`);
      } else part.guessTitle.replaceChildren(...guessing);
    },
  });

  const settings = () => ({
    prompt: prompt.value,
    seed: Number(seed.value),
    network: network.value,
    steps: Number(steps.value),
    guidance: Number(guidance.value),
  });

  const draw = oneAtATime(
    () => {
      const reading = ask(page.reader, prompt, part.answer);
      tellChips();
      if (!reading) return null;
      seed.removeAttribute("aria-invalid");
      if (seed.checkValidity()) return { caption: reading.caption, ...settings() };
      refuse(part.answer, "A seed is a whole number from 0 to 2,147,483,647.", seed);
      return null;
    },
    async (wish, signal) => {
      const { caption, network, seed, steps, guidance } = wish;
      section.dataset.state = "drawing";
      player.begin(steps);
      show(part.noisy, new Generator(seed).normal(NUMBERS), "Pure noise");
      allow(false);
      tellUnseen(caption);
      const engine = await page.networks.need(network);
      if (signal.aborted) return;
      const { guidance_interval } = page.words.usual[network];
      const how = { network, seed, steps, guidance_scale: guidance, guidance_interval, signal };
      const frames = [];
      for await (const frame of engine.generate({ ...how, tokens: page.reader.encode(caption) })) {
        if (signal.aborted) return;
        frames.push(frame);
        player.push(frame);
      }
      player.finish();
      Object.assign(result, { caption, frames, large: null });
      page.picture = frames.at(-1).x_t;
      section.dataset.state = "drawn";
      allow(true);
      announce(`Drawn: ${caption}, by ${NETWORKS[network]}, in ${steps} steps.`);
      enlarge(signal, seed);
    },
    (error) => refuse(part.answer, error.message),
  );

  /** The last picture, enlarged; it is one moment more of the film. */
  const enlarge = async (signal, chance) => {
    try {
      const engine = await page.networks.need("enlarger");
      if (signal.aborted) return;
      let large = null;
      for await (large of engine.enlarge({ small: page.picture, seed: chance, signal })) if (signal.aborted) return;
      result.large = large;
      player.pushLarge(large);
      section.dataset.state = "enlarged";
    } catch (error) {
      if (!signal.aborted) refuse(part.answer, `The picture stays small. ${error.message}`);
    }
  };

  const allow = (yes) => {
    part.savePicture.disabled = part.saveFilm.disabled = !yes;
  };

  const tellUnseen = (caption) => {
    const pair = unseen(page.words, page.reader, caption);
    part.seal.hidden = !pair;
    part.seal.textContent = pair && `Never in the training set: no picture and no caption told of ${pair}.`;
  };

  const chips = [];
  const tellChips = () => {
    const now = asked(page.reader, prompt.value);
    for (const { chip, kind, word } of chips) chip.setAttribute("aria-pressed", word === now[kind]);
  };
  const addChip = (place, label, colour, captionFor) => {
    const chip = make("button", { type: "button", className: "chip", textContent: label });
    if (colour) {
      const dot = make("span", { className: "dot" });
      dot.style.background = page.words.paints[colour];
      chip.prepend(dot);
    }
    chip.addEventListener("click", () => {
      prompt.value = captionFor();
      again();
    });
    place.append(chip);
    return chip;
  };
  for (const [kind, place] of Object.entries({ colour: part.colours, kind: part.kinds })) {
    for (const word of kind === "colour" ? page.words.colours : page.words.kinds) {
      const captionFor = () => withWord(page.words, page.reader, prompt.value, kind, word);
      chips.push({ chip: addChip(place, word, kind === "colour" && word, captionFor), kind, word });
    }
  }
  for (const { kind, colour } of page.words.heldOut) {
    const caption = captionOf(page.reader, kind, colour);
    addChip(part.unseen, caption.replace(/^an? /, ""), colour, () => caption);
  }

  /** Draw what somebody asked for, and let the address hold it. */
  const again = () => {
    history.replaceState(null, "", linkTo(settings()));
    return draw();
  };

  const tellNumbers = () => {
    part.stepsTold.textContent = steps.value;
    part.guidanceTold.textContent = guidance.value;
  };
  const usual = () => {
    const { steps: many, guidance_scale } = page.words.usual[network.value];
    steps.value = many;
    guidance.value = guidance_scale;
    tellNumbers();
  };

  /** Begin with what the address asks for; what cannot be read in it is told. */
  const followLink = () => {
    const { settings: wanted, fault } = readLink(location.hash);
    if (wanted) {
      if (wanted.network) network.value = wanted.network;
      usual();
      for (const [name, field] of Object.entries({ prompt, seed, steps, guidance })) {
        if (name in wanted) field.value = wanted[name];
      }
      tellNumbers();
    }
    const drawing = draw();
    if (fault) refuse(part.answer, fault);
    return drawing;
  };

  part.ask.addEventListener("submit", (event) => {
    event.preventDefault();
    again();
  });
  part.settings.addEventListener("submit", (event) => event.preventDefault());
  prompt.addEventListener("input", tellChips);
  part.settings.addEventListener("input", tellNumbers);
  part.settings.addEventListener("change", ({ target }) => {
    if (target.name === "network") usual();
    again();
  });
  part.newNoise.addEventListener("click", () => {
    seed.value = anySeed();
    again();
  });
  part.savePicture.addEventListener("click", async () => {
    download(await pngOf(result.large ?? result.frames.at(-1).x_t), `${nameOf(result.caption)}.png`);
  });
  part.saveFilm.addEventListener("click", async () => {
    try {
      download(await filmOf(result.frames, result.large), `${nameOf(result.caption)}.gif`);
    } catch {
      refuse(
        part.answer,
        "What writes films could not be fetched. Connect to the internet, and press the button again.",
      );
    }
  });
  part.copyLink.addEventListener("click", async () => {
    const address = linkTo(settings());
    history.replaceState(null, "", address);
    try {
      await navigator.clipboard.writeText(address);
      announce("Link copied.");
      part.copyLink.textContent = "Copied";
      setTimeout(() => (part.copyLink.textContent = "Copy link"), 2000);
    } catch {
      refuse(part.answer, "This browser does not let pages copy. The link stands in its address bar.");
    }
  });
  addEventListener("hashchange", () => location.hash.includes("=") && followLink());
  part.few.textContent = page.words.usual.few_steps.steps;
  part.many.textContent = page.words.usual.denoiser.steps;
  usual();
  tellChips();
  return followLink();
}
