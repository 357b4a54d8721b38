"""The package ipckit of interop/python by itself: what its methods promise, and what becomes of
them in threads, signal handlers and children. Run by test/interop/shm.test.ts, with
IPCKIT_LIBRARY and PYTHONPATH set.
"""

import ctypes
import gc
import math
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
import unittest

import ipckit

from support import PATIENCE, Case

TICK = "struct{id:i32,px:f64,sym:char[8]}"


class Tick(ctypes.LittleEndianStructure):
    _fields_ = [("id", ctypes.c_int32), ("px", ctypes.c_double), ("sym", ctypes.c_char * 8)]


def in_child(action):
    """Runs it in a forked child. Returns its exit code: 0 when it returned nothing."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            code = action() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def get_in_child(name, back):
    with ipckit.Queue.open(name) as jobs, ipckit.Queue.open(back) as answers:
        answers.put(jobs.get(timeout=PATIENCE) + 1)


def get_from(jobs, back):
    back.put(jobs.get(timeout=PATIENCE) + 1)


class QueueCase(Case):
    def make(self, codec="json", kind=ipckit.Queue, **options):
        return self.keep(kind.create(self.name(), codec, **options))

    def another(self, jobs, **options):
        return self.keep(type(jobs).open(jobs.name, jobs._codec, **options))


class Opening(QueueCase):
    def test_create_refuses_a_queue_that_is_there(self):
        jobs = self.make()
        with self.assertRaises(FileExistsError):
            ipckit.Queue.create(jobs.name)

    def test_open_refuses_a_queue_that_is_not_there(self):
        with self.assertRaisesRegex(FileNotFoundError, "create it first"):
            ipckit.Queue.open(self.name())

    def test_open_or_create_does_either(self):
        name = self.name()
        with ipckit.Queue.open_or_create(name, capacity=5) as first:
            with ipckit.Queue.open_or_create("shm:" + name, capacity=9) as second:
                first.put(1)
                self.assertEqual(second.get(), 1)
                self.assertEqual(second.stat().capacity, 5)

    def test_a_name_needs_no_slash(self):
        jobs = self.make()
        with ipckit.Queue.open(jobs.name[1:]) as same:
            self.assertEqual(same.name, jobs.name)

    def test_the_class_alone_says_how_to_open(self):
        with self.assertRaisesRegex(TypeError, "Queue.open_or_create"):
            ipckit.Queue("jobs")

    def test_bad_names_are_refused(self):
        for name in ("", "/", "shm:", "a/b", "/a/b", "x" * 201, "/a\0b"):
            with self.subTest(name), self.assertRaises(ValueError):
                ipckit.Queue.open(name)
        with self.assertRaises(TypeError):
            ipckit.Queue.open(7)

    def test_bad_options_are_refused(self):
        for options in (
            {"capacity": 0},
            {"capacity": 2**24 + 1},
            {"max_message_bytes": 256 * 2**20 + 1},
            {"max_message_bytes": 100, "capacity_bytes": 99},
            {"priorities": 17},
            {"participants": 1},
            {"max_deliveries": 32768},
            {"dead_letters": -1},
            {"mode": 0o1000},
            {"prefetch": 0},
        ):
            with self.subTest(options), self.assertRaises(ValueError):
                self.make(**options)
        for options in ({"capacity": "9"}, {"capacity": True}, {"any_type": 1}, {"depth": 1}):
            with self.subTest(options), self.assertRaises(TypeError):
                self.make(**options)
        with self.assertRaises(TypeError):
            ipckit.Queue.open("/x", capacity=1)
        with self.assertRaises(ValueError):
            self.make("yaml")
        with self.assertRaises(TypeError):
            self.make(7)

    def test_another_codec_is_refused_with_both_names_and_any_type_opens_it(self):
        jobs = self.make("text")
        with self.assertRaisesRegex(ipckit.CodecError, "carries text.*was to carry json"):
            ipckit.Queue.open(jobs.name)
        jobs.put("x")
        with ipckit.Queue.open(jobs.name, "raw", any_type=True) as same:
            self.assertEqual(same.get(), b"x")

    def test_joinable_queues_are_opened_as_such(self):
        plain, joinable = self.make(), self.make(kind=ipckit.JoinableQueue)
        with self.assertRaisesRegex(ipckit.RefusedError, "not joinable"):
            ipckit.JoinableQueue.open(plain.name)
        with self.assertRaisesRegex(ipckit.RefusedError, "open it with JoinableQueue"):
            ipckit.Queue.open(joinable.name)
        self.assertEqual(joinable.stat().participants, 1)

    def test_what_is_no_queue_is_refused(self):
        name = self.name()
        path = f"/dev/shm/ipckit.{name[1:]}"
        with open(path, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(bytes(8192))
        with self.assertRaisesRegex(ipckit.RefusedError, "no queue of ipckit"):
            ipckit.Queue.open(name)
        os.unlink(path)
        os.mkfifo(path, 0o600)
        with self.assertRaisesRegex(ipckit.RefusedError, "no regular file"):
            ipckit.Queue.open(name)

    def test_a_queue_that_everyone_may_write_to_is_refused_unless_wanted(self):
        jobs = self.make(mode=0o666)
        with self.assertRaisesRegex(ipckit.RefusedError, "mode 0o666.*any_mode"):
            ipckit.Queue.open(jobs.name)
        ipckit.Queue.open(jobs.name, any_mode=True).close()

    def test_one_handle_too_many_is_refused(self):
        jobs = self.make(participants=2)
        with self.another(jobs), self.assertRaises(ipckit.ParticipantsError):
            ipckit.Queue.open(jobs.name)


class PuttingAndGetting(QueueCase):
    def test_values_come_back_in_their_order(self):
        jobs = self.make()
        values = [None, True, 1, -1.5, "żółw 🐧", [1, [2]], {"a": {"b": []}}, "\ud800", "", 2**70]
        for value in values:
            jobs.put(value)
        self.assertEqual(jobs.qsize(), len(values))
        self.assertEqual([jobs.get() for _ in values], values)
        self.assertTrue(jobs.empty())

    def test_raw_takes_whatever_is_bytes_and_nothing_else(self):
        jobs = self.make("raw")
        for value in (b"", bytearray(b"ab"), memoryview(b"abcd")[1:3]):
            jobs.put(value)
        self.assertEqual([jobs.get() for _ in range(3)], [b"", b"ab", b"bc"])
        with self.assertRaises(TypeError):
            jobs.put("text")

    def test_structs_are_tuples_or_objects_of_ctypes(self):
        for layout in ("<i4xd8s", struct.Struct("<i4xd8s")):
            jobs = self.make(ipckit.StructCodec(layout, TICK))
            jobs.put((7, 0.5, b"ACME"))
            self.assertEqual(jobs.get(), (7, 0.5, b"ACME\0\0\0\0"))
        with ipckit.Queue.open(jobs.name, ipckit.StructCodec(Tick, TICK)) as same:
            same.put(Tick(8, 1.5, b"ACME"))
            tick = same.get()
            self.assertEqual((tick.id, tick.px, tick.sym), (8, 1.5, b"ACME"))
            with self.assertRaises(TypeError):
                same.put((8, 1.5, b"ACME"))

    def test_a_codec_of_ones_own_has_a_name_longer_than_the_queue_can_tell(self):
        name = "struct{" + "ü" * 200 + "}"
        jobs = self.make(ipckit.StructCodec("<i", name))
        self.assertTrue(name.startswith(jobs.stat().type) and len(jobs.stat().type.encode()) > 120)
        with ipckit.Queue.open(jobs.name, ipckit.StructCodec("<i", name)) as same:
            same.put((1,))
        with self.assertRaises(ipckit.CodecError):
            ipckit.Queue.open(jobs.name, ipckit.StructCodec("<i", name + "x"))

    def test_what_the_codec_cannot_say_is_refused_and_nothing_is_put(self):
        jobs = self.make()
        for value, error in ((math.nan, ValueError), ({1, 2}, TypeError), (object(), TypeError)):
            with self.subTest(value), self.assertRaises(error):
                jobs.put(value)
        self.assertEqual(jobs.qsize(), 0)

    def test_a_message_that_is_none_of_the_codec_is_a_decode_error_with_its_bytes(self):
        jobs = self.make("raw")
        other = ipckit.Queue.open(jobs.name, "json", any_type=True)
        self.addCleanup(other.close)
        for data in (b"{", b"\xff", b"NaN", b""):
            jobs.put(data)
            with self.subTest(data), self.assertRaises(ipckit.DecodeError) as caught:
                other.get()
            self.assertEqual(caught.exception.data, data)
        self.assertEqual(jobs.qsize(), 0)

    def test_the_largest_message_passes_and_a_larger_one_is_refused(self):
        jobs = self.make("raw", max_message_bytes=3_000_000)
        largest = os.urandom(3_000_000)
        jobs.put(largest)
        self.assertEqual(jobs.peek(), largest)
        self.assertEqual(jobs.get(), largest)
        with self.assertRaisesRegex(ValueError, "3000001 bytes.*at most 3000000"):
            jobs.put(largest + b"x")

    def test_full_and_empty_are_those_of_python(self):
        jobs = self.make(capacity=2)
        with self.assertRaises(queue.Empty):
            jobs.get_nowait()
        with self.assertRaises(queue.Empty):
            jobs.get(block=False)
        jobs.put(1)
        self.assertFalse(jobs.full())
        jobs.put_nowait(2)
        self.assertTrue(jobs.full())
        with self.assertRaises(queue.Full):
            jobs.put_nowait(3)
        with self.takes(0.25), self.assertRaises(queue.Full):
            jobs.put(3, timeout=0.25)
        jobs.clear()
        with self.takes(0.25), self.assertRaises(queue.Empty):
            jobs.get(timeout=0.25)

    def test_bad_times_and_priorities_are_refused(self):
        jobs = self.make(priorities=3)
        for call in (
            lambda: jobs.get(timeout=-1),
            lambda: jobs.get(timeout=math.nan),
            lambda: jobs.lease(lease_seconds=-1),
            lambda: jobs.lease(lease_seconds=math.inf),
            lambda: jobs.put(1, priority=3),
            lambda: jobs.put(1, priority=-1),
        ):
            with self.assertRaises(ValueError):
                call()
        for call in (lambda: jobs.get(timeout="1"), lambda: jobs.put(1, priority=1.0)):
            with self.assertRaises(TypeError):
                call()

    def test_the_highest_priority_comes_first(self):
        jobs = self.make()
        for priority in (0, 9, 4):
            jobs.put(priority, priority=priority)
        self.assertEqual(jobs.peek(), 9)
        self.assertEqual([jobs.get() for _ in range(3)], [9, 4, 0])

    def test_peek_and_dead_letters_are_empty_when_there_is_none(self):
        jobs = self.make(dead_letters=1)
        for call in (jobs.peek, jobs.get_dead_letter):
            with self.assertRaises(queue.Empty):
                call()

    def test_a_removed_queue_says_so_once_it_is_empty(self):
        jobs = self.make(capacity=2)
        jobs.put(1)
        jobs.unlink()
        self.assertTrue(jobs.stat().unlinked)
        self.assertEqual(jobs.get(), 1)
        with self.assertRaises(ipckit.RemovedError):
            jobs.get(timeout=PATIENCE)
        with self.assertRaises(ipckit.RemovedError):
            jobs.put(1)
        with self.assertRaises(FileNotFoundError):
            jobs.unlink()

    def test_a_truncated_queue_is_corrupt_and_no_crash(self):
        jobs = self.make()
        os.truncate(f"/dev/shm/ipckit.{jobs.name[1:]}", 4096)
        with self.assertRaises(ipckit.CorruptError):
            jobs.put(1)
        with self.assertRaises(ipckit.CorruptError):
            jobs.get()


class Leasing(QueueCase):
    def test_a_lease_is_the_queues_until_it_is_acknowledged(self):
        jobs = self.make(capacity=1)
        jobs.put("a", priority=2)
        lease = jobs.lease()
        self.assertEqual((lease.value, lease.priority, lease.delivery_count), ("a", 2, 1))
        self.assertFalse(lease.redelivered or lease.settled)
        self.assertTrue(jobs.full() and jobs.empty())
        lease.ack()
        self.assertTrue(lease.settled)
        self.assertFalse(jobs.full())

    def test_the_end_of_a_block_gives_back_what_was_not_settled(self):
        jobs = self.make()
        jobs.put(1)
        with jobs.lease():
            pass
        with self.assertRaises(ZeroDivisionError), jobs.lease():
            1 / 0
        with jobs.lease() as lease:
            self.assertEqual((lease.delivery_count, lease.redelivered), (3, True))
            lease.ack()
        self.assertEqual(jobs.stat().in_flight + jobs.qsize(), 0)

    def test_a_second_settlement_is_stale(self):
        jobs = self.make()
        for settle in ("ack", "nack", "reject"):
            jobs.put(1)
            lease = jobs.lease()
            getattr(lease, settle)()
            for again in (lease.ack, lease.nack, lease.reject, lambda: lease.extend(1)):
                with self.assertRaises(ipckit.StaleError):
                    again()
            jobs.clear()

    def test_a_lease_that_ran_out_is_delivered_again_and_stale(self):
        jobs = self.make()
        jobs.put(1)
        with jobs.lease(lease_seconds=0.05) as late:
            again = jobs.lease(timeout=PATIENCE)
            self.assertTrue(again.redelivered)
            with self.assertRaises(ipckit.StaleError):
                late.ack()
            self.assertTrue(late.settled)
        again.ack()
        self.assertEqual(jobs.stat().totals.expired, 1)

    def test_an_extended_lease_does_not_run_out(self):
        jobs = self.make()
        jobs.put(1)
        lease = jobs.lease(lease_seconds=0.2)
        lease.extend(0)
        with self.assertRaises(queue.Empty):
            jobs.lease(timeout=0.4)
        lease.ack()

    def test_what_is_given_back_with_a_delay_comes_after_it(self):
        jobs = self.make()
        jobs.put(1)
        begun = time.monotonic()
        jobs.lease().nack(delay=0.2)
        self.assertEqual(jobs.stat().delayed, 1)
        with self.assertRaises(queue.Empty):
            jobs.lease(block=False)
        self.assertTrue(jobs.lease(timeout=PATIENCE).redelivered)
        self.assertGreaterEqual(time.monotonic() - begun, 0.2)

    def test_rejected_messages_are_dead_letters(self):
        jobs = self.make(dead_letters=2, max_deliveries=2)
        jobs.put("rejected")
        jobs.lease().reject()
        jobs.put("too often")
        jobs.lease().nack()
        jobs.lease().nack()
        self.assertEqual(jobs.stat().dead_letters, 2)
        self.assertEqual([jobs.get_dead_letter() for _ in range(2)], ["rejected", "too often"])

    def test_a_lease_that_cannot_be_decoded_is_rejected(self):
        jobs = self.make("raw", dead_letters=1)
        jobs.put(b"{")
        with ipckit.Queue.open(jobs.name, any_type=True) as other:
            with self.assertRaises(ipckit.DecodeError):
                other.lease()
        self.assertEqual(jobs.get_dead_letter(), b"{")

    def test_prefetch_limits_what_one_handle_holds(self):
        jobs = self.make()
        other = self.another(jobs, prefetch=1)
        jobs.put(1)
        jobs.put(2)
        lease = other.lease()
        with self.assertRaises(ipckit.PrefetchError):
            other.lease()
        lease.ack()
        self.assertEqual(other.lease().value, 2)

    def test_closing_gives_back_and_ends_what_is_held(self):
        jobs = self.make()
        other = self.another(jobs)
        jobs.put(1)
        with other.lease() as lease:
            other.close()
        with self.assertRaises(ipckit.ClosedError):
            lease.ack()
        self.assertTrue(jobs.lease(timeout=PATIENCE).redelivered)


class Joining(QueueCase):
    def test_join_waits_for_every_task(self):
        jobs = self.make(kind=ipckit.JoinableQueue)
        done = []

        def work():
            for _ in range(20):
                jobs.get(timeout=PATIENCE)
                done.append(1)
                jobs.task_done()

        for value in range(20):
            jobs.put(value)
        with self.assertRaises(TimeoutError):
            jobs.join(timeout=0.1)
        worker = threading.Thread(target=work)
        worker.start()
        jobs.join()
        self.assertEqual(len(done), 20)
        worker.join()

    def test_too_many_task_done_are_a_value_error(self):
        jobs = self.make(kind=ipckit.JoinableQueue)
        jobs.put(1)
        jobs.get()
        jobs.task_done()
        with self.assertRaisesRegex(ValueError, "too many times"):
            jobs.task_done()


class Ending(QueueCase):
    def test_shutdown_drains_or_ends_at_once(self):
        jobs = self.make()
        jobs.put(1)
        jobs.shutdown()
        with self.assertRaises(ipckit.ShutDown):
            jobs.put(2)
        self.assertEqual(jobs.get(), 1)
        with self.assertRaises(ipckit.ShutDown):
            jobs.get()
        other = self.make()
        other.put(1)
        other.shutdown(immediate=True)
        with self.assertRaises(ipckit.ShutDown):
            other.get()
        self.assertEqual(other.stat().state, "stopped")

    @unittest.skipUnless(hasattr(queue, "ShutDown"), "Python 3.13")
    def test_shutdown_is_pythons_own_where_it_has_one(self):
        self.assertIs(ipckit.ShutDown, queue.ShutDown)

    def test_a_closed_queue_refuses_everything_but_close(self):
        jobs = self.make()
        with jobs:
            jobs.put(1)
        jobs.close()
        self.assertTrue(jobs.closed)
        for call in (
            jobs.get,
            lambda: jobs.put(1),
            jobs.lease,
            jobs.peek,
            jobs.qsize,
            jobs.stat,
            jobs.participants,
            jobs.clear,
            jobs.shutdown,
            lambda: pickle.dumps(jobs),
        ):
            with self.assertRaises(ipckit.ClosedError):
                call()
            # As multiprocessing has it.
            with self.assertRaises(ValueError):
                call()

    def test_close_ends_what_waits_in_other_threads(self):
        jobs = self.make(capacity=1)
        jobs.put(1)
        ends = []

        def wait(call):
            try:
                call()
            except Exception as error:
                ends.append(type(error))

        other = self.make()
        threads = [
            threading.Thread(target=wait, args=(call,))
            for call in (lambda: jobs.put(2), other.get, other.lease)
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        jobs.close()
        other.close()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(ends, [ipckit.ClosedError] * 3)

    def test_a_queue_that_nobody_has_any_more_leaves(self):
        jobs = self.make()
        other = ipckit.Queue.open(jobs.name)
        self.assertEqual(jobs.stat().participants, 2)
        del other
        gc.collect()
        self.assertEqual(jobs.stat().participants, 1)

    def test_participants_say_who_they_are(self):
        jobs = self.make()
        other = self.another(jobs)
        other.put(1)
        jobs.lease()
        own, theirs = sorted(jobs.participants(), key=lambda one: not one.is_self)
        self.assertEqual((own.pid, own.name, own.leases), (os.getpid(), "python", 1))
        self.assertEqual((own.consumer, own.producer, own.alive), (True, False, True))
        self.assertEqual((theirs.producer, theirs.consumer, theirs.is_self), (True, False, False))
        self.assertAlmostEqual(own.since, time.time(), delta=PATIENCE)

    def test_more_participants_than_expected_are_all_told(self):
        jobs = self.make()
        for _ in range(40):
            self.another(jobs)
        self.assertEqual(len(jobs.participants()), 41)


class Threads(QueueCase):
    def test_threads_share_a_queue_and_lose_nothing(self):
        jobs = self.make(capacity=8)
        got = []

        def take():
            while True:
                value = jobs.get(timeout=PATIENCE)
                if value is None:
                    return
                got.append(value)

        def give(first):
            for value in range(first, first + 200):
                jobs.put(value, timeout=PATIENCE)

        takers = [threading.Thread(target=take) for _ in range(3)]
        givers = [threading.Thread(target=give, args=(first,)) for first in (0, 200, 400)]
        for thread in takers + givers:
            thread.start()
        for thread in givers:
            thread.join()
        for _ in takers:
            jobs.put(None)
        for thread in takers:
            thread.join()
        self.assertEqual(sorted(got), list(range(600)))

    def test_a_waiting_get_lets_other_threads_run(self):
        jobs = self.make()
        threading.Timer(0.2, jobs.put, ("late",)).start()
        self.assertEqual(jobs.get(timeout=PATIENCE), "late")


class Signals(QueueCase):
    def run_script(self, script, *arguments):
        child = subprocess.Popen(
            [sys.executable, "-B", "-c", script, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.kill)
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.2)
        return child

    def test_ctrl_c_ends_a_wait_without_end(self):
        name = self.name()
        for wait in ("jobs.get()", "jobs.lease()", "jobs.join()"):
            script = f"""
import ipckit, sys
jobs = ipckit.JoinableQueue.open_or_create(sys.argv[1])
if "join" in {wait!r}:
    jobs.put(1)
print("ready", flush=True)
{wait}"""
            with self.subTest(wait):
                child = self.run_script(script, name)
                child.send_signal(signal.SIGINT)
                errors = child.communicate(timeout=PATIENCE)[1]
                self.assertIn("KeyboardInterrupt", errors)

    def test_a_handler_may_use_and_close_the_queue_that_waits(self):
        script = """
import ipckit, signal, sys
jobs = ipckit.Queue.open_or_create(sys.argv[1])
def stop(*_):
    jobs.put("from the handler")
    assert jobs.get() == "from the handler"
    jobs.close()
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
try:
    jobs.get()
except ipckit.ClosedError:
    print("closed")"""
        child = self.run_script(script, self.name())
        child.send_signal(signal.SIGTERM)
        output, errors = child.communicate(timeout=PATIENCE)
        self.assertEqual((output, errors, child.returncode), ("closed\n", "", 0))


class Children(QueueCase):
    def test_a_forked_child_must_open_the_queue_itself(self):
        jobs = self.make()
        jobs.put(1)
        lease = jobs.lease()

        def child():
            for call in (lambda: jobs.put(1), jobs.get, jobs.stat, lease.ack):
                try:
                    call()
                except ipckit.ForkedError as error:
                    assert "open the queue in the child" in str(error)
                else:
                    return 1
            with lease:
                pass
            jobs.close()
            with ipckit.Queue.open(jobs.name) as own:
                own.put("from the child")

        self.assertEqual(in_child(child), 0)
        self.assertEqual(jobs.get(timeout=PATIENCE), "from the child")
        # Neither its end nor its close took anything from us.
        lease.ack()
        self.assertEqual(jobs.stat().participants, 1)

    def test_a_child_forked_while_threads_wait_is_not_stuck(self):
        jobs = self.make()
        waiting = threading.Thread(target=lambda: jobs.get(timeout=PATIENCE))
        waiting.start()

        def child():
            signal.alarm(PATIENCE)
            jobs.close()
            with ipckit.Queue.open(jobs.name) as own:
                own.qsize()

        for _ in range(20):
            self.assertEqual(in_child(child), 0)
        jobs.put(1)
        waiting.join()

    def test_a_child_that_lives_on_does_not_keep_its_parent_alive(self):
        jobs = self.make()
        jobs.put(1)
        script = """
import ipckit, os, signal, sys
jobs = ipckit.Queue.open(sys.argv[1])
lease = jobs.lease()
if os.fork() == 0:
    print(os.getpid(), flush=True)
    os.read(0, 1)
    os._exit(0)
signal.pause()"""
        child = subprocess.Popen(
            [sys.executable, "-B", "-c", script, jobs.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stdin.close)
        child.stdout.readline()
        child.kill()
        child.wait()
        again = jobs.lease(timeout=PATIENCE)
        self.assertTrue(again.redelivered)
        again.ack()

    def test_processes_of_multiprocessing_get_queues_by_name_or_as_they_are(self):
        jobs, back = self.make(), self.make()
        for target, arguments in (
            (get_in_child, (jobs.name, back.name)),
            (get_from, (jobs, back)),
        ):
            with self.subTest(target):
                process = self.start(target, *arguments)
                jobs.put(41)
                self.assertEqual(back.get(timeout=PATIENCE), 42)
                self.ends_well(process)

    def test_a_pickled_queue_keeps_its_codec_and_its_options(self):
        jobs = self.make(ipckit.StructCodec("<i", "struct{id:i32}"), mode=0o666)
        with self.assertRaises(ipckit.RefusedError):
            pickle.loads(pickle.dumps(jobs))
        opened = ipckit.Queue.open(jobs.name, jobs._codec, any_mode=True, prefetch=1)
        self.addCleanup(opened.close)
        with pickle.loads(pickle.dumps(opened)) as same:
            same.put((5,))
            same.put((6,))
            self.assertEqual(same.lease().value, (5,))
            with self.assertRaises(ipckit.PrefetchError):
                same.lease()


if __name__ == "__main__":
    unittest.main()
