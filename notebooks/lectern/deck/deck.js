// Begins a deck: gives its slides their notes, if these lie beside it, and starts reveal.js.

const slides = [...document.querySelectorAll(".slides > section > section")];
if (typeof NOTES !== "undefined") {
  slides.forEach((slide, i) => {
    const notes = document.createElement("aside");
    notes.className = "notes";
    notes.innerHTML = NOTES[i];
    slide.append(notes);
  });
}

Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0,
  center: false,
  controls: false,
  progress: true,
  slideNumber: "c/t",
  hash: true,
  navigationMode: "linear", // one key leads through all; in the overview, a section is a column
  transition: "none",
  backgroundTransition: "none",
  pdfSeparateFragments: false, // as many pages as slides
  pdfMaxPagesPerSlide: 1,
  plugins: [RevealNotes],
});
