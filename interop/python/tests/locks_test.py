"""What CPython's own tests ask of multiprocessing's locks and friends, of those of ipckit: one test
for each behaviour of _TestLock, _TestSemaphore, _TestCondition, _TestEvent, _TestBarrier,
_TestValue, _TestArray and _TestSharedCTypes in Lib/test/_test_multiprocessing.py, named after it.
Each is run with children that are forked and with children that are spawned. The tests need
IPCKIT_LIBRARY and PYTHONPATH.

What cannot apply, and why:
- check_invariant of _TestCondition looks at the three semaphores that a Condition is made of there.
  Here it is one object, whose stat() has to tell of no waiters.
- the variants for managers and for threads (multiprocessing.dummy) test other classes.
- _TestSharedCTypes.test_copy: copy() makes a second object of multiprocessing's own heap.
"""

import array
import ctypes
import os
import signal
import sys
import time
import unittest

import ipckit

from support import PATIENCE, Case, fork, spawn

TIMEOUT = 0.1
PARTIES = 5


class Count:
    """A number that processes count up."""

    def __init__(self):
        self._value = ipckit.Value("i", 0)

    def append(self, _):
        with self._value.get_lock():
            self._value.value += 1

    def __len__(self):
        return self._value.value


class Append:
    def __init__(self, to):
        self.to = to

    def __call__(self):
        self.to.append(True)


class Foo(ctypes.Structure):
    _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double), ("z", ctypes.c_longlong)]


def wait_for_notice(condition, sleeping, woken, timeout=None):
    with condition:
        sleeping.release()
        condition.wait(timeout)
        woken.release()


def wait_for_four(condition, state):
    with condition:
        state.value = 0
        condition.notify()
        if not condition.wait_for(lambda: state.value == 4) or state.value != 4:
            sys.exit(1)


def wait_for_four_in_vain(condition, state, success, begun):
    begun.release()
    with condition:
        start = time.monotonic()
        result = condition.wait_for(lambda: state.value == 4, timeout=TIMEOUT)
        success.value = not result and time.monotonic() - start >= TIMEOUT


def notify_and_interrupt(condition, pid):
    with condition:
        condition.notify()
    time.sleep(0.5)
    os.kill(pid, signal.SIGINT)


def set_later(event):
    time.sleep(TIMEOUT)
    event.set()


def pass_many(barrier, before, after, times):
    parties = barrier.parties
    for turn in range(times):
        before.append(True)
        assert len(after) == turn * parties
        barrier.wait()
        after.append(True)
        assert len(before) == (turn + 1) * parties
        barrier.wait()
    assert barrier.n_waiting == 0
    assert not barrier.broken


def put_index(barrier, indexes):
    index = barrier.wait()
    indexes[index] += 1


def see_action(barrier, results):
    barrier.wait()
    if len(results) != 1:
        raise RuntimeError


def abort_in_the_middle(barrier, passed, broken):
    try:
        if barrier.wait() == PARTIES // 2:
            raise RuntimeError
        barrier.wait()
        passed.append(True)
    except ipckit.BrokenBarrierError:
        broken.append(True)
    except RuntimeError:
        barrier.abort()


def reset_in_the_middle(barrier, passed, broken, again):
    if barrier.wait() == PARTIES // 2:
        while barrier.n_waiting < PARTIES - 1:
            time.sleep(0.001)
        barrier.reset()
    else:
        try:
            barrier.wait()
            passed.append(True)
        except ipckit.BrokenBarrierError:
            broken.append(True)
    barrier.wait()
    again.append(True)


def abort_and_reset(barrier, other, passed, broken, again):
    abort_in_the_middle(barrier, passed, broken)
    # Everyone has left it before it is made whole, and nobody enters it before that.
    if other.wait() == PARTIES // 2:
        barrier.reset()
    other.wait()
    barrier.wait()
    again.append(True)


def be_late(barrier, broken, first_timeout, timeout):
    if barrier.wait(first_timeout) == PARTIES // 2:
        time.sleep(1)
    try:
        barrier.wait(timeout)
    except ipckit.BrokenBarrierError:
        broken.append(True)


def pass_and_send(barrier, times, connection, lock):
    for turn in range(times):
        barrier.wait()
        with lock:
            connection.send(turn)


VALUES = [
    ("i", 4343, 24234),
    ("d", 3.625, -4.25),
    ("h", -232, 234),
    ("q", 2**33, 2**34),
    ("c", b"x", b"y"),
]


def change_values(values):
    for value, (_, _, changed) in zip(values, VALUES):
        value.value = changed


def add_up(numbers):
    for at in range(1, len(numbers)):
        numbers[at] += numbers[at - 1]


def double(x, y, z, foo, numbers, text):
    for value in (x, y, z, text):
        value.value *= 2
    foo.x *= 2
    foo.y *= 2
    for at in range(len(numbers)):
        numbers[at] *= 2


class TestLock:
    def test_lock(self):
        lock = ipckit.Lock()
        self.assertIs(lock.acquire(), True)
        self.assertIs(lock.acquire(False), False)
        self.assertIsNone(lock.release())
        self.assertRaises(ValueError, lock.release)

    def test_rlock(self):
        lock = ipckit.RLock()
        for _ in range(3):
            self.assertIs(lock.acquire(), True)
        for _ in range(3):
            self.assertIsNone(lock.release())
        self.assertRaises(AssertionError, lock.release)

    def test_lock_context(self):
        with ipckit.Lock():
            pass


class TestSemaphore:
    def use(self, semaphore):
        self.assertEqual(semaphore.get_value(), 2)
        for left in (1, 0):
            self.assertIs(semaphore.acquire(), True)
            self.assertEqual(semaphore.get_value(), left)
        self.assertIs(semaphore.acquire(False), False)
        self.assertEqual(semaphore.get_value(), 0)
        for left in (1, 2):
            self.assertIsNone(semaphore.release())
            self.assertEqual(semaphore.get_value(), left)

    def test_semaphore(self):
        semaphore = ipckit.Semaphore(2)
        self.use(semaphore)
        for left in (3, 4):
            self.assertIsNone(semaphore.release())
            self.assertEqual(semaphore.get_value(), left)

    def test_bounded_semaphore(self):
        semaphore = ipckit.BoundedSemaphore(2)
        self.use(semaphore)
        self.assertRaises(ValueError, semaphore.release)
        self.assertEqual(semaphore.get_value(), 2)

    def test_timeout(self):
        semaphore = ipckit.Semaphore(0)
        for arguments in ((False,), (False, None), (False, 3600), (True, 0), (True, -1)):
            self.assertIs(semaphore.acquire(*arguments), False)
        with self.takes(TIMEOUT):
            self.assertIs(semaphore.acquire(True, TIMEOUT), False)
        with self.takes(TIMEOUT):
            self.assertIs(semaphore.acquire(timeout=TIMEOUT), False)


class TestCondition:
    def waiters(self, condition, sleeping, woken, count, *timeout):
        """As many processes as threads, which wait."""
        return [
            starter(wait_for_notice, condition, sleeping, woken, *timeout)
            for _ in range(count)
            for starter in (self.start_child, self.start_thread)
        ]

    def all_asleep(self, sleeping, count):
        for _ in range(count):
            self.assertTrue(sleeping.acquire(timeout=PATIENCE))

    def notify(self, condition, *n):
        with condition:
            condition.notify(*n)

    def stays(self, woken, count):
        self.until(lambda: woken.get_value() == count)
        time.sleep(TIMEOUT)
        self.assertEqual(woken.get_value(), count)

    def make(self):
        return ipckit.Condition(), ipckit.Semaphore(0), ipckit.Semaphore(0)

    def test_notify(self):
        condition, sleeping, woken = self.make()
        waiters = self.waiters(condition, sleeping, woken, 1)
        self.all_asleep(sleeping, 2)
        self.stays(woken, 0)
        for count in (1, 2):
            self.notify(condition)
            self.stays(woken, count)
        self.assertEqual(condition.stat().waiters, 0)
        self.ends_well(*waiters)

    def test_notify_all(self):
        condition, sleeping, woken = self.make()
        timed_out = self.waiters(condition, sleeping, woken, 3, TIMEOUT)
        self.all_asleep(sleeping, 6)
        self.all_asleep(woken, 6)
        self.assertEqual(woken.get_value(), 0)
        self.assertEqual(condition.stat().waiters, 0)
        self.ends_well(*timed_out)

        waiters = self.waiters(condition, sleeping, woken, 3)
        self.all_asleep(sleeping, 6)
        self.stays(woken, 0)
        with condition:
            condition.notify_all()
        self.stays(woken, 6)
        self.assertEqual(condition.stat().waiters, 0)
        self.ends_well(*waiters)

    def test_notify_n(self):
        condition, sleeping, woken = self.make()
        waiters = self.waiters(condition, sleeping, woken, 3)
        self.all_asleep(sleeping, 6)
        self.stays(woken, 0)
        for n, count in ((2, 2), (4, 6), (3, 6)):
            self.notify(condition, n)
            self.stays(woken, count)
        self.assertEqual(condition.stat().waiters, 0)
        self.ends_well(*waiters)

    def test_timeout(self):
        condition = ipckit.Condition()
        with condition, self.takes(TIMEOUT):
            self.assertIs(condition.wait(TIMEOUT), False)

    def test_waitfor(self):
        condition, state = ipckit.Condition(), ipckit.Value("i", -1)
        child = self.start_child(wait_for_four, condition, state)
        with condition:
            self.assertTrue(condition.wait_for(lambda: state.value == 0))
            self.assertEqual(state.value, 0)
        for _ in range(4):
            time.sleep(0.01)
            with condition:
                state.value += 1
                condition.notify()
        self.ends_well(child)

    def test_waitfor_timeout(self):
        condition, state = ipckit.Condition(), ipckit.Value("i", 0)
        success, begun = ipckit.Value("i", 0), ipckit.Semaphore(0)
        child = self.start_child(wait_for_four_in_vain, condition, state, success, begun)
        self.assertTrue(begun.acquire(timeout=PATIENCE))
        for _ in range(3):
            time.sleep(0.01)
            with condition:
                state.value += 1
                condition.notify()
        self.ends_well(child)
        self.assertTrue(success.value)

    def test_wait_result(self):
        condition = ipckit.Condition()
        with condition:
            self.assertIs(condition.wait(0), False)
            self.assertIs(condition.wait(TIMEOUT), False)
            child = self.start_child(notify_and_interrupt, condition, os.getpid())
            self.assertIs(condition.wait(PATIENCE), True)
            self.assertRaises(KeyboardInterrupt, condition.wait, PATIENCE)
        self.ends_well(child)


class TestEvent:
    def test_event(self):
        event = ipckit.Event()
        self.assertIs(event.is_set(), False)
        self.assertIs(event.wait(0.0), False)
        with self.takes(TIMEOUT):
            self.assertIs(event.wait(TIMEOUT), False)
        event.set()
        self.assertIs(event.is_set(), True)
        self.assertIs(event.wait(), True)
        self.assertIs(event.wait(TIMEOUT), True)
        event.clear()
        self.assertIs(event.is_set(), False)
        child = self.start_child(set_later, event)
        self.assertIs(event.wait(PATIENCE), True)
        self.ends_well(child)

    def test_repr(self):
        event = ipckit.Event()
        self.assertRegex(repr(event), r"<Event at .* unset>")
        event.set()
        self.assertRegex(repr(event), r"<Event at .* set>")
        event.clear()
        self.assertRegex(repr(event), r"<Event at .* unset>")


class TestBarrier:
    def setUp(self):
        self.barrier = ipckit.Barrier(PARTIES, timeout=PATIENCE)

    def run_in_all(self, target, *arguments):
        """Four children, and this process, which is the fifth."""
        children = [self.start_child(target, *arguments) for _ in range(PARTIES - 1)]
        target(*arguments)
        self.ends_well(*children)

    def test_barrier(self, times=1):
        self.run_in_all(pass_many, self.barrier, Count(), Count(), times)

    def test_barrier_10(self):
        self.test_barrier(10)

    def test_wait_return(self):
        indexes = ipckit.Array("i", PARTIES)
        self.run_in_all(put_index, self.barrier, indexes)
        self.assertEqual(indexes[:], [1] * PARTIES)

    def test_action(self):
        results = Count()
        barrier = ipckit.Barrier(PARTIES, action=Append(results), timeout=PATIENCE)
        self.run_in_all(see_action, barrier, results)
        self.assertEqual(len(results), 1)

    def test_abort(self):
        passed, broken = Count(), Count()
        self.run_in_all(abort_in_the_middle, self.barrier, passed, broken)
        self.assertEqual((len(passed), len(broken)), (0, PARTIES - 1))
        self.assertTrue(self.barrier.broken)

    def test_reset(self):
        passed, broken, again = Count(), Count(), Count()
        self.run_in_all(reset_in_the_middle, self.barrier, passed, broken, again)
        self.assertEqual((len(passed), len(broken), len(again)), (0, PARTIES - 1, PARTIES))

    def test_abort_and_reset(self):
        passed, broken, again = Count(), Count(), Count()
        other = ipckit.Barrier(PARTIES, timeout=PATIENCE)
        self.run_in_all(abort_and_reset, self.barrier, other, passed, broken, again)
        self.assertEqual((len(passed), len(broken), len(again)), (0, PARTIES - 1, PARTIES))

    def test_timeout(self):
        broken = Count()
        self.run_in_all(be_late, self.barrier, broken, None, 0.5)
        self.assertEqual(len(broken), PARTIES)

    def test_default_timeout(self):
        barrier, broken = ipckit.Barrier(PARTIES, timeout=0.5), Count()
        self.run_in_all(be_late, barrier, broken, PATIENCE, None)
        self.assertEqual(len(broken), PARTIES)

    def test_single_thread(self):
        barrier = ipckit.Barrier(1)
        self.assertEqual(barrier.wait(), 0)
        self.assertEqual(barrier.wait(), 0)

    def test_thousand(self):
        times = 1000
        lock = ipckit.Lock()
        receiving, sending = self.context.Pipe(False)
        with receiving, sending:
            arguments = (self.barrier, times, sending, lock)
            children = [self.start_child(pass_and_send, *arguments) for _ in range(PARTIES)]
            for turn in range(times):
                for _ in range(PARTIES):
                    self.assertEqual(receiving.recv(), turn)
            self.ends_well(*children)


class WithLock:
    def check_locks(self, make, raw):
        for options in ({}, {"lock": None}):
            locked = make(**options)
            with locked.get_lock(), locked:
                locked.get_obj()
        lock = ipckit.Lock()
        self.assertIs(make(lock=lock).get_lock(), lock)
        for unlocked in (make(lock=False), raw):
            self.assertFalse(hasattr(unlocked, "get_lock"))
            self.assertFalse(hasattr(unlocked, "get_obj"))
        with self.assertRaises(AttributeError):
            make(lock="no lock")


class TestValue(WithLock):
    def test_value(self, kind=ipckit.Value):
        values = [kind(code, value) for code, value, _ in VALUES]
        self.assertEqual([value.value for value in values], [first for _, first, _ in VALUES])
        self.ends_well(self.start_child(change_values, values))
        self.assertEqual([value.value for value in values], [changed for *_, changed in VALUES])

    def test_rawvalue(self):
        self.test_value(ipckit.RawValue)

    def test_getobj_getlock(self):
        self.check_locks(lambda **options: ipckit.Value("i", 5, **options), ipckit.RawValue("i", 5))


class TestArray(WithLock):
    def test_array(self, kind=ipckit.Array):
        numbers = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831]
        shared = kind("i", numbers)
        self.assertEqual(len(shared), len(numbers))
        self.assertEqual(shared[3], numbers[3])
        self.assertEqual(list(shared[2:7]), numbers[2:7])
        shared[4:8] = numbers[4:8] = array.array("i", [1, 2, 3, 4])
        self.assertEqual(list(shared[:]), numbers)
        add_up(numbers)
        self.ends_well(self.start_child(add_up, shared))
        self.assertEqual(list(shared[:]), numbers)

    def test_array_from_size(self):
        # What an earlier one left behind must not come up again.
        for _ in range(3):
            shared = ipckit.Array("i", 10)
            self.assertEqual(list(shared), [0] * 10)
            shared[:] = range(10)
            self.assertEqual(list(shared), list(range(10)))
            del shared

    def test_rawarray(self):
        self.test_array(ipckit.RawArray)

    def test_getobj_getlock_obj(self):
        numbers = range(10)
        raw = ipckit.RawArray("i", numbers)
        self.check_locks(lambda **options: ipckit.Array("i", numbers, **options), raw)


class TestSharedCTypes:
    def test_sharedctypes(self, lock=False):
        x = ipckit.Value("i", 7, lock=lock)
        y = ipckit.Value(ctypes.c_double, 1 / 3, lock=lock)
        z = ipckit.Value(ctypes.c_longlong, 2**33, lock=lock)
        foo = ipckit.Value(Foo, 3, 2, lock=lock)
        numbers = ipckit.Array("d", range(10), lock=lock)
        text = ipckit.Array("c", 20, lock=lock)
        text.value = b"hello"
        self.ends_well(self.start_child(double, x, y, z, foo, numbers, text))
        self.assertEqual((x.value, y.value, z.value), (14, 2 / 3, 2**34))
        self.assertEqual((foo.x, foo.y), (6, 4.0))
        self.assertEqual(list(numbers), [2.0 * number for number in range(10)])
        self.assertEqual(text.value, b"hellohello")

    def test_synchronize(self):
        self.test_sharedctypes(lock=True)


class Forked(Case):
    context = fork

    def start_child(self, target, *arguments):
        return self.start(target, *arguments, context=self.context)


class Spawned(Forked):
    context = spawn


for behaviours in (
    TestLock,
    TestSemaphore,
    TestCondition,
    TestEvent,
    TestBarrier,
    TestValue,
    TestArray,
    TestSharedCTypes,
):
    for base in (Forked, Spawned):
        made = f"{behaviours.__name__}{base.__name__}"
        globals()[made] = type(made, (behaviours, base), {"__module__": __name__})
del made, base, behaviours


if __name__ == "__main__":
    unittest.main()
