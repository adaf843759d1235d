// The page: it opens the engine, lets the first panel draw, and then opens the others.

import { Networks } from "./networks.js";
import { makeReader } from "./reader.js";
import { openCompare } from "./panel_compare.js";
import { openEdit } from "./panel_edit.js";
import { openNoise } from "./panel_noise.js";
import { openPaint } from "./panel_paint.js";
import { openPlane } from "./panel_plane.js";
import { openWords } from "./panel_words.js";
import { partsOf } from "./parts.js";
import { readyForFilms } from "./film.js";
import { wordsOf } from "./course.js";

const LATER = ["enlarger", "denoiser", "plane"]; // fetched once the first picture is there
const section = (name) => document.getElementById(name);

async function begin() {
  const networks = new Networks(section("words"));
  const { course } = await networks.open();
  // What panels share; `picture` and `drawing` are what the first and the fifth show.
  const page = { networks, reader: makeReader(course), words: wordsOf(course), picture: null, drawing: null };
  partsOf(section("honest")).millions.textContent = page.words.millions.toFixed(1);
  await openWords(section("words"), page);
  if (!page.picture) await networks.need("few_steps"); // the address asked for what cannot be drawn; the next can
  document.documentElement.dataset.state = "drawn";
  openPaint(section("paint"), page);
  openCompare(section("compare"), page);
  openEdit(section("edit"), page);
  openNoise(section("noise"), page);
  openPlane(section("plane"), page);
  if (navigator.connection?.saveData) return; // then each network is fetched when something needs it
  await readyForFilms().catch(() => {}); // whoever saves a film is told
  for (const name of LATER) await networks.prepare(name);
  document.documentElement.dataset.state = "ready"; // from here on all works offline
}

begin();
