// Formulas of the book, set by KaTeX while the book is built, so that its pages need no script for them.
// One line of JSON in, {tex, display}; one line out, {html} or {error}.

import { createInterface } from "node:readline";

import katex from "katex";

for await (const line of createInterface({ input: process.stdin })) {
  const { tex, display } = JSON.parse(line);
  let answer;
  try {
    // MathJax, which Jupyter has, takes a name such as \text{x0_hat} as it is
    const strict = tex.replace(/\\text\{[^}]*\}/g, (text) => text.replace(/(?<!\\)_/g, "\\_"));
    answer = { html: katex.renderToString(strict, { displayMode: display, strict: "error" }) };
  } catch (error) {
    answer = { error: error.message };
  }
  console.log(JSON.stringify(answer));
}
