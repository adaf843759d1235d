// From known words to what they ask for: a background, one thing or two, and what stands between them. For `reader`.
// The page's half of course_lib.fruit.reader_things, function by function. Words are lists of texts; a part is such a
// list between two joints, such as two, large, green, banana.

import { articles } from "./reader_captions.js";
import { bySpaces, oneOf, regex, unique } from "./reader_text.js";

const AT_SIDE = ["at_left", "at_right"];

/** Why some words are no caption, and the words mended as far as this fault goes. */
export class Fault extends Error {
  constructor(reason, mended = []) {
    super(reason);
    this.mended = mended;
  }
}

/** What arranges words into things, and says things as a caption: { partBackground, arrange, say }. */
export function makeThings(tables) {
  const { kinds, plurals, many, colours, backgrounds, scene_backgrounds, example } = tables;
  const { counts, places, named, size_words, joints: JOINTS, ends: ENDS, said: SAID } = tables;
  const article = articles(tables);
  const isNamed = (word) => named.has(word);
  const isKind = (word) => kinds.has(word);

  // A colour of a fruit is marked, which tells it from a background's, and the colour orange from the fruit.
  const hued = new Set([...colours].map((colour) => `${colour}_hue`));
  const unhued = (word) => (word.endsWith("_hue") ? word.slice(0, -"_hue".length) : word);

  // Backgrounds

  const hue = `(?<hue>${oneOf([...scene_backgrounds, ...colours])})`;
  const behind = `(?<hue>${oneOf(scene_backgrounds)})`;
  const noFruit = String.raw`(?! ${oneOf(named)}\b)`;
  const BEHIND = [
    String.raw`\b(?:(?:on|in|and|,|over|before|in_front_of) )*(?:a )?${hue} background\b`,
    String.raw`(?:(?:on|in|and|,|over) )*\b(?:a )?background (?:in )?(?:a )?${hue}\b${noFruit}`,
    String.raw`\b(?:on|over|in_front_of) (?:a )?${behind}(?= (?:and|,|at_\w+)(?: |$)|$)`,
  ].map((source) => regex(source));
  const PLAIN = regex(String.raw`(?:(?:on|in|and|,|over|in_front_of) )*(?:a )?\bbackground\b`);

  /** The words without those of the background, and its colour or null. */
  function partBackground(words) {
    let text = words.join(" ");
    const found = [];
    for (const pattern of BEHIND) {
      found.push(...[...text.matchAll(pattern)].map((match) => match.groups.hue));
      text = text.replace(pattern, " ; ");
    }
    const rest = bySpaces(text.replace(/^[; ]+|[; ]+$/g, "").replaceAll(";", ","));
    const hues = unique(found);
    if (hues.length > 1) throw new Fault("A picture has one background.", [...rest, "on", hues[0], "background"]);
    if (hues.length && !scene_backgrounds.has(hues[0])) {
      throw new Fault(`The model never learned a background that is ${hues[0]}.`, rest);
    }
    if (rest.includes("background")) {
      const mended = bySpaces(rest.join(" ").replace(PLAIN, " "));
      throw new Fault("The background has no colour that the model learned.", mended);
    }
    return [rest, hues[0] ?? null];
  }

  // Things: { kind, colour, size_word }, each null where it was left open

  const bare = ({ size_word, colour }) => [size_word, colour].filter(Boolean).join(" ");
  const told = (thing) => article(`${bare(thing)} ${thing.kind ?? "fruit"}`.trim());
  const same = (a, b) => a.kind === b.kind && a.colour === b.colour && a.size_word === b.size_word;

  function kindsOf(part) {
    const some = unique(part.filter(isKind));
    return some.length ? some : part.filter((word) => word === "fruit").slice(0, 1);
  }
  const coloursOf = (part) => unique(part.filter((word) => hued.has(word)).map(unhued));
  const sizesOf = (part) => unique(part.filter((word) => size_words.has(word)));
  const countOf = (part) => Math.max(1, ...part.map((word) => counts.get(word) ?? 1));

  /** One thing or two, and what joins them: { things, joint }; joint is "two" for two alike, null for one. */
  function arrange(words) {
    const ends = words.filter((word) => ENDS.has(word));
    let [parts, joints] = partsOf(words);
    if (!parts.length) {
      throw new Fault(`The prompt holds no word that says what to draw. Write for example ${example}.`);
    }
    const oneKind = unique(parts.map((part) => kindsOf(part)[0])).length === 1;
    if (parts.length === 3 && countOf(parts[0]) === 2 && oneKind && !coloursOf(parts[0]).length) {
      [parts, joints] = [parts.slice(1), joints.slice(1)]; // "two bananas, one green and one yellow"
    }
    const things = parts.flatMap((part, place) => {
      const thing = thingOf(parts, joints, place);
      return Array(Math.min(countOf(part), 3)).fill(thing);
    });
    if (things.length > 2) {
      const joint = countOf(parts[0]) > 1 ? "two" : "and";
      const offered = say({ things: things.slice(0, 2), joint, behind: null });
      throw new Fault("That is more than the model learned to draw: two fruits at most.", offered.split(" "));
    }
    if (things.length === 1) {
      if (ends.some((word) => AT_SIDE.includes(word))) {
        const mended = words.filter((word) => !ENDS.has(word));
        throw new Fault("One fruit alone stands in the middle.", mended);
      }
      return { things, joint: null };
    }
    if (parts.length === 1) return { things, joint: "two" };
    let joint = joints.find((word) => ["beside", "left_of", "right_of"].includes(word)) ?? "and";
    if (ends.includes("at_beside") && joint === "and") joint = "beside";
    return { things, joint: sideOf(words) ?? joint };
  }

  /** The thing of one of several parts; a fruit has one colour of its own and one size. */
  function thingOf(parts, joints, place) {
    const part = parts[place];
    const backdrop = part.find((word) => backgrounds.has(word));
    if (backdrop) {
      const name = backdrop[0].toUpperCase() + backdrop.slice(1);
      const mended = rejoin(parts, joints, place, [backdrop]);
      throw new Fault(`${name} is a background, and no colour of a fruit that the model learned.`, mended);
    }
    const [said, sizes] = [coloursOf(part), sizesOf(part)];
    if (said.length > 1) {
      const both = said.slice(0, 2);
      const pair = both.flatMap((colour) => ["a", colour, kindsOf(part)[0], "and"]).slice(0, -1);
      const mended = parts.length === 1 && countOf(part) === 2 ? pair : rejoin(parts, joints, place, said.slice(1));
      throw new Fault(`One fruit has one colour, and this one has two: ${both.join(" and ")}.`, mended);
    }
    if (sizes.length > 1) {
      throw new Fault("One fruit has one size.", rejoin(parts, joints, place, sizes.slice(1)));
    }
    const [kind] = kindsOf(part);
    return { kind: kind === "fruit" ? null : kind, colour: said[0] ?? null, size_word: sizes[0] ?? null };
  }

  /** Where the first of two things stands, by "on the left" or "on the right" said of it or of the second. */
  function sideOf(words) {
    const place = words.findIndex((word) => AT_SIDE.includes(word));
    if (place < 0) return null;
    const before = words.slice(0, place).filter(isNamed).length;
    const later = words.slice(place).some(isNamed);
    const ofFirst = before === 0 || (before === 1 && later && !["and", ","].includes(words[place - 1]));
    return (words[place] === "at_left") === ofFirst ? "left_of" : "right_of";
  }

  /** Words cut at their joints: [parts, joints]; a part without a fruit joins its neighbour. */
  function partsOf(words) {
    let groups = [[]];
    const joints = [];
    for (const word of withoutPlaces(words.filter((other) => !ENDS.has(other)))) {
      if (JOINTS.has(word)) {
        groups.push([]);
        joints.push(word);
      } else {
        groups.at(-1).push(word);
      }
    }
    const withA = groups.map((group) => group.includes("a"));
    groups = groups.map((group, place) =>
      oranges(group, !place || joints[place - 1] !== "," || withA[place] || !withA[0]),
    );
    const parts = [];
    let between = [];
    let waiting = []; // words that describe a fruit which is still to come
    groups.forEach((group, place) => {
      piecesOf(group).forEach((piece, number) => {
        const joint = number ? "and" : place ? joints[place - 1] : ",";
        const plain = piece.filter((word) => word !== "a");
        const kind = plain.find(isNamed);
        const describes = waiting.some((word) => hued.has(word) || size_words.has(word));
        if (!plain.length) {
          if (place < joints.length && joint !== "," && ["and", ","].includes(joints[place])) joints[place] = joint;
        } else if (kind && waiting.includes("a") && piece.includes("a") && describes && joint !== ",") {
          parts.push([...waiting, kind], piece); // "a red and a green apple"
          between.push(",", joint);
          waiting = [];
        } else if (kind) {
          parts.push([...waiting, ...piece]);
          between.push(joint);
          waiting = [];
        } else if (parts.length && piece.includes("a") && (joint !== "," || countOf(parts[0]) > 1)) {
          parts.push([...piece, kindsOf(parts.at(-1))[0]]); // "and a green one"
          between.push(joint);
        } else if (parts.length && (joint === "," || place === groups.length - 1)) {
          parts.push([...parts.pop(), ...piece]);
        } else {
          waiting.push(...piece);
        }
      });
    });
    if (waiting.some((word) => hued.has(word) || size_words.has(word) || backgrounds.has(word))) {
      if (parts.length) parts.push([...parts.pop(), ...waiting]);
      else parts.push([...waiting, "fruit"]);
      if (!between.length) between = [","];
    }
    return [parts, between.slice(1)];
  }

  /** The words without an "in" that only describes, as in "a banana in green"; refuses all other places. */
  function withoutPlaces(words) {
    const place = words.findIndex((word) => places.has(word));
    if (place < 0) return words;
    const [word, before, after] = [words[place], words.slice(0, place), words.slice(place + 1)];
    const described = !after.length || colours.has(after[0]) || size_words.has(after[0]) || after[0] === "orange_hue";
    if (word === "in" && described) return withoutPlaces([...before, ...after]);
    const where = word.replaceAll("_", " ");
    const hueBehind = after.find((other) => colours.has(other) || backgrounds.has(other));
    if (word === "on" && hueBehind && !after.some((other) => isNamed(other) && other !== "orange")) {
      const never = `The model never learned a background that is ${hueBehind}.`;
      throw new Fault(backgrounds.has(hueBehind) ? "A picture has one background." : never, before);
    }
    if (before.some(isNamed) && after.some(isNamed)) {
      const never = `The model never learned "${where}"; two fruits stand side by side.`;
      throw new Fault(never, [...before, "and", ...after]);
    }
    throw new Fault(`The model never learned "${where}" here.`, [...before, ...after]);
  }

  /** Words with every colour marked, and with it each "orange" that is one: before a fruit, or after the only one. */
  function oranges(group, alone) {
    const others = group.some((word) => isNamed(word) && word !== "orange");
    return group.map((word, place) => {
      if (word !== "orange") return colours.has(word) ? `${word}_hue` : word;
      const after = group.slice(place + 1).filter((other) => !size_words.has(other));
      const coloured = group.slice(0, place).some((other) => colours.has(other));
      const behindFruit = others && group[place - 1] !== "a" && !coloured;
      const shade = after.slice(0, 2).some((other) => colours.has(other) && other !== "orange") && isNamed(after[1]);
      return behindFruit || shade || isNamed(after[0]) || !(alone || others) ? "orange_hue" : "orange";
    });
  }

  /** Things that stand side by side without a joint: "red apple green banana", "apple red banana green". */
  function piecesOf(group) {
    if (unique(group.filter(isKind)).length < 2) return [group];
    const plain = group.filter((word) => word !== "a" && !size_words.has(word));
    const [fruit, shade, other] = plain;
    const once = group.filter((word) => word === "a").length < 2;
    if (plain.length === 3 && isKind(fruit) && hued.has(shade) && once) {
      // "an apple-green pear"
      const mended = [...group.slice(0, group.indexOf(fruit)), unhued(shade), other];
      throw new Fault(`"${fruit} ${unhued(shade)}" is no colour that the model learned.`, mended);
    }
    const telling = group.filter((word) => word !== "a" && !counts.has(word));
    const fruitFirst = isKind(telling[0]) && !isKind(telling.at(-1)); // and its colour after it
    const pieces = [[]];
    for (const word of group) {
      const piece = pieces.at(-1);
      const another = isKind(word) && !piece.includes(word);
      const begins = fruitFirst ? another : another || !isKind(word);
      if (piece.some(isKind) && begins) pieces.push([]);
      pieces.at(-1).push(word);
    }
    if (!pieces.at(-1).some(isKind)) {
      const rest = pieces.pop();
      pieces.at(-1).push(...rest);
    }
    return pieces;
  }

  /** Parts as words again, those in `without` left out of one of them. */
  function rejoin(parts, joints, place, without) {
    return parts.flatMap((part, number) => {
      const words = part.map((word) => (word === "orange_hue" ? word : unhued(word)));
      const kept = words.filter((word) => number !== place || !without.includes(unhued(word)));
      return number ? [joints[number - 1], ...kept] : kept;
    });
  }

  // The caption

  /** The caption for one thing or two; joint is what stands between two, or "two" for two alike. */
  function say({ things, joint, behind }) {
    const [first, second] = things;
    const alike = joint === "two" && first.kind && same(first, second);
    const said = alike ? two(first) : things.map(told).join(` ${SAID.get(joint) ?? "and"} `);
    return behind ? `${said} on ${article(behind)} background` : said;
  }

  const two = (thing) =>
    ["two", many.has(thing.kind) ? "bunches of" : "", bare(thing), plurals.get(thing.kind)].filter(Boolean).join(" ");

  return { partBackground, arrange, say };
}
