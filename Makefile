# The commands that people type. Each brings the set-up up to date first (a fraction of a second when it is).

PYTHON ?= python3
DEMO ?= full
# Test files that run side by side.
JOBS ?= 2
# Relative, so that a space in the path of the checkout does no harm.
VENV := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo test faults fuzz soak lint bench bench-train bench-infer bench-finetune bench-sim2real config audit licences docs tutorials docker-check release-check pins clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup: ## an environment in .venv with everything at pinned versions; PYTHON=python3.12 picks the interpreter
	@$(PYTHON) scripts/setup.py

demo: setup ## the whole loop, live: DEMO=full (11 minutes on 2 cores) or DEMO=quick (4 minutes); results in runs/demo
	@$(VENV) -m perception_train.demo --preset $(DEMO)

test: lint ## lint, then every test, two files at a time (JOBS=4: four); ARGS='-k name' passes on to pytest
	@$(VENV) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

faults: setup ## everything that may go wrong, done on purpose; the table goes to docs/benchmarks (half an hour)
	@$(VENV) -m pytest test/faults --faults docs/benchmarks $(ARGS)

fuzz: setup ## broken bytes for every reader, ten minutes of a core each; ARGS='--targets manifest --minutes 1'
	@$(VENV) test/faults/fuzzing.py $(ARGS)

soak: setup ## an hour of camera, swaps and training; ARGS='--bundle MODEL_REPO/NAME/VERSION --json FILE'
	@$(VENV) -m bench.soak $(ARGS)

lint: setup ## ruff, then mypy in strict mode on what runs on the robot
	@$(VENV) -m ruff check .
	@$(VENV) -m mypy

bench: setup ## the benchmarks: ratios against peers measured in the same run
	@$(VENV) -m bench

bench-sim2real: setup ## train on synthetic pictures alone, score on photographs (an hour); ARGS='--world cones_and_balls'
	@$(VENV) -m bench.sim2real run $(ARGS)

bench-train: setup ## our trainer beside Ultralytics' on the same data; ARGS='--dataset … --validation … --yolo OTHER/bin/yolo'
	@$(VENV) -m bench.peers $(ARGS)

bench-infer: setup ## our node beside yolo_ros on the same camera; ARGS='--bundle … --python OTHER/bin/python'
	@$(VENV) -m bench.yolo_ros $(ARGS)

bench-finetune: setup ## fine-tune on 9 photographs against training on these alone (45 minutes on 2 cores)
	@$(VENV) -m bench.finetune $(ARGS)

config: setup ## write config/*.yaml anew from the parameter declarations
	@$(VENV) scripts/make_config.py

audit: setup ## look the pinned versions up in a list of known vulnerabilities (needs a network); ARGS='--service osv'
	@$(VENV) scripts/audit.py $(ARGS)

licences: setup ## write docs/licences.md anew: the licence of every pinned package
	@$(VENV) scripts/licences.py

docs: setup ## the site of docs/, into site/ (open site/index.html); a link or an anchor that leads nowhere ends it
	@NO_MKDOCS_2_WARNING=1 $(VENV) -m mkdocs build

tutorials: setup ## every command of README and docs, with fewer pictures and steps; ARGS='-k own-object'
	@TUTORIALS=whole $(VENV) -m pytest test/packaging/test_site_commands.py $(ARGS)

docker-check: setup ## what can be known of the images without building one; asks the package index for every wheel
	@$(VENV) docker/check $(ARGS)

release-check: setup ## whether this checkout can be released: builds, installs and tries it; ARGS=--quick only reads files
	@$(VENV) scripts/release_check.py $(ARGS)

pins: ## resolve requirements/*.pins.txt anew; ARGS=--upgrade takes the newest versions
	@$(PYTHON) scripts/pin.py $(ARGS)

clean: ## remove what building and testing left behind (not .venv, not runs)
	@rm -rf build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
