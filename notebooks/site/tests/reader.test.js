// The page's reader beside the library's: tests/test_site_reader.py writes what Python says to a file, named in
// READER_TABLE, and runs this. A row holds what is asked, `of`, and what Python says to it, `said`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { makeReader, Unread } from "../live/reader.js";

const path = process.env.READER_TABLE;
const skip = path ? false : "Run `pytest tests/test_site_reader.py`: it writes what the library says, and runs this.";
const table = path ? JSON.parse(readFileSync(path, "utf-8")) : null;
const reader = table && makeReader(table.course);

/** What a call gives, or the sentence with which it refuses; a fault of the reader itself is none. */
function told(ask) {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof Unread) && error.constructor !== Error) throw error;
    return { error: error.message, suggestion: error.suggestion ?? null };
  }
}

/** Compares what the page says with each row, and tells how many differ, and the first of them. */
function agree(rows, ask) {
  assert.ok(rows.length > 0);
  const differ = [];
  for (const { of, said } of rows) {
    const page = told(() => ask(of));
    try {
      assert.deepEqual(page, said);
    } catch {
      differ.push(`${JSON.stringify(of)}\n  Python ${JSON.stringify(said)}\n  page   ${JSON.stringify(page)}`);
    }
  }
  assert.equal(differ.length, 0, `${differ.length} of ${rows.length} differ:\n${differ.slice(0, 20).join("\n")}`);
}

test("single fruits and refusals are read exactly as in Python", { skip }, () => {
  agree(
    table.readings.filter((row) => row.said),
    (prompt) => reader.read(prompt),
  );
});

test("two fruits are refused in a sentence of the page, which offers them one by one", { skip }, () => {
  const scenes = table.readings.filter((row) => row.singles);
  assert.ok(scenes.length > 0);
  for (const { of, singles } of scenes) {
    const error = refusal(of);
    assert.match(error.message, /^This page draws one fruit at a time: ask for "[^"]+"( or "[^"]+")?\.$/);
    assert.deepEqual(error.message.match(/(?<=")[^"]+(?="( or|\.$))/g), singles);
    assert.deepEqual(error.suggestions, singles);
    assert.equal(error.suggestion, singles[0]);
  }
});

test("whatever is offered can be drawn", { skip }, () => {
  let count = 0;
  for (const { of } of table.readings) {
    for (const caption of refusal(of)?.suggestions ?? []) {
      assert.deepEqual(reader.read(caption), { caption, note: "" });
      count += 1;
    }
  }
  assert.ok(count > 500);
});

function refusal(prompt) {
  try {
    reader.read(prompt);
    return null;
  } catch (error) {
    if (error instanceof Unread) return error;
    throw error;
  }
}

test("phrasings, tokens and what captions ask for are those of Python", { skip }, () => {
  agree(table.phrasings, (of) => reader.phrasings(...of));
  agree(table.tokens, (of) => [...reader.encode(of)]);
  agree(table.asked, (of) => reader.understand(of));
});

test("what is no text is refused as such", { skip }, () => {
  for (const odd of [undefined, null, 3, ["a banana"], {}]) assert.throws(() => reader.read(odd), TypeError);
});
