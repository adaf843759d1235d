"""Make the slides: `make slides`. A deck for each lesson and one for the lecture, in build/slides.

reveal.js shows them; all it needs lies beside them, and no page asks another host for anything. Code and formulas are
set here, so that the decks need no script for them. Notes lie in files of their own: publish a deck without them if
answers are to stay folded.
"""

import json
import math
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
from lessons import NOTEBOOKS, ROOT, all_lessons
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from slides import LINK, Slide, of_lecture, of_lesson

HERE = Path(__file__).resolve().parent
SITE = ROOT / "notebooks" / "site"
MODULES = SITE / "node_modules"
OUT = ROOT / "build" / "slides"
LECTURE = NOTEBOOKS / "instructor" / "lecture.md"
REVEAL = ["reset.css", "reveal.css", "reveal.js", "plugin/notes.js"]
PRE = '<pre style="white-space: pre-wrap; font-size: 70%">'  # code in the speaker's narrow window
WIDE = 1.5  # a picture wider than this, in heights, has its code above it, not beside it

sys.path.append(str(SITE))
from katex import Katex  # noqa: E402
from make_site import whole_folder  # noqa: E402


@dataclass
class Deck:
    name: str
    title: str
    question: str
    slides: list[Slide]


class Setter:
    """Sets Markdown, formulas and code as HTML."""

    def __init__(self, katex: Katex):
        self.katex = katex
        self._slide, self._note = self._markdown(self.formula), self._markdown(self._mathml)

    def formula(self, tex: str, display: bool = True) -> str:
        return self.katex.set(tex, display)

    def _mathml(self, tex: str, display: bool) -> str:
        """MathML, which browsers set without the style sheet that the speaker's window lacks."""
        return re.search(r"<math.*</math>", self.formula(tex, display), re.DOTALL).group()

    def _markdown(self, formula: Callable) -> MarkdownIt:
        markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        render = lambda tex, options: formula(tex, options["display_mode"])  # noqa: E731
        return markdown.use(dollarmath_plugin, allow_space=False, renderer=render)

    def words(self, text: str) -> str:
        """Markdown as HTML, for a slide. Links lead nowhere on a projector: their words stay."""
        return self._slide.render(LINK.sub(r"\1", text))

    def line(self, text: str) -> str:
        """One line of Markdown."""
        return self._slide.renderInline(LINK.sub(r"\1", text))

    def note(self, text: str) -> str:
        """The same for the speaker's window."""
        return self._note.render(LINK.sub(r"\1", text)).replace("<pre>", PRE)

    def code(self, text: str) -> str:
        """Python, a line an element: a line too long for the slide goes on under itself."""
        lines = highlight(text, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).rstrip("\n").split("\n")
        indents = [len(line) - len(line.lstrip()) for line in text.split("\n")]
        pairs = zip(lines, indents, strict=True)
        return "".join(f'<span class="line" style="--in: {indent}ch">{line or " "}</span>' for line, indent in pairs)


def sizes(slide: Slide) -> str:
    """The sizes of title, words and code, in pixels of a slide of 1280 x 720: as large as fits, roughly counted."""

    def height(size: int) -> float:
        code, total = min(size, 32), 0.0
        for what, content, _ in slide.shows:
            if what in ("code", "text"):
                lines = content.split("\n")
                total += sum(max(1, math.ceil(len(line) * 0.61 * code / 1110)) for line in lines) * 1.35 * code + 50
            elif what in ("words", "question"):
                lines = (content if what == "words" else content[1]).split("\n")
                rows = sum(math.ceil(len(line) * 0.54 * size / 1130) for line in lines)
                total += (1.35 * rows + 0.3 * len(lines)) * size + 16
                total += 60 + 0.1 * 1.35 * rows * size if what == "question" else 0
            elif what == "answers":
                total += math.ceil(len(content) / 2) * (86 if max(map(len, content)) < 32 else 124) + 18
            elif what == "formula":
                total += 150
        return total + (300 if slide.figures else 0)

    room = 420 if slide.kind == "opening" else 540
    size = next((size for size in (38, 34, 32, 30, 28, 26) if height(size) <= room), 24)
    letters = len(slide.title + slide.minutes)
    title = 44 if letters < 42 else 36 if letters < 52 else 32
    widest = max((len(line) for what, text, _ in slide.shows if what == "text" for line in text.split("\n")), default=1)
    text = max(22, min(size, 32, int(1110 / 0.61 / widest)))  # a table is not broken
    formula = 46 if all(len(tex) < 60 for what, tex, _ in slide.shows if what == "formula") else 36
    return f"--title: {title}px; --words: {size}px; --code: {min(size, 32)}px; --text: {text}px; --formula: {formula}px"


def layout(slide: Slide) -> str:
    """Classes that say how the parts of a slide lie: code beside a narrow picture, above a wide one."""
    figures = slide.figures
    code = [what for what, _, _ in slide.shows if what != "figure"] == ["code"]
    side = code and len(figures) == 1 and figures[0].width < WIDE * figures[0].height
    row = len(figures) > 1 and all(one.width < 2.2 * one.height for one in figures)
    names = [slide.kind or "plain", "beside" if side else "", "row" if row else "", "pictures" if figures else ""]
    return " ".join(name for name in names if name)


def stacks(slides: list[Slide]) -> list[list[Slide]]:
    """Slides with those that lie below them."""
    found: list[list[Slide]] = []
    for slide in slides:
        if slide.below:
            found[-1].append(slide)
        else:
            found.append([slide])
    return found


def gather(lecture: Path, folder: Path = NOTEBOOKS) -> list[Deck]:
    """The decks: the lecture's, if its page is there, and one for each lesson of the folder.

    Raises ValueError or OSError, with what is wrong where.
    """
    decks = []
    if lecture.is_file():
        page = lecture.read_text(encoding="utf-8")
        decks.append(Deck("lecture", "From noise to a green banana", "The lecture", of_lecture(page)))
    for lesson in all_lessons(folder):
        decks.append(Deck(lesson.name, f"{lesson.number}. {lesson.title}", lesson.question, of_lesson(lesson)))
    return decks


def write(decks: list[Deck], out: Path) -> None:
    """Write the decks, their list, and all that they need, into an empty folder."""
    katex = Katex(str(SITE / "formulas.mjs"))
    setter = Setter(katex)
    folder = jinja2.FileSystemLoader(HERE / "deck")
    pages = jinja2.Environment(loader=folder, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    pages.filters |= {name: getattr(setter, name) for name in ("words", "line", "code", "formula")}
    pages.globals |= {"sizes": sizes, "layout": layout, "stacks": stacks}
    for name in ("notes", "figures", "reveal", "katex/fonts"):
        (out / name).mkdir(parents=True)
    try:
        for deck in decks:
            html = pages.get_template("deck.html").render(deck=deck)
            (out / f"{deck.name}.html").write_text(html, encoding="utf-8")
            notes = ["".join(map(setter.note, slide.notes)) for slide in deck.slides]
            (out / "notes" / f"{deck.name}.js").write_text(f"const NOTES = {json.dumps(notes)};\n", encoding="utf-8")
            for figure in {figure.name: figure for slide in deck.slides for figure in slide.figures}.values():
                (out / "figures" / f"{figure.name}.png").write_bytes(figure.png)
    finally:
        katex.close()
    (out / "index.html").write_text(pages.get_template("index.html").render(decks=decks), encoding="utf-8")
    for path in [*(HERE / "deck").glob("deck.*s")]:  # .css and .js
        shutil.copy(path, out)
    for name in REVEAL:
        shutil.copy(MODULES / "reveal.js" / "dist" / name, out / "reveal")
    shutil.copy(MODULES / "reveal.js" / "LICENSE", out / "reveal")
    shutil.copy(MODULES / "katex" / "dist" / "katex.min.css", out / "katex")
    shutil.copy(MODULES / "katex" / "LICENSE", out / "katex")
    for path in (MODULES / "katex" / "dist" / "fonts").glob("*.woff2"):
        shutil.copy(path, out / "katex" / "fonts")


def main() -> None:
    if not (MODULES / "reveal.js").is_dir():
        sys.exit("The packages of the slides are missing. `make slides` fetches them, then makes the slides.")
    try:
        decks = gather(LECTURE)
        with whole_folder(OUT) as out:
            write(decks, out)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    count = sum(len(deck.slides) for deck in decks)
    print(f"{len(decks)} decks, {count} slides: open {OUT.relative_to(ROOT)}/index.html in a browser.")


if __name__ == "__main__":
    main()
