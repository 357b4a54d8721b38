"""What the tests of the package share: names of their own, other processes, and times."""

import contextlib
import multiprocessing
import os
import secrets
import threading
import time
import unittest

import ipckit

# Children open by name what they are given: nothing is inherited.
spawn = multiprocessing.get_context("spawn")
# Children have what their parent has.
fork = multiprocessing.get_context("fork")
# Nothing is expected to take as long.
PATIENCE = 30


class Case(unittest.TestCase):
    def name(self):
        """A new name, of which whatever is there in the end is removed."""
        name = f"/ipckit-test-{os.getpid()}-{secrets.token_hex(6)}"
        self.addCleanup(self._remove, name)
        return name

    @staticmethod
    def _remove(name):
        with contextlib.suppress(FileNotFoundError):
            ipckit.unlink(name)

    def keep(self, opened):
        """To be closed when the test ends."""
        self.addCleanup(opened.close)
        return opened

    def start(self, target, *arguments, context=spawn):
        """Another process; the end of the test ends it."""
        process = context.Process(target=target, args=arguments)
        process.start()
        self.addCleanup(process.join)
        self.addCleanup(process.kill)
        return process

    def start_thread(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread

    def ends_well(self, *started):
        for one in started:
            one.join(PATIENCE)
            self.assertFalse(one.is_alive())
            self.assertEqual(getattr(one, "exitcode", 0), 0)

    @contextlib.contextmanager
    def takes(self, seconds):
        """At least so long."""
        begun = time.monotonic()
        yield
        self.assertGreaterEqual(time.monotonic() - begun, seconds)

    def until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come to be")
            time.sleep(0.002)
