"""What a live figure must do in every home: move by keyboard, tell Python, follow Python, and stay in the file."""

import json
import re
import time

from front_ends import Classic, Lab

CELLS = [
    "from mamba_edu import widgets\nfig = widgets.Selection()\nprint('done')\nfig",
    "print('bias', fig.bias, 'text', fig.text, 'done')",
    "fig.selective, fig.weight = True, -2.5\nprint('done')",
    "import torch\nnumbers = fig.data()\n"
    "print(sorted(numbers), all(bool(torch.isfinite(x).all()) for x in numbers.values()), 'done')",
    "try:\n    fig.weight = 99\nexcept Exception as error:\n    print(type(error).__name__, error, 'done')",
]
QUESTION = "Which byte is still in the state"
DARK = "document.body.setAttribute('data-jp-theme-light', 'false')"


def html_output(html):
    return {"output_type": "display_data", "metadata": {}, "data": {"text/html": html, "text/plain": "a figure"}}


def notebook(cells, outputs=()):
    """The text of a notebook; outputs: {cell number: HTML}."""
    code = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "source": source,
            "outputs": [html_output(outputs[number])] if number in outputs else [],
        }
        for number, source in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": code, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def slider(figure, trait):
    return figure.locator(f'input[type=range][data-trait="{trait}"]')


def _once_it_says(front, cell, words, patience=10):
    """Run a cell until it prints `words`, for what the page has sent may wait for a busy kernel. Returns the print."""
    for _ in range(patience):
        told = front.run(cell)
        if told.startswith(words):
            return told
        time.sleep(1)
    raise AssertionError(f"Python says {told!r}, expected {words!r}")


def both_ways(front):
    """Keyboard in the page -> Python; Python -> page; numbers; a wrong value. Returns what was seen, in words."""
    front.run(0)
    figure = front.figure()
    words = figure.locator(".live-words").inner_text()
    assert slider(figure, "bias").input_value() == "-1.5"
    slider(figure, "bias").focus()
    for _ in range(3):
        front.page.keyboard.press("ArrowRight")
    for _ in range(2):
        front.page.keyboard.press("ArrowUp")
    assert slider(figure, "bias").input_value() == "-1", f"bias stands at {slider(figure, 'bias').input_value()}"
    front.page.wait_for_function("(w) => document.querySelector('.live-words').innerText !== w", arg=words)
    text = figure.locator('input[type=text][data-trait="text"]')
    text.fill("")
    text.press_sequentially("[xab]")  # x and b are a notebook's commands, too
    seen = [_once_it_says(front, 1, "bias -1.0 text [xab]")]
    front.run(2)
    front.page.wait_for_function(
        "() => document.querySelector('figure.live-figure input[data-trait=weight]').value === '-2.5'", timeout=20_000
    )
    assert not slider(figure, "weight").is_disabled(), "the figure is not selective"
    seen.append(front.run(3))
    assert "'bytes', 'decay', 'delta', 'h', 'left', 'u'] True" in seen[1], seen[1]
    seen.append(front.run(4))
    assert re.search(r"TraitError .*'weight'.*-8 to 8.*99", seen[2]), seen[2]
    assert slider(figure, "weight").input_value() == "-2.5", "a refused value moved the figure"
    assert front.errors == [], front.errors
    return seen


def stays_in_the_file(path):
    """The saved notebook has the widget, and beside it the picture and its words."""
    cell = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    shown = [output["data"] for output in cell["outputs"] if "data" in output]
    assert len(shown) == 1, f"{len(shown)} displays saved instead of one"
    assert {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"} <= set(shown[0]), list(shown[0])
    assert '<figure class="live-figure" data-figure="selection"' in "".join(shown[0]["text/html"])
    return sorted(shown[0])


def picture_stays_without_a_run(front):
    """A notebook as the book keeps it, opened by somebody who has not run it, and does not trust it yet."""
    cell = front.page.locator(front.cell).first
    picture = cell.locator(".live-still img")
    picture.wait_for(timeout=20_000)
    drawn = picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)")
    assert drawn > 300 and "made of" in picture.get_attribute("alt"), f"a picture {drawn} wide"
    words = cell.inner_text()
    assert QUESTION in words and "scan with four states" not in words, f"words without a picture: {words[:300]}"


def follows_the_theme(front):
    """Where a home says that it is dark, the figure is dark, whatever the system prefers."""
    colour = "getComputedStyle(document.querySelector('figure.live-figure')).backgroundColor"
    light = front.page.evaluate(colour)
    front.page.evaluate(DARK)
    dark = front.page.evaluate(colour)
    assert (light, dark) == ("rgb(253, 252, 250)", "rgb(20, 23, 28)"), (light, dark)


FRONTS = {"lab": Lab, "notebook7": Lab, "notebook6": Classic}
