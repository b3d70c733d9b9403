"""Ctrl-C as a wish instead of an accident: the step in progress is finished, the run saved."""

import signal
import sys
import threading


class Interrupt:
    """While it is entered, Ctrl-C and a system's polite SIGTERM only set `asked`; a second Ctrl-C ends at once.

    Outside the main thread, where Python takes no signals, nothing changes. say: whether to tell the reader.
    """

    def __init__(self, say=True):
        self.asked, self.say, self.before = False, say, {}

    def _ask(self, number, frame):
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        if self.say:
            print("\nsaving after this step; once more ends at once", file=sys.stderr, flush=True)

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exc):
        for number, handler in self.before.items():
            signal.signal(number, handler)
