"""A notebook in a browser, driven as a reader would: JupyterLab and Notebook 7 alike, Notebook 6 by its own ways."""

import time

PATIENCE = 120_000  # milliseconds: a kernel that imports PyTorch on a busy machine


class Front:
    """One open notebook. cell numbers are from 0, and count code cells alone."""

    cell = ""  # the selectors of this front end: a cell, what is clicked to edit it, its printed output, the save key
    editor = ""
    printed = ""

    def __init__(self, page, address):
        self.page = page
        self.errors = []  # the figure's own: anywidget loads its module from a blob; the homes have errors of theirs
        page.on("pageerror", lambda error: self._heard(str(error), error.stack or "", "blob:"))
        page.on("console", lambda line: line.type == "error" and self._heard(line.text, line.text, "anywidget"))
        page.goto(address)
        page.locator(self.cell).first.wait_for(timeout=PATIENCE)
        self.ready()

    def _heard(self, words, where, sign):
        if sign in where:
            self.errors.append(words)

    def ready(self):
        """Wait for the kernel, and close what a front end says on its first day."""

    def run(self, number):
        """Run a cell and return what it has printed; raises AssertionError for what printed an error."""
        cell = self.page.locator(self.cell).nth(number)
        cell.locator(self.editor).first.click()
        self.page.keyboard.press("Control+Enter")
        done = cell.locator(self.printed).filter(has_text="done")
        try:
            done.first.wait_for(timeout=PATIENCE)
        except Exception:
            raise AssertionError(f"cell {number} printed no end: {cell.inner_text()[:800]}") from None
        return done.first.inner_text().strip()

    def figure(self):
        """The live figure, once it has been drawn."""
        figure = self.page.locator('figure.live-figure[data-ready="true"]')
        figure.first.wait_for(timeout=PATIENCE)
        assert figure.count() == 1, f"{figure.count()} figures instead of one"
        return figure.first

    def save(self):
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        time.sleep(3)


class Lab(Front):
    """JupyterLab 3 and 4, Notebook 7."""

    cell = ".jp-Notebook .jp-CodeCell"
    editor = ".jp-InputArea-editor"
    printed = ".jp-OutputArea-output pre"

    def ready(self):
        self.page.wait_for_timeout(5_000)
        for button in self.page.locator(".jp-Dialog button.jp-mod-accept, .Toastify__close-button").all():
            button.click()


class Classic(Front):
    """Notebook 6."""

    cell = "#notebook-container .code_cell"
    editor = ".CodeMirror"
    printed = ".output_text pre, .output_stdout pre"

    def ready(self):
        self.page.locator("#kernel_indicator_icon.kernel_idle_icon").wait_for(timeout=PATIENCE)
