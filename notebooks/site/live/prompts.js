// What people type: read, answered in place, put together from chips.

import { announce, make } from "./parts.js";

/**
 * Read the prompt in a text field. What the reader has to say stands in `answer`: a note, or why not, with suggestions
 * that can be clicked. Returns {caption, note}, or null for what cannot be read.
 */
export function ask(reader, input, answer) {
  try {
    const reading = reader.read(input.value);
    reply(answer, reading.note, input);
    return reading;
  } catch (error) {
    if (!("suggestion" in error)) throw error;
    const offered = error.suggestions ?? (error.suggestion ? [error.suggestion] : []);
    refuse(answer, error.message, input);
    for (const caption of offered) {
      const take = make("button", { type: "button", className: "chip", textContent: caption });
      take.addEventListener("click", () => {
        input.value = caption;
        input.focus();
        input.form.requestSubmit();
      });
      answer.append(take);
    }
    return null;
  }
}

/** Say something below a field, or nothing. */
export function reply(answer, sentence, input) {
  answer.replaceChildren(...(sentence ? [make("p", { textContent: sentence })] : []));
  answer.classList.remove("fault");
  if (input) {
    answer.id ||= `${input.id}-answer`;
    input.setAttribute("aria-describedby", answer.id);
    input.removeAttribute("aria-invalid");
  }
  if (sentence) announce(sentence);
}

/** Say below a field what is wrong. */
export function refuse(answer, sentence, input) {
  reply(answer, sentence, input);
  answer.classList.add("fault");
  input?.setAttribute("aria-invalid", "true");
}

/** The prompt with a word put into it, in place of its "colour" or its "kind". */
export function withWord(words, reader, prompt, part, word) {
  const { colour, kind, size_word, background } = { ...asked(reader, prompt), [part]: word };
  const said = reader.phrasings(
    kind ?? words.kinds[0],
    colour ?? words.colours[0],
    size_word ?? "",
    background ?? words.backgrounds[0],
  ); // the fourth names size, colour and kind, the sixth the background too, the last two the kind or the colour
  if (kind && colour) return said[background ? 5 : 3];
  return said[kind ? 6 : 7];
}

/** What a prompt asks for: {kind, colour, size_word, background}, each null where it is left open, or nothing is read. */
export function asked(reader, prompt) {
  try {
    return reader.understand(reader.read(prompt).caption);
  } catch {
    return { kind: null, colour: null, size_word: null, background: null };
  }
}

/** The caption of a kind in a colour: the second of its phrasings, "a green banana". */
export const captionOf = (reader, kind, colour) => reader.phrasings(kind, colour)[1];

/** What of a caption training never showed, as a caption of its own, or "". */
export function unseen(words, reader, caption) {
  const { kind, colour } = asked(reader, caption);
  const held = words.heldOut.some((pair) => pair.kind === kind && pair.colour === colour);
  return held ? captionOf(reader, kind, colour) : "";
}
