// Captions of one fruit: their words as tokens, what is said about a picture, and the grammar that reads it again.
// The page's half of course_lib.captions and course_lib.fruit.prompts.

import { folder, letters, likeness, oneOf, printable, regex, splitter } from "./reader_text.js";

/** Words with "a" or "an" before them, and nothing before those that mean many, such as grapes. */
export function articles({ many }) {
  return (words) => {
    if (many.has(words.split(" ").at(-1))) return words;
    return `${"aeiou".includes(words[0]) ? "an" : "a"} ${words}`;
  };
}

/** Everything about captions that needs the tables: { encode, phrasings, understand }. */
export function makeCaptions(tables) {
  const { vocabulary, max_words, example, punctuation, kinds, many, colours, backgrounds, size_words } = tables;
  const article = articles(tables);
  const casefold = folder(tables.casefold);
  const split = splitter(tables.spaces + punctuation);
  const number = new Map([...vocabulary].map((word, token) => [word, token]));
  const known = [...vocabulary].filter(Boolean);
  const grammar = regex(
    "^(?:an? )?" +
      `(?:(?<size_word>${oneOf(size_words)}) )?` +
      `(?:(?<colour>${oneOf(colours)}) )?` +
      `(?<kind>${oneOf([...kinds, "fruit"])})` +
      `(?: that (?:is|are) (?<colour_after>${oneOf(colours)}))?` +
      `(?: on an? (?<background>${oneOf(backgrounds)}) background)?$`,
    "u",
  );

  /** A caption cut into words: lower case, punctuation is space. Throws for none, for too many, and for an unknown one. */
  function knownWords(caption) {
    const words = split(casefold(caption));
    const length = letters(caption).length;
    if (!words.length) throw new Error(`The caption holds no word. Write for example ${example}.`);
    if (words.length > max_words || length > 40 * max_words) {
      throw new Error(
        `The caption is too long: ${words.length} words, ${length} characters. ` +
          `Say it in at most ${max_words} words, for example ${example}.`,
      );
    }
    const strange = words.find((word) => !number.has(word));
    if (strange === undefined) return words;
    const shown = letters(strange).slice(0, 40).join("");
    const near = nearest(strange);
    throw new Error(
      `The model never learned the word "${printable(shown)}${shown === strange ? "" : "…"}".` +
        `${near ? ` Did you mean "${near}"?` : ""} It knows: ${known.join(", ")}.`,
    );
  }

  /** The word most like this one, if any is half alike; of two the last in the alphabet, as difflib has it. */
  function nearest(word) {
    const alike = known.map((other) => [likeness(other, word), other]).filter(([ratio]) => ratio >= 0.5);
    alike.sort(([a, x], [b, y]) => b - a || (x < y ? 1 : -1));
    return alike[0]?.[1];
  }

  /** A caption as tokens, Int32Array(max_words): the places of its words in the vocabulary, then zeros. */
  function encode(caption) {
    const tokens = new Int32Array(max_words);
    tokens.set(knownWords(caption).map((word) => number.get(word)));
    return tokens;
  }

  /** Eight captions for one picture; size_word is "" where the size is not worth a word. */
  function phrasings(kind, colour, size_word = "", background = "grey") {
    const sized = `${size_word} ${colour} ${kind}`.trim();
    const where = `on a ${background} background`;
    return [
      `${colour} ${kind}`,
      article(`${colour} ${kind}`),
      `${article(kind)} that ${many.has(kind) ? "are" : "is"} ${colour}`,
      article(sized),
      `${article(`${colour} ${kind}`)} ${where}`,
      `${article(sized)} ${where}`,
      article(kind),
      `${article(colour)} fruit`,
    ];
  }

  /**
   * What a caption asks for: { kind, colour, size_word, background }, each null where it leaves that open.
   * Throws as `encode`, and where all words are known, but say nothing the grammar knows.
   */
  function understand(caption) {
    const text = knownWords(caption).join(" ");
    const asked = text.match(grammar)?.groups;
    if (!asked || (asked.colour && asked.colour_after)) {
      throw new Error(
        `"${text}" has known words, but not in an order the model learned. ` +
          `Ask for one fruit, with its size, colour and background if you like: ${example}.`,
      );
    }
    return {
      kind: asked.kind === "fruit" ? null : asked.kind,
      colour: asked.colour ?? asked.colour_after ?? null,
      size_word: asked.size_word ?? null,
      background: asked.background ?? null,
    };
  }

  return { encode, phrasings, understand };
}
