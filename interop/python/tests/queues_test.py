"""What CPython's own tests ask of multiprocessing.Queue, JoinableQueue and SimpleQueue, of queues
in shared memory: one test for each behaviour of _TestQueue and TestSimpleQueue in
Lib/test/_test_multiprocessing.py, named after it. The tests need IPCKIT_LIBRARY and PYTHONPATH.

What cannot apply, and why:
- test_queue_feeder_on_queue_feeder_error: a hook for errors of the feeder thread. Here put writes
  to shared memory itself, and its caller is told, which is what
  test_queue_feeder_donot_stop_onexc shows.
- test_fork with a queue that the child inherits: a forked child opens the queue by its name.
- join_thread, cancel_join_thread: there is no feeder thread to wait for; what was put is there.
"""

import os
import queue
import subprocess
import sys
import tempfile
import unittest

import ipckit

from support import PATIENCE, Case

TIMEOUT = 0.1


def get_six(jobs, start, done):
    start.get(timeout=PATIENCE)
    for _ in range(6):
        jobs.get(timeout=PATIENCE)
    done.put(True)


def put_four(jobs, start, done):
    start.get(timeout=PATIENCE)
    for value in (2, 3, 4, 5):
        jobs.put(value)
    done.put(True)


def put_ten_more(jobs):
    for value in range(10, 20):
        jobs.put(value)


def put_in_forked_child(name):
    with ipckit.Queue.open(name) as jobs:
        put_ten_more(jobs)


def work(jobs):
    for _ in iter(jobs.get, None):
        jobs.task_done()
    jobs.task_done()


def put_whether_empty(jobs, start, done):
    start.get(timeout=PATIENCE)
    jobs.put(jobs.empty())
    jobs.put(jobs.empty())
    done.put(True)


class QueueCase(Case):
    def make(self, kind=ipckit.Queue, **options):
        return self.keep(kind.create(self.name(), **options))

    def signals(self):
        """Two queues that stand in for events."""
        return self.make(), self.make()


class TestQueue(QueueCase):
    def test_put(self):
        jobs = self.make(capacity=6)
        start, done = self.signals()
        child = self.start(get_six, jobs, start, done)
        self.assertTrue(jobs.empty())
        self.assertFalse(jobs.full())
        jobs.put(1)
        jobs.put(2, True)
        jobs.put(3, True, None)
        jobs.put(4, False)
        jobs.put(5, False, None)
        jobs.put_nowait(6)
        self.assertFalse(jobs.empty())
        self.assertTrue(jobs.full())

        for at_once in (
            lambda: jobs.put(7, False),
            lambda: jobs.put(7, False, None),
            lambda: jobs.put_nowait(7),
            lambda: jobs.put(7, False, 3600),
        ):
            self.assertRaises(queue.Full, at_once)
        for arguments in ((7, True, TIMEOUT), (7, True)):
            with self.takes(TIMEOUT), self.assertRaises(queue.Full):
                jobs.put(*arguments[:2], timeout=TIMEOUT)

        start.put(True)
        done.get(timeout=PATIENCE)
        self.assertTrue(jobs.empty())
        self.assertFalse(jobs.full())
        self.ends_well(child)

    def test_get(self):
        jobs = self.make()
        start, done = self.signals()
        child = self.start(put_four, jobs, start, done)
        self.assertTrue(jobs.empty())
        start.put(True)
        done.get(timeout=PATIENCE)
        self.assertFalse(jobs.empty())
        self.assertEqual(jobs.get(True, None), 2)
        self.assertEqual(jobs.get(True), 3)
        self.assertEqual(jobs.get(timeout=1), 4)
        self.assertEqual(jobs.get_nowait(), 5)
        self.assertTrue(jobs.empty())

        for at_once in (
            lambda: jobs.get(False),
            lambda: jobs.get(False, None),
            jobs.get_nowait,
            lambda: jobs.get(False, 3600),
        ):
            self.assertRaises(queue.Empty, at_once)
        with self.takes(TIMEOUT), self.assertRaises(queue.Empty):
            jobs.get(True, TIMEOUT)
        with self.takes(TIMEOUT), self.assertRaises(queue.Empty):
            jobs.get(timeout=TIMEOUT)
        self.ends_well(child)

    def test_fork(self):
        for way in ("spawn", "fork"):
            with self.subTest(way):
                jobs = self.make()
                for value in range(10):
                    jobs.put(value)
                if way == "spawn":
                    self.ends_well(self.start(put_ten_more, jobs))
                else:
                    pid = os.fork()
                    if pid == 0:
                        try:
                            put_in_forked_child(jobs.name)
                            os._exit(0)
                        finally:
                            os._exit(70)
                    self.assertEqual(os.waitpid(pid, 0)[1], 0)
                self.assertEqual([jobs.get() for _ in range(20)], list(range(20)))
                self.assertRaises(queue.Empty, jobs.get, False)

    def test_qsize(self):
        jobs = self.make()
        sizes = [jobs.qsize()]
        for step in (lambda: jobs.put(1), lambda: jobs.put(5), jobs.get, jobs.get):
            step()
            sizes.append(jobs.qsize())
        self.assertEqual(sizes, [0, 1, 2, 1, 0])

    def test_task_done(self):
        jobs = self.make(ipckit.JoinableQueue)
        workers = [self.start(work, jobs) for _ in range(4)]
        for value in range(10):
            jobs.put(value)
        jobs.join(PATIENCE)
        self.assertEqual(jobs.stat().totals.done, 10)
        for _ in workers:
            jobs.put(None)
        self.ends_well(*workers)

    def test_no_import_lock_contention(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/uses_a_queue.py", "w") as file:
                file.write(
                    "import ipckit, sys\n"
                    "with ipckit.Queue.create(sys.argv[1]) as jobs:\n"
                    "    jobs.put('knock knock')\n"
                    "    print(jobs.get(timeout=10))\n"
                )
            with open(f"{folder}/imports_it.py", "w") as file:
                file.write("import uses_a_queue\n")
            done = subprocess.run(
                [sys.executable, "-B", "-c", "import imports_it", self.name()],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
        self.assertEqual((done.stdout, done.stderr), ("knock knock\n", ""))

    def test_timeout(self):
        jobs = self.make()
        with self.takes(0.2), self.assertRaises(queue.Empty):
            jobs.get(True, 0.2)

    def test_queue_feeder_donot_stop_onexc(self):
        jobs = self.make(capacity=1)
        with self.assertRaises(TypeError):
            jobs.put(object())
        self.assertEqual(jobs.qsize(), 0)
        jobs.put(True, timeout=PATIENCE)
        self.assertEqual(jobs.qsize(), 1)
        self.assertTrue(jobs.get(timeout=PATIENCE))
        self.assertTrue(jobs.empty())

    def test_closed_queue_empty_exceptions(self):
        # An unused queue is closed by close, too: there is no feeder thread that did not begin.
        for kind in (ipckit.Queue, ipckit.JoinableQueue):
            for used in (False, True):
                with self.subTest(kind=kind, used=used):
                    jobs = self.make(kind)
                    if used:
                        jobs.put("foo")
                    jobs.close()
                    self.assertRaisesRegex(ipckit.ClosedError, "is closed", jobs.empty)

    def test_closed_queue_put_get_exceptions(self):
        for kind in (ipckit.Queue, ipckit.JoinableQueue):
            jobs = self.make(kind)
            jobs.close()
            with self.assertRaisesRegex(ValueError, "is closed"):
                jobs.put("foo")
            with self.assertRaisesRegex(ValueError, "is closed"):
                jobs.get()

    def test_task_done_once_too_often(self):
        jobs = self.make(ipckit.JoinableQueue)
        jobs.put(1)
        jobs.get()
        jobs.task_done()
        self.assertRaisesRegex(ValueError, "called too many times", jobs.task_done)


class TestSimpleQueue(QueueCase):
    def test_empty(self):
        jobs = self.make()
        start, done = self.signals()
        child = self.start(put_whether_empty, jobs, start, done)
        self.assertTrue(jobs.empty())
        start.put(True)
        done.get(timeout=PATIENCE)
        self.assertFalse(jobs.empty())
        self.assertIs(jobs.get(), True)
        self.assertIs(jobs.get(), False)
        self.assertTrue(jobs.empty())
        self.ends_well(child)

    def test_empty_exceptions(self):
        jobs = self.make()
        jobs.close()
        self.assertRaisesRegex(ipckit.ClosedError, "is closed", jobs.empty)

    def test_close(self):
        jobs = self.make()
        jobs.close()
        jobs.close()

    def test_closed(self):
        jobs = self.make()
        self.assertFalse(jobs.closed)
        jobs.close()
        self.assertTrue(jobs.closed)


if __name__ == "__main__":
    unittest.main()
