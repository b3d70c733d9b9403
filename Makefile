# `make` alone lists the targets. The only thing needed is Python 3.11 or newer; PYTHON=... chooses one.
# Linux without a GPU: make book TORCH_INDEX=https://download.pytorch.org/whl/cpu  takes the small build of PyTorch.

PYTHON ?= python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)

ENVIRONMENT = $(PYTHON) book/tools/environment.py $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))
OLD_PYTHON = import sys; v = sys.version.split()[0]; \
	sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, $(PYTHON) is " + v + "; \
	say which one: make PYTHON=python3.12 " + "$(MAKECMDGOALS)")

.DEFAULT_GOAL := help
.PHONY: help book test chapters homes lab clean python

help:
	@echo "make book      build the HTML, strictly, and say where it is"
	@echo "make test      build the book, then run every test: the package, the site in a browser, each chapter"
	@echo "make chapters  run the notebooks and store them in their normal form; ARGS=\"07 13\" names some,"
	@echo "               ARGS=--check only verifies the form, RETIME=1 also renews the outputs of timing cells"
	@echo "make homes     the live figures in JupyterLab 4 and 3, Notebook 7 and 6, for real (not part of make test);"
	@echo "               ARGS=\"lab3 notebook6\" names some"
	@echo "make lab       open the chapters in Jupyter Lab"
	@echo "make clean     remove what was built; .venv* and node_modules stay (remove them by hand)"

python:
	@$(PYTHON) -c '$(OLD_PYTHON)'

# Sphinx warns about pages that it reads: after a failure all are read again, or the next build would be silent.
book: python
	@$(ENVIRONMENT) --site
	$(BIN)/jupyter-book build . -W -n --keep-going || { rm -rf _build/.doctrees; exit 1; }
	@$(BIN)/python -c 'import pathlib; print("The book: " + pathlib.Path("_build/html/index.html").resolve().as_uri())'

# The same sums on every machine: hashes and the number of threads are fixed.
test: export PYTHONHASHSEED = 0
test: export OMP_NUM_THREADS ?= 2
test: python
	@rm -rf _build/html _build/.doctrees
	@$(MAKE) --no-print-directory book
	@$(ENVIRONMENT) --site --browser
	$(BIN)/python -m pytest tests chapters --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg $(ARGS)

chapters: python
	@$(ENVIRONMENT)
	$(BIN)/python book/tools/chapters.py $(ARGS)

homes: python
	@$(ENVIRONMENT) --browser
	$(BIN)/python book/tools/homes.py $(ARGS)

lab: python
	@$(ENVIRONMENT)
	$(BIN)/python -m jupyterlab chapters

clean:
	rm -rf _build build .pytest_cache .ruff_cache .hypothesis
	find . -name '.venv*' -prune -o -name node_modules -prune -o \
		\( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +
