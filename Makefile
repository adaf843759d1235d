# Sets up and runs the course. `make` alone lists what it can do. Needs GNU make 3.81 or newer, a POSIX shell and
# Python 3.11 to 3.14; paths are relative, so the course may lie in a folder whose name has spaces.

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PYTHON := $(BIN)/python
READY := $(VENV)/.ready

# The Pythons to try, in order. `make env PYTHONS=/path/to/python3.12` names one.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python

EXTRAS := test
# Exact versions. `make constraints` replaces them.
PINS := constraints.txt

# On Linux the default torch brings GPU libraries, so torch comes from PyTorch's own index of CPU builds. Elsewhere the
# default is a CPU build. `make env TORCH_INDEX=` (empty) takes the default index; any other index can be named too.
ifeq ($(shell uname -s),Linux)
TORCH_INDEX := https://download.pytorch.org/whl/cpu
endif

LAB_PAGE := notebooks/00_start_here.ipynb

CHROMIUM := chromium
define no_chromium
Chromium is missing. On Debian and Ubuntu: sudo apt install chromium
Elsewhere name one: make $@ CHROMIUM=/path/to/chrome
endef
export no_chromium

# npm comes with the extra `site`, beside Python.
NPM := PATH="$$PWD/$(BIN):$$PATH" npm --prefix notebooks/site
NPM_READY := notebooks/site/node_modules/.ready

# Reads the file of questions once more. It asks for a Markdown of 2018, so it stays out of the environment.
GIFT_PARSER := pygiftparser==1.1 yattag==1.16.1

# Where `make bench-peers` keeps torch and the peers, about 6 GB; the course itself uses none of it.
PEERS_PYTHON := $(subst $(VENV),build/peers,$(PYTHON))
PEERS_READY := build/peers/.ready

# The notebooks draw in place: an MPLBACKEND from outside would take their figures away.
unexport MPLBACKEND
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# see course_lib/__init__.py
export GOMP_SPINCOUNT := 2000

.PHONY: help env pictures lab test quick minutes test-browser test-twice test-site test-lectern test-class test-hub \
    site site-open lecture slides handout questions class grade outputs bench-class \
    bench bench-choices bench-controls bench-scaling bench-steps bench-scenes bench-page bench-start bench-peers race \
    tables weights figures checksums constraints clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

env: $(READY)  ## make the environment in .venv (once; again only when its versions change)

lab: pictures  ## open the course in JupyterLab (more options: LABFLAGS="--no-browser")
	$(PYTHON) -m jupyterlab --ServerApp.root_dir="$$PWD" $(LABFLAGS) $(LAB_PAGE)

# Two files or lessons at a time, each on one thread: PyTorch gains little from a second one on work so small.
test: pictures  ## check style, run the tests, run every notebook and compare its outputs
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile --nbval --nbval-current-env \
	    --nbval-sanitize-with tests/nbval.cfg -m "not twice" tests notebooks $(TESTFLAGS)

quick: pictures  ## check style and what takes no training: for between, a few minutes
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pytest -m "not slow and not twice" tests $(TESTFLAGS)

test-browser: pictures  ## play with the widgets in a real JupyterLab in Chromium
	@chromium=$$(command -v $(CHROMIUM)) || { echo "$$no_chromium" >&2; exit 1; }; \
	$(PYTHON) -m pip install --quiet -c $(PINS) --no-build-isolation -e '.[test,browser]' && \
	CHROMIUM="$$chromium" $(PYTHON) -m pytest tests/browser.py tests/browser_presenting.py $(TESTFLAGS)

site: $(NPM_READY)  ## build the course as a site, the live page and the book, into build/site
	PATH="$$PWD/$(BIN):$$PATH" $(PYTHON) -B notebooks/site/make_site.py

site-open: $(READY)  ## serve what `make site` built, on this computer alone, and open it (Ctrl-C ends it)
	@$(PYTHON) -B notebooks/site/serve.py $(SITEFLAGS)

test-site: pictures site  ## build the site, then visit every page of it in Chromium
	@chromium=$$(command -v $(CHROMIUM)) || { echo "$$no_chromium" >&2; exit 1; }; \
	$(PYTHON) -m pip install --quiet -c $(PINS) --no-build-isolation -e '.[test,browser,site]' && \
	$(NPM) run lint && $(NPM) test && \
	CHROMIUM="$$chromium" SITE_DATA="$$PWD/build/site/data" $(PYTHON) -m pytest \
	    tests/site_book.py tests/test_site_reader.py $(addprefix tests/browser_,book.py engine.py live.py live_odd.py) $(TESTFLAGS)

lecture: slides  ## make the slides, and open those of the lecture
	@echo "The lecture is build/slides/lecture.html, its page notebooks/instructor/lecture.md."
	@echo "S opens the speaker's window with the notes, F fills the screen, ? lists all keys."
	@-$(PYTHON) -m webbrowser "file://$$PWD/build/slides/lecture.html" >/dev/null 2>&1

slides: $(NPM_READY)  ## make slides of every lesson and of the lecture, into build/slides
	PATH="$$PWD/$(BIN):$$PATH" $(PYTHON) -B notebooks/lectern/make_slides.py

handout: $(NPM_READY)  ## make all lessons one page to hand out, and a cheat sheet, as HTML and PDF, into build/handout
	@chromium=$$(command -v $(CHROMIUM)) || { echo "$$no_chromium" >&2; exit 1; }; \
	CHROMIUM="$$chromium" PATH="$$PWD/$(BIN):$$PATH" $(PYTHON) -B notebooks/lectern/make_handout.py

questions: $(READY)  ## make the bank of questions a file for Moodle, build/questions.gift
	$(PYTHON) -B notebooks/lectern/make_questions.py

test-lectern: pictures slides  ## look at every slide, the handout and the cheat sheet in Chromium
	@chromium=$$(command -v $(CHROMIUM)) || { echo "$$no_chromium" >&2; exit 1; }; \
	$(PYTHON) -m pip install --quiet -c $(PINS) --no-build-isolation -e '.[test,browser,site]' && \
	$(PYTHON) -m pip install --quiet --upgrade --no-deps --no-build-isolation --target build/gift $(GIFT_PARSER) && \
	CHROMIUM="$$chromium" PATH="$$PWD/$(BIN):$$PATH" PYTHONPATH="$$PWD/build/gift" $(PYTHON) -m pytest \
	    $(addprefix tests/test_,slides.py handout.py questions.py) tests/browser_slides.py tests/browser_handout.py $(TESTFLAGS)

class: $(READY)  ## make the students' and the instructor's versions of the lessons, in build/class
	$(PYTHON) -B notebooks/class/make_class.py $(CLASSFLAGS)

grade: $(READY)  ## grade a folder of submissions (Linux): make grade SUBMISSIONS=submitted, into build/marks.csv
	$(PYTHON) -B notebooks/class/grade.py "$(or $(SUBMISSIONS),$(error Name the folder: make grade SUBMISSIONS=submitted))" \
	    --out build/marks.csv $(GRADEFLAGS)

test-class: pictures  ## hand in odd and hostile solutions, grade them in bubblewrap, compare every mark (Linux)
	$(PYTHON) -m pytest tests/class_grading.py $(TESTFLAGS)

test-hub: pictures $(NPM_READY)  ## run a JupyterHub with three learners on this computer
	$(PYTHON) -m pip install --quiet -c $(PINS) --no-build-isolation -e '.[test,site,hub]'
	PATH="$$PWD/$(BIN):$$PATH" $(PYTHON) -m pytest tests/hub.py $(TESTFLAGS)

test-twice: pictures  ## run each cell again and again, up to three times, and what else takes minutes (about 20 minutes)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist worksteal -m twice tests/test_lessons_twice.py tests/test_panel.py $(TESTFLAGS)

minutes: $(READY)  ## count the minutes that each lesson takes a learner
	$(PYTHON) tests/minutes.py

outputs: pictures  ## run every notebook and keep what it shows, as it is committed (about 15 minutes)
	$(PYTHON) tests/run_notebooks.py notebooks/[0-9]*.ipynb notebooks/instructor/live.ipynb

# On a machine that does nothing else, threads may wait awake for longer: a sixth faster here.
bench bench-choices bench-controls bench-scaling bench-steps bench-scenes bench-page bench-peers race: export GOMP_SPINCOUNT := 40000

bench: pictures  ## measure quality, time and memory
	$(PYTHON) tests/benchmarks/bench.py

bench-choices: pictures  ## measure each choice of the recipe, one at a time (over an hour; resumes)
	$(PYTHON) tests/benchmarks/choices.py

bench-controls: pictures  ## measure what keeps the claim of the green banana honest (over an hour)
	$(PYTHON) tests/benchmarks/controls.py

bench-scaling: pictures  ## measure how close to the machine we are, and how cost grows (under 15 minutes)
	$(PYTHON) tests/benchmarks/scaling.py

bench-steps: pictures  ## measure how good pictures are in few steps (under 20 minutes)
	$(PYTHON) tests/benchmarks/few_steps.py

bench-scenes: $(READY)  ## measure two fruits in one sentence (under 10 minutes)
	$(PYTHON) tests/benchmarks/scenes.py

bench-page: site  ## measure how fast the page draws, beside PyTorch and onnxruntime (2 minutes, in Chromium)
	$(PYTHON) -m pip install --quiet -c $(PINS) --no-build-isolation -e '.[test,browser,site]'
	CHROMIUM="$$(command -v $(CHROMIUM))" $(PYTHON) tests/benchmarks/page.py

bench-class: pictures  ## measure what each lesson, and a class of them, takes of a machine (an hour or more; resumes)
	$(PYTHON) tests/benchmarks/classes.py $(CLASS)

bench-start: pictures  ## measure how long a caller waits, beside an earlier commit (5 minutes, on an idle machine)
	$(PYTHON) tests/benchmarks/start.py

bench-peers: pictures $(PEERS_READY)  ## measure beside other projects (many hours; resumes; PEERS="--only NAME" for one)
	PYTHONPATH="$$PWD" $(PEERS_PYTHON) tests/benchmarks/peers.py $(PEERS)

race: pictures  ## how soon does each entry reach both marks? (hours; resumes; RACE="--verify NAME" checks a record)
	$(PYTHON) tests/benchmarks/race.py $(RACE)

tables: $(READY)  ## write the tables of README.md and data/benchmarks/README.md from what was measured
	$(PYTHON) tests/benchmarks/pages.py

pictures: $(READY)  ## draw the training pictures, if they are not there yet
	$(PYTHON) -m course_lib pictures

# Shipped in half the space; see data/README.md for what that costs.
halved = $(PYTHON) -m course_lib export --to safetensors --half --weights $(1) $(2)

weights: pictures  ## train again the networks that the course ships (hours; resumes)
	$(PYTHON) -m course_lib judge --out data/judge.safetensors
	$(PYTHON) -m course_lib judge --panel --out data/panel.safetensors
	$(PYTHON) -m course_lib train --patch 2 --channels 64 128 192 --times 4 --batch-size 128 --steps 9000 \
	    --learning-rate 4e-3 --guide-above 0.4 --out runs/shipped $(if $(wildcard runs/shipped/run.safetensors),--resume)
	cp runs/shipped/log.csv runs/shipped/denoiser-log.csv
	$(call halved,runs/shipped/denoiser.safetensors,data/denoiser.safetensors)
	mv runs/shipped/denoiser-log.csv data/
	$(PYTHON) -m course_lib train --shuffle-captions --steps 1500 --learning-rate 3e-3 --out runs/shuffled \
	    $(if $(wildcard runs/shuffled/run.safetensors),--resume)
	mv runs/shuffled/denoiser.safetensors data/shuffled.safetensors
	$(PYTHON) -m course_lib broken --out data/broken.safetensors
	$(PYTHON) -m course_lib distill --times 4 --train-steps 600 --out runs/few_steps.safetensors \
	    $(if $(wildcard runs/few_steps-*-steps.safetensors),--resume)
	$(call halved,runs/few_steps.safetensors,data/few_steps.safetensors)
	$(PYTHON) -m course_lib judge --scenes --out data/scene_judge.safetensors
	$(PYTHON) -m course_lib train --scenes --steps 8000 --learning-rate 3e-3 --out runs/scenes \
	    $(if $(wildcard runs/scenes/run.safetensors),--resume)
	cp runs/scenes/log.csv runs/scenes/scene_denoiser-log.csv
	mv runs/scenes/denoiser.safetensors data/scene_denoiser.safetensors
	mv runs/scenes/scene_denoiser-log.csv data/
	$(PYTHON) -m course_lib train --enlarge --steps 4000 --batch-size 64 --learning-rate 3e-3 --out runs/enlarger \
	    $(if $(wildcard runs/enlarger/run.safetensors),--resume)
	$(call halved,runs/enlarger/enlarger.safetensors,data/enlarger.safetensors)
	$(MAKE) figures checksums
	rm -f $(addprefix runs/,$(addsuffix /run.safetensors,shipped shuffled scenes enlarger)) \
	    runs/shipped/denoiser.safetensors runs/few_steps-*-steps.safetensors runs/few_steps.safetensors \
	    runs/enlarger/enlarger.safetensors

figures: $(READY)  ## make the pictures of the README again, from the shipped weights
	$(PYTHON) -m course_lib generate "a green banana" --steps 100 --film --out data/green_banana.png
	$(PYTHON) -m course_lib generate "a blue apple" "a green banana" "a purple watermelon" "a green orange" \
	    "a pink lemon" "a red pear" "a yellow strawberry" "brown grapes" --count 8 --steps 100 --out data/held_out.png
	$(PYTHON) -m course_lib generate "a red apple and a green banana" "a green apple and a red banana" \
	    "two purple pears on a cream background" --count 6 --steps 100 --out data/two_fruits.png
	$(PYTHON) -m course_lib draw "a red apple" "a yellow banana" "a green watermelon" "an orange orange" \
	    "a yellow lemon" "a green pear" "a red strawberry" "purple grapes" --out data/fruit.png

checksums: $(READY)  ## write the checksums of the shipped files into data/README.md
	{ sed '/^```/,$$d' data/README.md; echo '```'; $(PYTHON) -c "$$print_checksums"; echo '```'; } > data/.README.md
	mv data/.README.md data/README.md

define print_checksums
import hashlib, pathlib
for path in sorted(pathlib.Path("data").glob("[!.]*.*")):
    if path.name != "README.md" and not path.match("pictures*.safetensors"):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name, sep="  ")
endef
export print_checksums

# They are looked for, not installed: for the oldest Python of all (Debian 12's is 3.11.2), and with `===` for torch's
# default build, so that the GPU libraries that it brings on Linux are among them.
constraints: $(READY)  ## write constraints.txt anew (on Linux): the newest versions in range, torch as it is
	mkdir -p build
	$(PYTHON) -m pip install --quiet --dry-run --ignore-installed --report build/newest.json --target build/newest \
	    --python-version 3.11.0 --only-binary=:all: --no-build-isolation \
	    "torch===$$(sed -n 's/^torch==//p' constraints.txt)" pip setuptools '.[test,browser,site,hub]'
	{ sed -n '/^#/p' constraints.txt; $(PYTHON) -c "$$print_pins"; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

define print_pins
import json
with open("build/newest.json", encoding="utf-8") as file:
    found = [entry["metadata"] for entry in json.load(file)["install"]]
pins = [f"{about['name']}=={about['version']}" for about in found if about["name"] != "course-lib"]
print(*sorted(pins, key=str.lower), sep="\n")
endef
export print_pins

clean:  ## remove the environment, the drawn pictures and caches; what was trained in runs/ stays
	rm -rf $(VENV) build notebooks/site/node_modules .pytest_cache .ruff_cache *.egg-info data/pictures*.safetensors
	find course_lib notebooks tests -name __pycache__ -prune -exec rm -rf {} +
	find notebooks -name .ipynb_checkpoints -prune -exec rm -rf {} +

# .ready is written last: a set-up that was interrupted leaves none and is taken up again by the next call. The
# pinned pip comes first, so that the same one finds the rest everywhere: Python brings one as old as itself.
$(READY): pyproject.toml $(PINS) $(wildcard .jupyter/* .jupyter/*/*)
	@rm -f $(READY)
	@$(find_python); \
	if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	    echo "Making $(VENV) with $$("$$python" --version)."; \
	    rm -rf $(VENV) && "$$python" -m venv $(VENV); \
	fi
	$(PYTHON) -m pip install -c $(PINS) --upgrade pip
	$(PYTHON) -m pip install -c $(PINS) --upgrade setuptools
	@$(choose_index); \
	$(PYTHON) -m pip install -c $(PINS) --no-deps $$index torch
	$(PYTHON) -m pip install -c $(PINS) --no-build-isolation -e '.[$(EXTRAS)]'
	mkdir -p $(VENV)/etc/ipython $(VENV)/etc/jupyter $(addprefix $(VENV)/share/jupyter/,lab/settings nbconvert/templates)
	cp .jupyter/ipython_kernel_config.py $(VENV)/etc/ipython/
	cp .jupyter/jupyter_nbconvert_config.json $(VENV)/etc/jupyter/
	cp .jupyter/overrides.json $(VENV)/share/jupyter/lab/settings/
	cp -R .jupyter/told $(VENV)/share/jupyter/nbconvert/templates/
	@touch $(READY)
	@echo "The environment is ready."

$(NPM_READY): notebooks/site/package.json notebooks/site/package-lock.json $(READY)
	@rm -f $(NPM_READY)
	$(PYTHON) -m pip install --quiet -c $(PINS) --no-build-isolation -e '.[test,site]'
	$(NPM) ci
	@touch $(NPM_READY)

$(PEERS_READY): tests/benchmarks/peers.txt | $(READY)
	@rm -f $(PEERS_READY)
	$(PYTHON) -m venv build/peers
	@$(choose_index); \
	$(PEERS_PYTHON) -m pip install -c tests/benchmarks/peers.txt --no-deps $$index torch torchvision
	$(PEERS_PYTHON) -m pip install -r tests/benchmarks/peers.txt
	@touch $(PEERS_READY)

# Sets $python to the first of $(PYTHONS) that is new enough for the course, old enough for torch, and has venv.
define find_python
set -e; python=; no_venv=; \
for name in $(PYTHONS); do \
    "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || continue; \
    if "$$name" -c 'import ensurepip, venv' 2>/dev/null; then python=$$name; break; fi; \
    no_venv=$$name; \
done; \
if [ -z "$$python" ] && [ -n "$$no_venv" ]; then \
    echo "$$no_venv has no venv module. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
elif [ -z "$$python" ]; then \
    echo "The course needs Python 3.11, 3.12, 3.13 or 3.14, and found none of them among: $(PYTHONS)." >&2; \
    echo "Install one from python.org or with your package manager, then run make again." >&2; exit 1; \
fi
endef

# Sets $index to pip's options for the index that torch comes from. torch is asked for without its dependencies, so
# that an index of torch builds is used for nothing else; they come with the next step, from the default index.
define choose_index
set -e; index=; \
if [ -n "$(TORCH_INDEX)" ]; then \
    if $(PYTHON) -c 'import urllib.request as u; u.urlopen("$(TORCH_INDEX)/torch/", timeout=5)' 2>/dev/null; then \
        index="--index-url $(TORCH_INDEX)"; \
    else \
        echo "$(TORCH_INDEX) does not answer, so torch comes from pip's default index."; \
        echo "On Linux that may download several GB of GPU libraries, which the course does not need."; \
    fi; \
fi
endef
