// Text as Python sees it, for `reader`: an index counts whole letters, \w and \b know every script, and lower case is
// `str.casefold`. What JavaScript has no name for comes from Python in tables. Letters newer than the Unicode of either
// side are the one thing on which they may differ.

const WORD = String.raw`[\p{L}\p{N}_]`;
const IN_JAVASCRIPT = {
  b: `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`,
  w: WORD,
  d: String.raw`\p{Nd}`,
};
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** A regular expression as Python means it; only names of groups are written JavaScript's way, (?<name>...). */
export function regex(source, flags = "gu") {
  return new RegExp(
    source.replace(/\\([bwd])/g, (_, letter) => IN_JAVASCRIPT[letter]),
    flags,
  );
}

/** Some words as one group of a regular expression, one of which it takes. */
export const oneOf = (words) => `(?:${[...words].join("|")})`;

/** A list or a set without repeats, as a list in its order. */
export const unique = (items) => [...new Set(items)];

/** The letters of a text, one code point each: Python's `list(text)`. */
export const letters = (text) => [...text];

/** A text with each letter changed. */
export const eachLetter = (text, change) => letters(text).map(change).join("");

/** Words between spaces. Words of ours hold no other white space. */
export const bySpaces = (text) => text.split(" ").filter(Boolean);

/** The same for whatever was typed: Python's `text.split()`, which knows other white space than JavaScript. */
export function splitter(spaces) {
  const white = new Set(spaces);
  return (text) => bySpaces(eachLetter(text, (c) => (white.has(c) ? " " : c)));
}

/** Python's `str.casefold`: lower case, and the letters of which it makes something else, in a table. */
export const folder = (casefold) => (text) => eachLetter(text, (c) => casefold.get(c) ?? c.toLowerCase());

/** Text in which whatever a screen would act on is escaped, as Python does: control characters, lone surrogates. */
export const printable = (text) => eachLetter(text, (c) => (PRINTABLE.test(c) ? c : escaped(c)));

function escaped(c) {
  const short = { "\t": "\\t", "\n": "\\n", "\r": "\\r" }[c];
  if (short) return short;
  const code = c.codePointAt(0);
  const [sign, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${sign}${code.toString(16).padStart(digits, "0")}`;
}

/** The number that decimal digits of any script mean, or null: Python's `int` where `str.isdecimal`. */
export function decimal(text) {
  if (!/^\p{Nd}+$/u.test(text)) return null;
  return Number(eachLetter(text, digit));
}

/** Every script has its digits in a row, 0 to 9, so what counts is how many digits stand before this one. */
function digit(c) {
  let before = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(c.codePointAt(0) - 1 - before))) before += 1;
  return before % 10;
}

/** Letters without their marks: "tao" for "táo", and "d" for the Vietnamese "đ". */
export const unmarked = (text) => eachLetter(text.replaceAll("đ", "d").normalize("NFD"), (c) => (combines(c) ? "" : c));

/** Whether a letter combines with the one before. Marks are put in order, and U+0345 is the last of all. */
function combines(c) {
  const last = "\u0345";
  return c === last || (last + c).normalize("NFD") !== last + c;
}

/** How many letters are left out, put in, changed or swapped with the next between two words. */
export function distance(first, second) {
  const [a, b] = [letters(first), letters(second)];
  const rows = [[...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = rows[i - 1][j - 1] + (a[i - 1] !== b[j - 1]);
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, changed);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows.at(-1).at(-1);
}

/** How alike two words are, 0 to 1: `difflib.SequenceMatcher(None, first, second).ratio()`, for fewer than 200 letters. */
export function likeness(first, second) {
  const [a, b] = [letters(first), letters(second)];
  return (2 * common(a, b)) / (a.length + b.length);
}

/** Letters in common: those of the longest run that both have, and those in common before it and after it. */
function common(a, b) {
  let [longest, endA, endB, lengths] = [0, 0, 0, []];
  for (let i = 0; i < a.length; i += 1) {
    const next = [];
    for (let j = 0; j < b.length; j += 1) {
      if (a[i] !== b[j]) continue;
      next[j] = (lengths[j - 1] ?? 0) + 1;
      if (next[j] > longest) [longest, endA, endB] = [next[j], i + 1, j + 1];
    }
    lengths = next;
  }
  if (!longest) return 0;
  const before = common(a.slice(0, endA - longest), b.slice(0, endB - longest));
  return before + longest + common(a.slice(endA), b.slice(endB));
}
