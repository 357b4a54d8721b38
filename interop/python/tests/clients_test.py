"""Locks and their friends of ipckit by themselves: by name and without one, in threads, signal
handlers and children, when their owners die, and what they refuse. The tests need IPCKIT_LIBRARY
and PYTHONPATH.
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import unittest

import ipckit

from support import PATIENCE, Case, fork, spawn

# Hard bound for what must go on when somebody was killed.
BOUND = 2

# How each is made with a name, and what every one of them must refuse to be opened as.
KINDS = {
    ipckit.Lock: (),
    ipckit.RLock: (),
    ipckit.RWLock: (),
    ipckit.Semaphore: (3,),
    ipckit.BoundedSemaphore: (3,),
    ipckit.Condition: (),
    ipckit.Event: (),
    ipckit.Barrier: (2,),
    ipckit.Value: ("i", 5),
    ipckit.Array: ("i", [1, 2]),
}


def file_of(thing):
    return f"/dev/shm/ipckit.{thing.name[1:]}"


class Foo(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("px", ctypes.c_double), ("sym", ctypes.c_char * 8)]


def acquire_and_say(there, lock, method="acquire"):
    getattr(lock, method)()
    there.send(os.getpid())
    signal.pause()


def say_and_pause(there, *_):
    there.send(os.getpid())
    signal.pause()


def wait_at(there, barrier):
    there.send("waits")
    barrier.wait()


def exit_at_once(_):
    pass


def count_up(value, times):
    for _ in range(times):
        with value.get_lock():
            value.get_obj().value += 1


def acquire_forked(lock, results):
    with lock:
        results[0] += 1


def read_for_a_while(rwlock, inside, most):
    for _ in range(20):
        with rwlock.shared():
            with inside.get_lock():
                inside.value += 1
                most.value = max(most.value, inside.value)
            time.sleep(0.002)
            with inside.get_lock():
                inside.value -= 1


def write_for_a_while(rwlock, inside, seen):
    for _ in range(20):
        with rwlock:
            if inside.value:
                seen.value = 1
            time.sleep(0.001)


class LockCase(Case):
    def make(self, kind, *arguments, **options):
        return self.keep(kind.create(self.name(), *(arguments or KINDS[kind]), **options))

    def again(self, thing, *arguments, **options):
        return self.keep(type(thing).open(thing.name, *arguments, **options))

    def victim(self, target, *arguments, context=spawn):
        """A process that has said something, and what it said."""
        here, there = context.Pipe()
        process = self.start(target, there, *arguments, context=context)
        there.close()
        self.assertTrue(here.poll(PATIENCE))
        self.addCleanup(here.close)
        return process, here.recv()

    def kill(self, process):
        process.kill()
        process.join()

    @contextlib.contextmanager
    def within_bound(self):
        begun = time.monotonic()
        yield
        self.assertLess(time.monotonic() - begun, BOUND)


class Opening(LockCase):
    def test_each_kind_by_its_name(self):
        for kind, arguments in KINDS.items():
            with self.subTest(kind):
                name = self.name()
                with self.assertRaisesRegex(FileNotFoundError, "create it first"):
                    kind.open(name, *arguments[:1] if kind in (ipckit.Value, ipckit.Array) else ())
                made = self.keep(kind.create(name, *arguments))
                self.assertEqual(made.name, name)
                with self.assertRaises(FileExistsError):
                    kind.create(name, *arguments)
                other = self.keep(kind.open_or_create("shm:" + name, *arguments))
                self.assertEqual(other.stat().participants, 2)
                self.assertEqual([one.name for one in other.participants()], ["python"] * 2)
                made.unlink()
                self.assertTrue(other.stat().unlinked)
                with self.assertRaises(FileNotFoundError):
                    made.unlink()

    def test_another_kind_is_refused_with_both_names(self):
        for kind in KINDS:
            other = ipckit.Event if kind is ipckit.Lock else ipckit.Lock
            made = self.make(other)
            arguments = ("i", 2) if kind in (ipckit.Value, ipckit.Array) else ()
            with self.subTest(kind), self.assertRaisesRegex(
                ipckit.RefusedError, f"there is a {other.__name__.lower()} of that name, and no "
            ):
                kind.open(made.name, *arguments[:2] if kind is ipckit.Array else arguments[:1])

    def test_a_queue_is_no_lock_and_a_lock_no_queue(self):
        name = self.name()
        self.keep(ipckit.Queue.create(name))
        with self.assertRaisesRegex(ipckit.RefusedError, "a queue of that name, and no lock"):
            ipckit.Lock.open(name)
        lock = self.make(ipckit.Lock)
        with self.assertRaisesRegex(ipckit.RefusedError, "a lock of that name, and no queue"):
            ipckit.Queue.open(lock.name)

    def test_files_that_are_none_of_ours_are_refused(self):
        lock = self.make(ipckit.Lock)
        with open(file_of(lock), "r+b") as file:
            bytes_of_it = file.read()
        for content in (b"", b"x" * 100, b"\0" * 8192, bytes_of_it[:-128]):
            name = self.name()
            with open(
                f"/dev/shm/ipckit.{name[1:]}", "wb", opener=lambda p, f: os.open(p, f, 0o600)
            ) as file:
                file.write(content)
            with self.subTest(len(content)), self.assertRaises(ipckit.IpcError):
                ipckit.Lock.open(name)
        name = self.name()
        os.symlink(file_of(lock), f"/dev/shm/ipckit.{name[1:]}")
        with self.assertRaises(ipckit.RefusedError):
            ipckit.Lock.open(name)

    def test_one_that_everyone_may_write_to_needs_any_mode(self):
        lock = self.make(ipckit.Lock, mode=0o666)
        with self.assertRaisesRegex(ipckit.RefusedError, "any_mode=True"):
            ipckit.Lock.open(lock.name)
        with self.again(lock, any_mode=True), self.assertRaises(ipckit.RefusedError):
            pickle.loads(pickle.dumps(lock))

    def test_a_truncated_lock_is_corrupt_and_no_crash(self):
        lock = self.make(ipckit.Lock)
        os.truncate(file_of(lock), 0)
        with self.assertRaises(ipckit.CorruptError):
            lock.acquire()

    def test_bad_arguments_are_refused(self):
        for make, error in (
            (lambda: ipckit.Semaphore(-1), ValueError),
            (lambda: ipckit.Semaphore(2**31), ValueError),
            (lambda: ipckit.Semaphore("1"), TypeError),
            (lambda: ipckit.Semaphore(True), TypeError),
            (lambda: ipckit.Barrier(0), ValueError),
            (lambda: ipckit.Barrier(1025), ValueError),
            (lambda: ipckit.Barrier(2.0), TypeError),
            (lambda: ipckit.Barrier(2, action=1), TypeError),
            (lambda: ipckit.Barrier(2, timeout="x"), TypeError),
            (lambda: ipckit.Lock(strict=1), TypeError),
            (lambda: ipckit.Lock.create("/x", participants=1), ValueError),
            (lambda: ipckit.Lock.create("/x", participants=1025), ValueError),
            (lambda: ipckit.Lock.create("/x", mode=0o1000), ValueError),
            (lambda: ipckit.Lock.create("/x", capacity=1), TypeError),
            (lambda: ipckit.Lock.open("/x", mode=0o600), TypeError),
            (lambda: ipckit.Lock.open("/a/b"), ValueError),
            (lambda: ipckit.Lock.open(7), TypeError),
            (lambda: ipckit.Condition(threading.Lock()), TypeError),
            (lambda: ipckit.Condition(ipckit.RWLock()), TypeError),
            (lambda: ipckit.Value("nonsense"), TypeError),
            (lambda: ipckit.Value(int), TypeError),
            (lambda: ipckit.Value("i", "x"), TypeError),
            (lambda: ipckit.Array("i", 0), ValueError),
            (lambda: ipckit.Array("i", -1), ValueError),
            (lambda: ipckit.Array("i", []), ValueError),
            (lambda: ipckit.Lock().acquire(timeout="1"), TypeError),
            (lambda: ipckit.Lock().acquire(timeout=float("nan")), ValueError),
            (lambda: ipckit.Semaphore().release(0), ValueError),
        ):
            with self.assertRaises(error):
                make()

    def test_a_closed_one_refuses_everything_but_close(self):
        for kind, calls in {
            ipckit.Lock: ("acquire", "release", "stat", "locked"),
            ipckit.Semaphore: ("acquire", "release", "get_value"),
            ipckit.Condition: ("acquire", "release", "stat"),
            ipckit.Event: ("wait", "set", "clear", "is_set"),
            ipckit.Barrier: ("wait", "abort", "reset"),
        }.items():
            thing = self.make(kind)
            thing.close()
            thing.close()
            self.assertTrue(thing.closed)
            for call in calls:
                with self.subTest(f"{kind} {call}"), self.assertRaises(ipckit.ClosedError):
                    getattr(thing, call)()
            with self.assertRaises(ipckit.ClosedError):
                pickle.dumps(thing)
            self.assertIn("closed", repr(thing))

    def test_more_handles_than_it_was_made_for(self):
        lock = self.make(ipckit.Lock, participants=2)
        self.again(lock)
        with self.assertRaisesRegex(ipckit.ParticipantsError, "more `participants`"):
            ipckit.Lock.open(lock.name)


class Nameless(LockCase):
    def left(self):
        return [name for name in os.listdir("/dev/shm") if f".python-{os.getpid()}-" in name]

    def test_it_goes_with_the_object(self):
        lock = ipckit.Lock()
        self.assertTrue(os.path.exists(file_of(lock)))
        path = file_of(lock)
        del lock
        gc.collect()
        self.assertFalse(os.path.exists(path))

    def test_one_that_was_handed_on_stays_for_the_others(self):
        lock = ipckit.Lock()
        other = pickle.loads(pickle.dumps(lock))
        name = lock.name
        del lock
        gc.collect()
        third = self.keep(ipckit.Lock.open(name))
        with other:
            self.assertFalse(third.acquire(False))

    def test_a_forked_child_uses_one_that_its_parent_has_dropped(self):
        lock, results = ipckit.Lock(), ipckit.RawArray("i", 1)
        child = fork.Process(target=acquire_forked, args=(lock, results))
        child.start()
        self.addCleanup(child.kill)
        del lock
        gc.collect()
        self.ends_well(child)
        self.assertEqual(results[0], 1)

    def run_script(self, script, after=None):
        """What is left behind by a program that prints the name of something."""
        with subprocess.Popen(
            [sys.executable, "-B", "-c", script], stdout=subprocess.PIPE, text=True
        ) as child:
            name = child.stdout.readline().strip()
            self.assertTrue(name)
            if after:
                after(child)
        return f"/dev/shm/ipckit.{name[1:]}"

    def test_the_end_of_its_maker_removes_it(self):
        script = "import ipckit; lock = ipckit.Lock(); print(lock.name, flush=True)"
        for more in ("", "; import pickle; pickle.dumps(lock)", "; import os; os.fork()"):
            with self.subTest(more):
                path = self.run_script(script + more)
                self.until(lambda: not os.path.exists(path))

    def test_the_death_of_its_maker_removes_it(self):
        path = self.run_script(
            "import ipckit, signal, sys; sys.stderr.close(); lock = ipckit.Lock();"
            " print(lock.name, flush=True); signal.pause()",
            lambda child: child.kill(),
        )
        self.until(lambda: not os.path.exists(path))

    def test_their_removal_ends_no_wait(self):
        event = ipckit.Event()
        other = pickle.loads(pickle.dumps(event))
        threading.Timer(0.6, event.set).start()
        event.unlink()
        self.assertTrue(other.wait(PATIENCE))


class Holding(LockCase):
    def test_release_of_what_is_not_held(self):
        for kind in (ipckit.Lock, ipckit.RLock, ipckit.RWLock, ipckit.Condition):
            with self.subTest(kind):
                lock = self.make(kind)
                other = self.again(lock)
                self.assertRaises(ipckit.NotHeldError, lock.release)
                lock.acquire()
                # By another, and twice.
                self.assertRaises(ipckit.NotHeldError, other.release)
                lock.release()
                self.assertRaises(ipckit.NotHeldError, lock.release)

    def test_a_lock_excludes_threads_and_processes(self):
        for kind in (ipckit.Lock, ipckit.RLock):
            with self.subTest(kind):
                value = ipckit.Value("i", 0, lock=kind())
                workers = [self.start(count_up, value, 200, context=fork) for _ in range(2)]
                workers += [self.start_thread(count_up, value, 200) for _ in range(2)]
                self.ends_well(*workers)
                self.assertEqual(value.value, 800)

    def test_a_lock_may_be_released_by_another_thread(self):
        lock = ipckit.Lock()
        lock.acquire()
        self.ends_well(self.start_thread(lock.release))
        self.assertTrue(lock.acquire(False))

    def test_an_rlock_belongs_to_its_thread(self):
        lock = ipckit.RLock()
        told = []

        def another():
            told.append(lock.acquire(False))
            try:
                lock.release()
            except ipckit.NotHeldError:
                told.append("not held")

        with lock, lock:
            self.ends_well(self.start_thread(another))
            self.assertEqual(lock.stat().held, 2)
        self.assertEqual(told, [False, "not held"])
        self.assertFalse(lock.locked())

    def test_stat_says_who_holds_and_since_when(self):
        lock = self.make(ipckit.Lock)
        self.assertEqual((lock.stat().holder_pid, lock.stat().held), (0, 0))
        with lock:
            stat = lock.stat()
            self.assertEqual((stat.kind, stat.held, stat.holder_pid), ("lock", 1, os.getpid()))
            self.assertAlmostEqual(stat.held_since, time.time(), delta=PATIENCE)
            self.assertTrue(lock.locked())
            self.assertIn(f"owner={os.getpid()}", repr(lock))

    def test_close_gives_back_without_a_word_of_death(self):
        lock = self.make(ipckit.Lock)
        other = self.again(lock)
        lock.acquire()
        lock.close()
        self.assertTrue(other.acquire(timeout=PATIENCE))
        self.assertIsNone(other.owner_died)

    def test_close_ends_waits_of_other_threads(self):
        for kind, wait in (
            (ipckit.Lock, "acquire"),
            (ipckit.Semaphore, "acquire"),
            (ipckit.Event, "wait"),
            (ipckit.Barrier, "wait"),
        ):
            with self.subTest(kind):
                thing = self.make(kind, *((0,) if kind is ipckit.Semaphore else ()))
                if kind is ipckit.Lock:
                    self.again(thing).acquire()
                ended = []

                def waits():
                    try:
                        getattr(thing, wait)()
                    except ipckit.ClosedError:
                        ended.append(True)

                thread = self.start_thread(waits)
                self.until(
                    lambda: thing.stat().waiters or thing.stat().value == 1 or kind is ipckit.Event
                )
                time.sleep(0.05)
                thing.close()
                self.ends_well(thread)
                self.assertEqual(ended, [True])

    def test_a_removed_lock_ends_waits(self):
        lock = self.make(ipckit.Lock)
        other = self.again(lock)
        lock.acquire()
        threading.Timer(0.1, lock.unlink).start()
        with self.assertRaises(ipckit.RemovedError):
            other.acquire(timeout=PATIENCE)

    def test_a_stopped_holder_keeps_its_lock(self):
        lock = self.make(ipckit.Lock)
        victim, pid = self.victim(acquire_and_say, lock)
        os.kill(pid, signal.SIGSTOP)
        self.assertFalse(lock.acquire(timeout=0.7))
        os.kill(pid, signal.SIGCONT)
        self.kill(victim)
        self.assertTrue(lock.acquire(timeout=BOUND))

    def test_many_readers_or_one_writer(self):
        rwlock, inside = ipckit.RWLock(), ipckit.Value("i", 0)
        most, seen = ipckit.RawValue("i", 0), ipckit.RawValue("i", 0)
        workers = [
            self.start(read_for_a_while, rwlock, inside, most, context=fork) for _ in range(3)
        ]
        workers.append(self.start(write_for_a_while, rwlock, inside, seen, context=fork))
        self.ends_well(*workers)
        self.assertGreater(most.value, 1)
        self.assertEqual(seen.value, 0)

    def test_a_rwlock_is_shared_several_times_by_one_handle(self):
        rwlock = self.make(ipckit.RWLock)
        other = self.again(rwlock)
        with rwlock.shared(), rwlock.shared(), other.shared():
            self.assertFalse(other.acquire(False))
            self.assertEqual(rwlock.stat().value, 3)
        self.assertRaises(ipckit.NotHeldError, rwlock.release_shared)
        with other:
            self.assertFalse(rwlock.acquire_shared(timeout=0.05))

    def test_permits_given_by_others(self):
        semaphore = self.make(ipckit.BoundedSemaphore, 1)
        other = self.again(semaphore)
        semaphore.acquire()
        other.release()
        self.assertEqual(semaphore.get_value(), 1)
        with self.assertRaises(ipckit.BoundError):
            other.release()
        counting = self.make(ipckit.Semaphore, 0)
        counting.release(3)
        self.assertEqual(counting.get_value(), 3)


class OwnersDie(LockCase):
    def test_the_next_holder_is_told_who_died(self):
        for kind in (ipckit.Lock, ipckit.RLock, ipckit.RWLock, ipckit.Condition):
            with self.subTest(kind):
                lock = self.make(kind)
                victim, pid = self.victim(acquire_and_say, lock)
                self.assertFalse(lock.acquire(False))
                self.kill(victim)
                with self.within_bound():
                    self.assertTrue(lock.acquire(timeout=BOUND))
                self.assertEqual(lock.owner_died, ipckit.DeadOwner(pid, "python"))
                lock.release()
                # Told once.
                with lock:
                    self.assertIsNone(lock.owner_died)

    def test_one_who_waits_already_goes_on(self):
        lock = self.make(ipckit.Lock)
        victim, pid = self.victim(acquire_and_say, lock)
        threading.Timer(0.2, victim.kill).start()
        with self.within_bound():
            self.assertTrue(lock.acquire(timeout=PATIENCE))
        self.assertEqual(lock.owner_died.pid, pid)

    def test_strict_raises_and_releases(self):
        for kind in (ipckit.Lock, ipckit.RLock, ipckit.RWLock, ipckit.Condition):
            with self.subTest(kind):
                name = self.name()
                lock = self.keep(kind.create(name, strict=True))
                victim, pid = self.victim(acquire_and_say, lock)
                self.kill(victim)
                with self.assertRaisesRegex(ipckit.OwnerDiedError, "half changed") as caught:
                    lock.acquire(timeout=BOUND)
                self.assertEqual((caught.exception.pid, caught.exception.name), (pid, "python"))
                self.assertFalse(lock.locked())
                self.assertTrue(lock.acquire(timeout=BOUND))

    def test_a_recursive_acquire_still_knows_of_the_death(self):
        lock = self.make(ipckit.RLock)
        victim, pid = self.victim(acquire_and_say, lock)
        self.kill(victim)
        with lock, lock:
            self.assertEqual(lock.owner_died.pid, pid)

    def test_the_lock_of_a_value(self):
        value = ipckit.Value("i", 5)
        victim, pid = self.victim(acquire_and_say, value)
        self.kill(victim)
        with self.within_bound(), value.get_lock() as got:
            self.assertTrue(got)
            self.assertEqual(value.get_lock().owner_died.pid, pid)
            self.assertEqual(value.owner_died.pid, pid)
        self.assertEqual(value.value, 5)

    def test_readers_that_die_are_forgotten(self):
        rwlock = self.make(ipckit.RWLock)
        victim, _ = self.victim(acquire_and_say, rwlock, "acquire_shared")
        self.assertFalse(rwlock.acquire(False))
        self.kill(victim)
        with self.within_bound():
            self.assertTrue(rwlock.acquire(timeout=BOUND))
        self.assertIsNone(rwlock.owner_died)

    def test_a_reader_is_told_of_a_dead_writer(self):
        rwlock = self.make(ipckit.RWLock)
        victim, pid = self.victim(acquire_and_say, rwlock)
        self.kill(victim)
        with self.within_bound(), rwlock.shared():
            self.assertEqual(rwlock.owner_died.pid, pid)

    def test_permits_of_the_dead_return(self):
        semaphore = self.make(ipckit.Semaphore, 2)
        victims = [self.victim(acquire_and_say, semaphore)[0] for _ in range(2)]
        self.assertEqual(semaphore.get_value(), 0)
        for victim in victims:
            self.kill(victim)
        with self.within_bound():
            self.assertTrue(semaphore.acquire(timeout=BOUND))
            self.assertTrue(semaphore.acquire(timeout=BOUND))
        self.assertFalse(semaphore.acquire(False))

    def test_a_barrier_breaks_when_a_party_dies_that_has_not_come_yet(self):
        for context in (fork, spawn):
            with self.subTest(context):
                barrier = ipckit.Barrier(2)
                victim, _ = self.victim(say_and_pause, barrier, context=context)
                threading.Timer(0.2, victim.kill).start()
                with self.within_bound(), self.assertRaises(ipckit.BrokenBarrierError):
                    barrier.wait(PATIENCE)
                self.assertTrue(barrier.broken)
                victim.join()
                barrier.reset()
                other = self.start_thread(barrier.wait)
                barrier.wait(PATIENCE)
                self.ends_well(other)

    def test_a_barrier_does_not_break_when_a_party_ends(self):
        for context in (fork, spawn):
            with self.subTest(context):
                barrier = ipckit.Barrier(2)
                self.ends_well(self.start(exit_at_once, barrier, context=context))
                time.sleep(0.3)
                other = self.start_thread(barrier.wait)
                barrier.wait(PATIENCE)
                self.ends_well(other)
                self.assertFalse(barrier.broken)

    def test_a_failed_action_breaks_the_barrier(self):
        def fail():
            raise ZeroDivisionError

        barrier = ipckit.Barrier(1, action=fail)
        self.assertRaises(ZeroDivisionError, barrier.wait)
        self.assertTrue(barrier.broken)
        self.assertRaises(ipckit.BrokenBarrierError, barrier.wait)

    def test_a_notice_that_died_goes_to_the_next(self):
        condition = self.make(ipckit.Condition)
        victim, _ = self.victim(wait_for_notice_and_stop, condition)
        self.until(lambda: condition.stat().waiters == 1)
        got = []

        def waits():
            with condition:
                got.append(condition.wait(PATIENCE))

        thread = self.start_thread(waits)
        self.until(lambda: condition.stat().waiters == 2)
        # Stopped, it cannot take the notice; killed, it never will.
        os.kill(victim.pid, signal.SIGSTOP)
        with condition:
            condition.notify()
        self.kill(victim)
        self.ends_well(thread)
        self.assertEqual(got, [True])


def wait_for_notice_and_stop(there, condition):
    with condition:
        there.send("waits")
        condition.wait()


class Conditions(LockCase):
    def test_one_lock_for_several(self):
        for kind in (ipckit.Lock, ipckit.RLock):
            with self.subTest(kind):
                lock = kind()
                full, empty = ipckit.Condition(lock), ipckit.Condition(lock)
                items = []

                def take():
                    with full:
                        full.wait_for(lambda: items)
                        items.pop()
                        empty.notify()

                thread = self.start_thread(take)
                with lock:
                    items.append(1)
                    full.notify()
                    self.assertTrue(empty.wait_for(lambda: not items, PATIENCE))
                self.ends_well(thread)

    def test_without_the_lock_nothing_is_done(self):
        condition = ipckit.Condition()
        for call in (condition.wait, condition.notify, condition.notify_all):
            with self.assertRaisesRegex(AssertionError, "acquire\\(\\) it first"):
                call()

    def test_wait_releases_all_levels_and_gets_them_back(self):
        condition = ipckit.Condition()
        free = []

        def look():
            self.until(lambda: condition.stat().waiters == 1)
            with condition:
                free.append(True)
                condition.notify()

        with condition, condition, condition:
            thread = self.start_thread(look)
            self.assertTrue(condition.wait(PATIENCE))
            self.assertEqual(condition.stat().held, 3)
        self.ends_well(thread)
        self.assertEqual(free, [True])

    def test_pickled_with_its_lock(self):
        condition = ipckit.Condition(ipckit.Lock())
        with pickle.loads(pickle.dumps(condition)):
            self.assertFalse(condition.acquire(False))
        self.assertTrue(condition.acquire(False))


class Values(LockCase):
    def test_other_types_are_refused_with_both_names(self):
        value = self.make(ipckit.Value, "i", 5)
        for other, name in (
            ("d", "f64"),
            ("I", "u32"),
            (Foo, r"struct\{id:i32,px:f64,sym:char\[8\]\}"),
        ):
            with self.assertRaisesRegex(ipckit.CodecError, f"carries i32.*was to carry {name}"):
                ipckit.Value.open(value.name, other)
        with self.assertRaises(ipckit.CodecError):
            ipckit.Array.open(value.name, "i", 2)

    def test_a_value_of_each_type_by_its_name(self):
        for code, value in zip(
            "cbBhHiIlLqQfdu", [b"x", -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, 0.5, 0.25, "ż"]
        ):
            with self.subTest(code):
                made = self.make(ipckit.Value, code, value)
                self.assertEqual(self.again(made, code).value, value)

    def test_an_array_is_opened_as_long_as_it_is(self):
        made = self.make(ipckit.Array, "d", [0.5, 1.5, 2.5])
        other = self.again_array(made, "d")
        self.assertEqual(other[:], [0.5, 1.5, 2.5])
        other[1] = 7
        self.assertEqual(made[1], 7)

    def again_array(self, made, code):
        return self.keep(ipckit.Array.open(made.name, code))

    def again(self, made, *arguments, **options):
        return self.keep(ipckit.Value.open(made.name, *arguments, **options))

    def test_a_struct_by_its_name(self):
        made = self.make(ipckit.Value, Foo, 1, 2.5, b"EIGHTLEN")
        other = self.again(made, Foo)
        self.assertEqual((other.id, other.px, other.sym), (1, 2.5, b"EIGHTLEN"))
        other.id += 1
        self.assertEqual(made.get_obj().id, 2)

    def test_raw_ones_by_their_names(self):
        name = self.name()
        made = ipckit.RawValue.create(name, "i", 3)
        other = ipckit.RawValue.open(name, "i")
        other.value += 1
        self.assertEqual(made.value, 4)
        name = self.name()
        made = ipckit.RawArray.open_or_create(name, "h", range(3))
        self.assertEqual(list(ipckit.RawArray.open(name, "h")), [0, 1, 2])
        self.assertEqual(len(made), 3)

    def test_what_is_mapped_stays_when_the_handle_is_closed(self):
        value = self.make(ipckit.Value, "i", 5)
        obj = value.get_obj()
        value.close()
        obj.value += 1
        self.assertEqual(obj.value, 6)
        with self.assertRaises(ipckit.ClosedError):
            value.value

    def test_a_forked_child_sees_the_same_memory(self):
        raw = ipckit.RawArray("i", 1)
        pid = os.fork()
        if pid == 0:
            raw[0] = 77
            os._exit(0)
        os.waitpid(pid, 0)
        self.assertEqual(raw[0], 77)

    def test_multiprocessings_own_are_left_alone(self):
        theirs, ours = multiprocessing.RawValue("i", 1), ipckit.RawValue("i", 2)
        again = pickle.loads(pickle.dumps(ours))
        again.value += 1
        self.assertEqual((theirs.value, ours.value), (1, 3))


class Interrupts(LockCase):
    WAITS = {
        "Lock": "t.acquire(); t.acquire()",
        "RLock": "o = ipckit.RLock.open(t.name); o.acquire(); t.acquire()",
        "RWLock": "t.acquire(); t.acquire_shared()",
        "Semaphore": "t.acquire(); t.acquire()",
        "Condition": "t.acquire(); t.wait()",
        "Event": "t.wait()",
        "Barrier": "t.wait()",
    }

    def run_script(self, script):
        child = subprocess.Popen(
            [sys.executable, "-B", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.3)
        return child

    def test_ctrl_c_ends_a_wait_without_end(self):
        for kind, wait in self.WAITS.items():
            arguments = "2" if kind == "Barrier" else ""
            first, _, last = wait.rpartition("; ")
            with self.subTest(kind):
                child = self.run_script(
                    f"import ipckit\nt = ipckit.{kind}({arguments})\n{first}\n"
                    f"print('ready', flush=True)\n{last.strip()}\n"
                )
                child.send_signal(signal.SIGINT)
                errors = child.communicate(timeout=BOUND)[1]
                self.assertIn("KeyboardInterrupt", errors)

    def test_a_wait_lets_other_threads_run(self):
        event = ipckit.Event()
        threading.Timer(0.2, event.set).start()
        self.assertTrue(event.wait(PATIENCE))

    def test_a_handler_that_returns_lets_the_wait_go_on(self):
        child = self.run_script(
            "import ipckit, signal\n"
            "seen = []\n"
            "e = ipckit.Event()\n"
            "def handler(*_):\n"
            "    seen.append(1)\n"
            "    if len(seen) == 2: e.set()\n"
            "signal.signal(signal.SIGUSR1, handler)\n"
            "print('ready', flush=True)\n"
            "print(e.wait(30), len(seen))\n"
        )
        child.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        child.send_signal(signal.SIGUSR1)
        self.assertEqual(child.communicate(timeout=PATIENCE), ("True 2\n", ""))


class Children(LockCase):
    def test_a_forked_child_opens_anew_what_it_uses(self):
        lock = self.make(ipckit.Lock)
        lock.acquire()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                assert not lock.acquire(False)
                try:
                    lock.release()
                except ipckit.NotHeldError:
                    code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        # Its end took nothing from us.
        self.assertTrue(lock.locked())
        lock.release()

    def test_the_death_of_a_parent_is_seen_while_its_child_lives(self):
        lock = self.make(ipckit.Lock)
        script = (
            "import ipckit, os, signal, sys\n"
            "lock = ipckit.Lock.open(sys.argv[1])\n"
            "lock.acquire()\n"
            "if os.fork() == 0:\n"
            "    print(os.getpid(), flush=True)\n"
            "    os.read(0, 1)\n"
            "    os._exit(0)\n"
            "signal.pause()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-B", "-c", script, lock.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            child.stdout.readline()
            child.kill()
            child.wait()
            with self.within_bound():
                self.assertTrue(lock.acquire(timeout=BOUND))
            self.assertEqual(lock.owner_died.pid, child.pid)

    def test_a_child_forked_while_threads_wait_is_not_stuck(self):
        event = ipckit.Event()
        thread = self.start_thread(event.wait)
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                signal.alarm(PATIENCE)
                os._exit(int(event.is_set() or event.wait(0)))
            self.assertEqual(os.waitpid(pid, 0)[1], 0)
        event.set()
        self.ends_well(thread)


if __name__ == "__main__":
    unittest.main()
