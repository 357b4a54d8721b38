"""CPython's own test classes, with the classes of ipckit in place of multiprocessing's. Where
Python comes without its tests (on Debian they are in libpython3.11-testsuite), there is nothing to
run.

    python3 -m unittest cpython_test

Each class is run with the start methods fork and spawn, except for queues: a child that was forked
opens those by their names.
"""

import contextlib
import multiprocessing
import os
import secrets
import unittest
from unittest import mock

import ipckit

try:
    from test import _test_multiprocessing as theirs
except ImportError as missing:
    raise unittest.SkipTest(f"this Python has no tests of its own: {missing}")

# What cannot apply; queues_test.py tells more of it.
FEEDER = "there is no feeder thread: put tells its caller"
NOT_APPLICABLE = {
    "test_queue_feeder_donot_stop_onexc": FEEDER,
    "test_queue_feeder_on_queue_feeder_error": FEEDER,
    "test_closed_queue_empty_exceptions": "close closes an unused queue, too",
    "test_copy": "copies into the heap of multiprocessing",
    "test_no_import_lock_contention": "its program takes its queue from multiprocessing",
}


def queue_maker(kind):
    """multiprocessing's way to make a queue: without a name, and without a limit for messages."""

    def make(maxsize=0):
        name = f"/ipckit-test-{os.getpid()}-{secrets.token_hex(6)}"
        queue = kind.create(name, capacity=maxsize or 1024)
        unittest.addModuleCleanup(_remove, name)
        return queue

    return make


def _remove(name):
    with contextlib.suppress(FileNotFoundError):
        ipckit.unlink(name)


class Ours(theirs.ProcessesMixin):
    Lock = staticmethod(ipckit.Lock)
    RLock = staticmethod(ipckit.RLock)
    Semaphore = staticmethod(ipckit.Semaphore)
    BoundedSemaphore = staticmethod(ipckit.BoundedSemaphore)
    Condition = staticmethod(ipckit.Condition)
    Event = staticmethod(ipckit.Event)
    Barrier = staticmethod(ipckit.Barrier)
    Value = staticmethod(ipckit.Value)
    Array = staticmethod(ipckit.Array)
    RawValue = staticmethod(ipckit.RawValue)
    RawArray = staticmethod(ipckit.RawArray)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.before = multiprocessing.get_start_method(allow_none=True)
        multiprocessing.set_start_method(cls.start_method, force=True)

    @classmethod
    def tearDownClass(cls):
        multiprocessing.set_start_method(cls.before, force=True)
        super().tearDownClass()

    def setUp(self):
        if self._testMethodName in NOT_APPLICABLE:
            self.skipTest(NOT_APPLICABLE[self._testMethodName])
        # Some tests do not ask themselves for the classes.
        for module, names in (
            (multiprocessing, ("Queue", "JoinableQueue", "Lock")),
            (theirs, ("Value",)),
        ):
            for name in names:
                patch = mock.patch.object(module, name, getattr(type(self), name))
                patch.start()
                self.addCleanup(patch.stop)
        super().setUp()

    def check_invariant(self, condition):
        # Theirs looks at the semaphores that a condition is made of.
        self.assertEqual(condition.stat().waiters, 0)


for name in (
    "Lock",
    "Semaphore",
    "Condition",
    "Event",
    "Barrier",
    "Value",
    "Array",
    "SharedCTypes",
):
    for start_method in ("fork", "spawn"):
        base = getattr(theirs, f"_Test{name}")
        made = f"Test{name}With{start_method.capitalize()}"
        members = {"__module__": __name__, "start_method": start_method}
        globals()[made] = type(made, (Ours, base, unittest.TestCase), members)


class TestQueueWithSpawn(Ours, theirs._TestQueue, unittest.TestCase):
    start_method = "spawn"
    Queue = staticmethod(queue_maker(ipckit.Queue))
    JoinableQueue = staticmethod(queue_maker(ipckit.JoinableQueue))


if __name__ == "__main__":
    unittest.main()
