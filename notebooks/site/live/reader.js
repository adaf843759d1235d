// From what people type to a caption of the grammar, as course_lib.fruit.reader does it, function by function.
//
//     typed        "Please draw a big, green banana!"
//     words        please draw a big , green banana         normal letters, punctuation gone but for commas
//     known words  a large , green banana                   what says nothing is gone, other words are put in ours
//     things       one of (banana, green, large)
//     caption      "a large green banana"
//
// Every table comes from course.json, which Python writes. What it cannot read it never guesses at: it refuses, says
// why, and offers the nearest caption that it would take. A step that meets a fault mends the words, and what the
// mended words read as is what is offered.

import { makeCaptions } from "./reader_captions.js";
import { bySpaces, decimal, eachLetter, folder, letters, oneOf, regex, unique } from "./reader_text.js";
import { Fault, makeThings } from "./reader_things.js";
import { makeWords } from "./reader_words.js";

/**
 * What a person typed is no caption. `suggestion` is one that Python's reader takes, or null; `suggestions`, a list, are
 * what this page can draw of it: a pair of fruits one by one.
 */
export class Unread extends Error {
  constructor(reason, suggestion = null, suggestions = suggestion ? [suggestion] : []) {
    const offered = suggestion && !reason.includes(`"${suggestion}"`);
    super(offered ? `${reason} Did you mean "${suggestion}"?` : reason);
    this.name = "Unread";
    Object.assign(this, { suggestion, suggestions });
  }
}

/** Lists as sets and objects as maps, which know no word but their own; both keep Python's order. */
function opened(value) {
  if (Array.isArray(value)) return new Set(value);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, inner]) => [name, opened(inner)]));
}

/** What reads prompts for a page whose course.json this is: { read, encode, phrasings, understand }. */
export function makeReader(course) {
  const tables = Object.fromEntries(opened(course.reader));
  const { named, colours, backgrounds, size_words, example, max_characters, max_typed } = tables;
  const { same, phrases, signs, emoji, other_emoji, like, not } = tables;
  const { partBackground, arrange, say } = makeThings(tables);
  const { isNamed, plain, shown, checkLanguage, known } = makeWords(tables, cut);
  const casefold = folder(tables.casefold);
  const white = new Set(tables.spaces);
  const fraction = regex(tables.fraction, "u"); // numbers that count no fruit

  /**
   * { caption, note } of what a person typed: what is drawn, and what to say where it was put in other words, or "".
   * Throws `Unread`, whose message is for whoever typed it.
   */
  function read(prompt) {
    if (typeof prompt !== "string") throw new TypeError(`A caption is text, such as ${example}, not ${typeof prompt}.`);
    const words = split(prompt);
    const length = letters(prompt).length;
    if (length > max_characters || words.length > max_typed) {
      const long = `The prompt is too long: ${words.length} words, ${length} characters.`;
      throw new Unread(`${long} Say it in at most ${max_typed} words, for example ${example}.`);
    }
    const normal = prompt.normalize("NFKC");
    const number = normal.match(fraction)?.[0];
    if (number) {
      const told = `The model never learned what "${shown(number)}" would be of a fruit: it counts one or two.`;
      throw unread(told, split(normal.replaceAll(number, " ")));
    }
    const { meaning, fault } = tried(words);
    if (fault) throw unread(fault.message, fault.mended);
    checkOne(meaning);
    const caption = say(meaning);
    return { caption, note: differs(words, split(caption)) ? `understood as: ${caption}` : "" };
  }

  /** Whether it was put in other words; case, articles and punctuation alone are no other words. */
  function differs(typed, caption) {
    const told = (words) => words.filter((word) => !["a", "an", "the", ","].includes(word)).join(" ");
    return told(typed) !== told(caption);
  }

  // The page draws single fruits. Python draws two as well, with another network.

  /** Refuses two fruits, and a background that only those were shown on. */
  function checkOne(meaning) {
    const { things, behind } = meaning;
    const offered = singles(meaning);
    if (things.length > 1) {
      const quoted = offered.map((single) => `"${single}"`).join(" or ");
      throw new Unread(`This page draws one fruit at a time: ask for ${quoted}.`, offered[0], offered);
    }
    if (behind && !backgrounds.has(behind)) {
      throw new Unread(`This network learned fruit on ${[...backgrounds].join(", ")} only.`, offered[0]);
    }
  }

  /** What was asked for, one fruit at a time, each once. */
  function singles({ things, behind }) {
    const kept = backgrounds.has(behind) ? behind : null;
    return unique(things.map((thing) => say({ things: [thing], joint: null, behind: kept })));
  }

  // Words

  /** Normalises text and cuts it into words; a comma is one of them. Emoji are fruits where no word is one. */
  function split(typed) {
    let text = casefold(typed.normalize("NFKC")); // of full-width and combined letters
    text = casefold(text.normalize("NFKC")); // and of what small letters make of them
    text = text.replace(/[’‘]/g, "'").replace(/\p{Cf}/gu, "");
    text = eachLetter(text, (c) => (signs.has(c) ? ` ${signs.get(c)} ` : c));
    text = text.replace(regex(String.raw`(\b(?:two|2)\b[^:,]*):`), "$1,"); // what follows are the two
    let words = cut(text);
    const shownFruit = [...emoji].filter(([sign]) => text.includes(sign)).map(([, fruit]) => fruit);
    const said = words.map(plain);
    const isFruit = (word) => (named.has(word) && word !== "orange") || shownFruit.includes(word);
    if (shownFruit.length && !said.some(isFruit)) {
      const counted = (run, sign) => (emoji.has(sign) ? `${letters(run).length} ${sign}` : run);
      const runs = text.replace(/([^\n])\1+/gu, counted);
      words = cut(eachLetter(runs, (c) => (emoji.has(c) ? ` ${emoji.get(c)} ` : c)));
    }
    return words.length ? words : cut(eachLetter(text, (c) => ` ${other_emoji.get(c) ?? ""} `));
  }

  function cut(text) {
    const kept = eachLetter(text, (c) => (isLettered(c) || "',;&+".includes(c) ? c : " "));
    const words = kept.replaceAll(";", ",").match(/[,&+]|[^ ,&+]+/g) ?? [];
    return words.map(bare).filter(Boolean);
  }

  /** Letters, numbers and their marks; also what no person types: it is kept, and refused as a word. */
  function isLettered(c) {
    const styled = /[\uFE00-\uFE0F]/.test(c); // how an emoji is to look
    return (/[\p{L}\p{N}\p{Mn}\p{Mc}]/u.test(c) && !styled) || (/[\p{Cc}\p{Cs}\p{Co}\p{Cn}]/u.test(c) && !white.has(c));
  }

  /** A word without the apostrophe and what hangs on it: "that's", "l'orange"; "isn't" keeps it. */
  function bare(quoted) {
    const word = quoted.replace(/^'+|'+$/g, "");
    const mark = word.indexOf("'");
    if (mark < 0) return word;
    const [head, tail] = [word.slice(0, mark), word.slice(mark + 1)];
    if (tail === "t") return word;
    return ["l", "d"].includes(head) && letters(tail).length > 2 ? tail : head;
  }

  // Steps

  /** What some words mean, for `say`. Each line is a step; each of them may refuse. */
  function meant(typed) {
    let words = phrased(typed);
    checkNot(words);
    checkLanguage(words);
    checkLikeness(words);
    words = known(words);
    checkChoice(words);
    const [rest, behind] = partBackground(words);
    try {
      return { ...arrange(rest), behind };
    } catch (fault) {
      if (fault instanceof Fault && behind) fault.mended.push("on", behind, "background");
      throw fault;
    }
  }

  /** { meaning } of some words, or { fault }. */
  function tried(words) {
    try {
      return { meaning: meant(words) };
    } catch (fault) {
      if (fault instanceof Fault) return { fault };
      throw fault;
    }
  }

  /** The refusal, with what mended words read as; where they are faulty too, those are mended in their turn. */
  function unread(reason, mended) {
    let words = mended;
    for (let time = 0; time < max_typed; time += 1) {
      const { meaning, fault } = tried(words);
      if (meaning) {
        const caption = say(meaning);
        return caption === "a fruit" ? new Unread(reason) : new Unread(reason, caption, singles(meaning));
      }
      words = fault.mended;
      if (!words.length) break;
    }
    return new Unread(reason);
  }

  const someKind = [...named, ...[...same.keys()].filter(isNamed)].filter((word) => word !== "orange");
  const patterns = [...phrases].map(([phrase, one]) => [
    regex(String.raw`\b(?:${phrase.replaceAll("KIND", oneOf(someKind))})(?!\S)`),
    one.replace(/\\(\d)/g, "$$$1"),
  ]);

  /** Several words for one put in that one, and numbers in words. */
  function phrased(words) {
    let text = words.join(" ");
    for (const [pattern, one] of patterns) text = text.replace(pattern, one);
    return bySpaces(text).map(numbered);
  }

  function numbered(word) {
    const count = decimal(word.replace(/x$/, "").replace(/^x/, ""));
    return count === null ? word : (["no", "a", "two"][count] ?? "several");
  }

  function checkNot(words) {
    const place = words.findIndex((word) => not.has(word));
    if (place < 0) return;
    const [before, after] = [words.slice(0, place), words.slice(place + 1)];
    const next = plain(after[0]);
    const described = colours.has(next) || size_words.has(next);
    const told = words[place].replaceAll("_", " ");
    throw new Fault(
      `The model never learned "${told}": it draws what is said, and leaves nothing out.`,
      described && after.length > 1 ? [...before, ...after.slice(1)] : before,
    );
  }

  function checkLikeness(words) {
    const place = words.findIndex((word, i) => like.has(word) && words.slice(0, i).some(isNamed));
    if (place < 0) return;
    const told = words[place].replaceAll("_", " ");
    throw new Fault(`The model never learned to compare: leave out what follows "${told}".`, words.slice(0, place));
  }

  function checkChoice(words) {
    const place = words.indexOf("or");
    if (place < 0) return;
    const before = words.slice(0, place);
    const other = words.slice(place + 1).filter((word) => named.has(word));
    const mended = before.some((word) => named.has(word)) ? before : [...before, ...other.slice(0, 1)];
    throw new Fault('"Or" leaves the choice to the model, which makes none. Say the one that you want.', mended);
  }

  return { read, ...makeCaptions(tables) };
}
