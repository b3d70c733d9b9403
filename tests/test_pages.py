"""The pages beside the chapters: their code runs, prints what stands below it, and names what there is."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

import mamba_edu
from mamba_edu import Mamba, MambaConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["book/from_the_tutorial.md", "book/glossary.md", "book/notation.md", "book/references.md", "README.md"]
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
PATHS = re.compile(r"(?<=[`(])(?:mamba_edu|tests|book|chapters|benchmarks)/[\w./]*(?=[`)])")
TUTORIAL = """S6 MambaBlock Mamba RMSNorm load_enwiki8_dataset encode_dataset Enwiki8Dataset pad_sequences_3d evaluate
calculate_perplexity""".split()


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["book/from_the_tutorial.md", "README.md"])
def test_code_on_a_page_runs_from_top_to_bottom(page):
    blocks, names = BLOCK.findall(read(page)), {}
    assert blocks
    for code, printed in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, page, "exec"), names)
        if printed:
            assert out.getvalue() == printed, f"{page} shows other output than\n{code}"


@pytest.mark.parametrize("page", PAGES)
def test_files_named_on_a_page_exist(page):
    missing = [path for path in PATHS.findall(read(page)) if not (ROOT / path).exists()]
    assert not missing, f"{page} names {missing}"


def test_every_name_of_the_tutorial_is_explained_and_importable():
    terms = re.findall(r"^`(\w+)`\n: ", read("book/from_the_tutorial.md"), re.MULTILINE)
    assert sorted(terms) == sorted([*TUTORIAL, "train"])
    for name in TUTORIAL:
        assert callable(getattr(mamba_edu, name)), name


def test_shapes_in_the_notation_are_those_of_the_model():
    config = MambaConfig(d_model=32, n_layer=1, d_state=5, d_conv=3)
    sizes = {"v": 256, "d_model": 32, "d": 64, "n": 5, "k": 3, "dt_rank": 2}
    shapes = {re.sub(r"^.*(layers\.0|backbone)\.", "", k): tuple(p.shape) for k, p in Mamba(config).named_parameters()}
    section = read("book/notation.md").split("## Parameters by name")[1].split("\n## ")[0]
    rows = re.findall(r"((?:`[\w.]+`(?:, )?)+) \(([^)]*)\)", section)
    written = {}
    for names, shape in rows:
        for name in re.findall(r"`([\w.]+)`", names):
            axes = re.sub(r"(\d) (\w)", r"\1 * \2", shape).split(",")
            written[name] = tuple(eval(axis, {}, sizes) for axis in axes)
    ours = {re.sub(r"^mixer\.(s6\.)?", "", name): shape for name, shape in shapes.items()}
    assert written == ours


def test_each_reference_is_introduced_once():
    keys = re.findall(r"^@\w+\{(\w+),", read("book/references.bib"), re.MULTILINE)
    cited = re.findall(r"\{cite:t\}`(\w+)`", read("book/references.md"))
    assert len(keys) == len(set(keys))
    assert sorted(cited) == sorted(keys)


def test_picture_of_the_readme_is_the_cover():
    spec = importlib.util.spec_from_file_location("readme_picture", ROOT / "book/tools/readme_picture.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PICTURE.read_text(encoding="utf-8") == tool.picture(), "run book/tools/readme_picture.py"
