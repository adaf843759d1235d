// Small things that all panels use: parts of the page by name, new elements, what is said aloud.

/** The elements of a section that have a name in `data-part`, by that name. */
export function partsOf(section) {
  const found = {};
  for (const element of section.querySelectorAll("[data-part]")) {
    found[element.dataset.part.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())] = element;
  }
  return found;
}

/** A new element: properties are set as given, children are elements or text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Say a sentence to those who listen to the page. The same sentence twice is said twice. */
export function announce(sentence) {
  const spoken = document.getElementById("spoken");
  spoken.textContent = spoken.textContent === sentence ? `${sentence}\u00a0` : sentence;
}

/** Whether somebody asked their device for less motion. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A noise level as the course writes it. */
export const told = (t) => `t = ${t.toFixed(2)}`;

/** Do something once, when an element is nearly in sight. */
export function whenSeen(element, act) {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      act();
    },
    { rootMargin: "150px" },
  );
  observer.observe(element);
}

/**
 * What answers a wish, one at a time: `wishFor` reads what is wished, or tells why not and returns null; `work` does it,
 * and gives up when its signal says that another wish has come. What either stops with is told by `fail`.
 */
export function oneAtATime(wishFor, work, fail) {
  let running = new AbortController();
  return async () => {
    let mine = null;
    try {
      const wish = wishFor();
      if (wish === null) return;
      running.abort();
      mine = running = new AbortController();
      await work(wish, mine.signal);
    } catch (error) {
      if (!mine?.signal.aborted) fail(error);
    }
  };
}

/** A new seed by chance. */
export const anySeed = () => Math.floor(Math.random() * 100_000);
