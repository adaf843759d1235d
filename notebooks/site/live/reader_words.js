// Words that are not ours: of another language, misspelt, or of things that the model never learned. For `reader`.
// The page's half of what course_lib.fruit.reader says about single words. Each check refuses by a Fault, or passes.

import { Fault } from "./reader_things.js";
import { bySpaces, distance, eachLetter, letters, printable, unique, unmarked } from "./reader_text.js";

/** The checks of single words, { checkLanguage, known }, and what others need of words; `cut` cuts a text into them. */
export function makeWords(tables, cut) {
  const { named, colours, backgrounds, size_words, own, same, silent, articles, not } = tables;
  const { meaning, meaning_behind, other_fruit, things_too, no_misspelling, languages, umlauts } = tables;
  const plain = (word) => same.get(word) ?? word;
  const isNamed = (word) => named.has(plain(word));
  const isOurs = (word) =>
    own.has(word) || same.has(word) || silent.has(word) || articles.has(word) || ["is", "grey"].includes(word);

  /** Text as messages show it: printable, and so many characters are enough. */
  function shown(text) {
    const all = letters(text);
    return printable(all.length <= tables.shown ? text : `${all.slice(0, tables.shown).join("")}…`);
  }

  // Other languages

  const dictionaries = new Map();

  /** A language's phrases and what they are in English, the longest first; made when first asked for. */
  function dictionary(language) {
    if (!dictionaries.has(language)) dictionaries.set(language, longestFirst(phrasesOf(language)));
    return dictionaries.get(language);
  }

  function phrasesOf(language) {
    const table = new Map();
    for (const [english, phrases] of languages.get(language)) {
      for (const phrase of phrases.split(",")) table.set(cut(phrase.normalize("NFKC")).join(" "), english);
    }
    if (language === "Vietnamese") return table; // there a mark makes another word
    for (const [phrase, english] of [...table]) {
      const spelt = eachLetter(phrase, (c) => umlauts.get(c) ?? c);
      for (const other of [unmarked(phrase), spelt]) {
        if (!isOurs(other) && !table.has(other)) table.set(other, english);
      }
    }
    return table;
  }

  /** Vietnamese from a keyboard without its marks; of two phrases alike without them the first counts. */
  function withoutMarks() {
    const table = [...dictionary("Vietnamese")].reverse();
    return longestFirst(new Map(table.map(([phrase, english]) => [unmarked(phrase), english])));
  }

  const longestFirst = (table) => new Map([...table].sort(([a], [b]) => b.length - a.length));

  /** Refuses words of another language, with what they are in English. */
  function checkLanguage(words) {
    const strange = words.filter((word) => !isOurs(word) && !meaning.has(word) && !other_fruit.has(word));
    if (!strange.length) return;
    let best = { language: "", english: [], found: 0 };
    for (const language of languages.keys()) {
      const tried = { language, ...translated(words, language, dictionary(language)) };
      if (tried.found > best.found) best = tried;
    }
    // Without its marks, and only then, many a word looks like an English one.
    if (!best.found && words.length > 1) {
      const table = withoutMarks();
      const vietnamese = new Set([...table.keys()].flatMap(bySpaces));
      const tried = { language: "Vietnamese", ...translated(words.map(unmarked), "Vietnamese", table) };
      if (strange.every((word) => vietnamese.has(unmarked(word)))) best = tried;
    }
    if (best.found) {
      const told = shown(strange.filter((word) => !not.has(word)).join(" "));
      throw new Fault(`"${told}" is ${best.language}, and the model learned English.`, best.english);
    }
    const isForeign = (word) => [...languages.keys()].some((language) => dictionary(language).has(word));
    const nowhere = strange.find((word) => !isForeign(word)); // and beside it an article, say, of some language
    if (nowhere && strange.some(isForeign)) throw new Fault(never(nowhere));
  }

  /** Words in English as far as a table goes, and how many of those not ours it turned into ours. */
  function translated(words, language, table) {
    const pieces = language === "Chinese" ? words.flatMap((word) => piecesOf(word, table)) : words;
    const english = [];
    let [found, place] = [0, 0];
    while (place < pieces.length) {
      const phrases = [4, 3, 2, 1].map((length) => pieces.slice(place, place + length));
      const phrase = phrases.find((some, i) => some.length === 4 - i && table.has(some.join(" ")));
      if (phrase) {
        const said = phrase.join(" ");
        const word = table.get(said);
        if (word) english.push(word);
        if (word && word !== "a" && (phrase.length > 1 || !isOurs(said) || named.has(said))) found += phrase.length;
      } else {
        english.push(pieces[place]);
      }
      place += phrase?.length ?? 1;
    }
    const pairs = pieces.slice(1).map((word, i) => `${pieces[i]} ${word}`);
    const says = english.some((word) => named.has(word) || colours.has(word));
    const strange = [...pieces, ...pairs].some((word) => !isOurs(word) && table.has(word));
    return { english, found: says && strange ? found : 0 };
  }

  /** A word written without spaces, cut where the table has words, the longest first. */
  function piecesOf(word, table) {
    const pieces = []; // { text, known }; letters that the table lacks stay together
    let rest = word;
    while (rest) {
      const phrase = [...table.keys()].find((some) => rest.startsWith(some));
      const text = phrase ?? letters(rest)[0];
      if (!phrase && pieces.length && !pieces.at(-1).known) pieces.at(-1).text += text;
      else pieces.push({ text, known: Boolean(phrase) });
      rest = rest.slice(text.length);
    }
    return pieces.some(({ known }) => known) ? pieces.map(({ text }) => text) : [word];
  }

  // Words that nobody taught it

  const never = (word) => `The model never learned the word "${shown(word)}".`;

  /** The words in ours, without those that say nothing. Refuses the first that it does not know. */
  function known(words) {
    const place = words.findIndex((word) => !isOurs(word));
    if (place >= 0) throw strangeWord(words, place);
    const put = words.map(plain).filter((word) => own.has(word) || articles.has(word));
    return put.map((word) => (articles.has(word) ? "a" : word));
  }

  /** What to say of a word that is not ours, and the words mended: another for it, or none. */
  function strangeWord(words, place) {
    const [before, word, after] = [words.slice(0, place), words[place], words.slice(place + 1)];
    const fruitNamed = [...before, ...after].some((other) => isNamed(other) || named.has(near(other)));
    const next = after.map(plain).find((other) => !size_words.has(other));
    const described = named.has(next); // it stands where a colour would
    if (meaning.has(word) && (!things_too.has(word) || described || ["in", "is"].includes(before.at(-1)))) {
      const isBehind = plain(after[0]) === "background" && meaning_behind.has(word);
      const colour = isBehind ? meaning_behind.get(word) : meaning.get(word);
      const told = `${never(word)} The nearest colour that it knows is ${colour}.`;
      return new Fault(told, [...before, colour, ...after]);
    }
    if (other_fruit.has(word) || things_too.has(word)) {
      const coloured = colours.has(plain(before.at(-1)));
      const mended = coloured && !fruitNamed ? [...before, "fruit", ...after] : [...before, ...after];
      return new Fault(`${never(word)} It knows eight fruits, and this is none of them.`, mended);
    }
    const halves = glued(word);
    if (halves) return new Fault(never(word), [...before, ...halves, ...after]);
    const spelt = near(word);
    if (spelt) return new Fault(never(word), [...before, spelt, ...after]);
    const kept = described ? before : withoutLoose(before);
    return new Fault(never(word), fruitNamed ? [...kept, ...after] : []);
  }

  /** Two words of ours written as one: "greenbanana". */
  function glued(word) {
    for (let at = 3; at < word.length - 2; at += 1) {
      const halves = [word.slice(0, at), word.slice(at)];
      if (halves.every(isOurs)) return halves;
    }
    return null;
  }

  /** Words without those after the last joint that were said of a thing we do not know: of a leaf of the fruit, say. */
  function withoutLoose(words) {
    const joint = words.findLastIndex((word) => ["and", ","].includes(plain(word)));
    const loose = joint >= 0 && !words.slice(joint).some((word) => isNamed(word) || plain(word) === "background");
    return loose ? words.slice(0, joint) : words;
  }

  const targets = unique([
    ...named,
    ...colours,
    ...backgrounds,
    ...size_words,
    "background",
    "beside",
    "gray",
    ...same.keys(),
  ]).filter((target) => target.length > 2);

  /** The known word that this is most likely a misspelling of, or null: it begins alike, and few letters differ. */
  function near(word) {
    const spelt = letters(word);
    if (no_misspelling.has(word) || spelt.length > 16) return null;
    const allowed = spelt.length > 6 ? 2 : 1;
    const sorted = (all) => [...all].sort().join("");
    let [best, fewest] = [null, Infinity];
    for (const target of targets) {
      if (target[0] !== spelt[0] || Math.abs(target.length - spelt.length) > allowed) continue;
      if (spelt.length <= 3 && sorted(spelt) !== sorted(target)) continue;
      const steps = distance(word, target);
      if (steps < fewest) [best, fewest] = [target, steps];
    }
    return best && fewest <= allowed && (best.length > 4 || fewest < 2) ? best : null;
  }

  return { isNamed, plain, shown, checkLanguage, known };
}
