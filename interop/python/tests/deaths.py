"""The nine cases in which processes that use multiprocessing hang for ever when one of them is
killed, as programs that only differ in where their classes come from:

    deaths.py CASE multiprocessing|ipckit

prints {"went_on": ..., "ms": ...}: whether the others went on within the bound after the kill, and
how soon. The rest of a program that hangs is killed with it.
"""

import json
import multiprocessing
import os
import queue
import secrets
import signal
import sys
import threading
import time

import ipckit

# Hard bound for those who go on; who has not by then is taken to hang.
BOUND_SECONDS = 2
PATIENCE = 30

spawn = multiprocessing.get_context("spawn")


class Classes:
    """The queues of ipckit by the names of multiprocessing; the others are called the same."""

    names = []

    @classmethod
    def _queue(cls, kind):
        cls.names.append(f"/ipckit-test-{os.getpid()}-{secrets.token_hex(6)}")
        return kind.create(cls.names[-1])

    @classmethod
    def Queue(cls):
        return cls._queue(ipckit.Queue)

    @classmethod
    def JoinableQueue(cls):
        return cls._queue(ipckit.JoinableQueue)

    Lock, RLock, Semaphore = ipckit.Lock, ipckit.RLock, ipckit.Semaphore
    Condition, Event, Barrier = ipckit.Condition, ipckit.Event, ipckit.Barrier


class Victim:
    """A process that says when it is where it is to be killed."""

    def __init__(self, target, *arguments):
        self._here, there = spawn.Pipe()
        self.process = spawn.Process(target=target, args=(there, *arguments), daemon=True)
        self.process.start()
        there.close()

    def is_there(self):
        """Waits for its word, and for it to fall asleep after that."""
        if not self._here.poll(PATIENCE):
            sys.exit("the victim said nothing")
        self._here.recv()
        time.sleep(0.3)
        return self

    def kill(self):
        self.process.kill()
        self.process.join()


def goes_on(action):
    """Whether the action ends within the bound, well and with something true, and how soon."""
    begun = time.monotonic()
    ended = []

    def run():
        try:
            result = action()
        except (threading.BrokenBarrierError, ipckit.IpcError):
            # Told what has happened is not hanging.
            result = True
        except queue.Empty:
            result = False
        ended.append((bool(result), time.monotonic() - begun))

    threading.Thread(target=run, daemon=True).start()
    while not ended and time.monotonic() - begun < BOUND_SECONDS:
        time.sleep(0.001)
    return ended[0] if ended else (False, BOUND_SECONDS)


# ---- the cases: m has the classes


def _hold(there, lock):
    lock.acquire()
    there.send("holds")
    signal.pause()


def _held(lock):
    Victim(_hold, lock).is_there().kill()
    return goes_on(lambda: lock.acquire(timeout=BOUND_SECONDS))


def lock(m):
    return _held(m.Lock())


def rlock(m):
    return _held(m.RLock())


def semaphore(m):
    return _held(m.Semaphore(1))


def _get(there, values):
    there.send("gets")
    values.get()


def queue_getter(m):
    """One who waits in get() is killed; then there is something to get."""
    values = m.Queue()
    Victim(_get, values).is_there().kill()
    values.put(1)
    return goes_on(lambda: values.get(timeout=BOUND_SECONDS))


def _get_and_keep(there, tasks):
    tasks.get()
    there.send("has a task")
    signal.pause()


def _work(there, tasks):
    there.send("works")
    while True:
        tasks.get()
        tasks.task_done()


def joinable_queue(m):
    """One who has a task is killed; another does the work."""
    tasks = m.JoinableQueue()
    tasks.put(1)
    victim = Victim(_get_and_keep, tasks).is_there()
    other = Victim(_work, tasks).is_there()
    victim.kill()
    try:
        return goes_on(lambda: tasks.join() or True)
    finally:
        other.kill()


def _wait_for_notice(there, condition):
    with condition:
        there.send("waits")
        condition.wait()


def condition(m):
    condition = m.Condition()
    Victim(_wait_for_notice, condition).is_there().kill()

    def notify():
        with condition:
            condition.notify()
        return True

    return goes_on(notify)


def _wait(there, event):
    there.send("waits")
    event.wait()


def event(m):
    event = m.Event()
    Victim(_wait, event).is_there().kill()
    return goes_on(lambda: event.set() or True)


def barrier(m):
    """One of two parties is killed while it waits; the other comes after that."""
    barrier = m.Barrier(2)
    Victim(_wait, barrier).is_there().kill()
    return goes_on(lambda: barrier.wait() or True)


def _square(number):
    if number == 1 and os.environ.get("DEATHS_MARK"):
        # The first who gets it is killed with it.
        try:
            os.mkdir(os.environ["DEATHS_MARK"])
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            pass
    return number * number


def _square_all(there, tasks, results):
    there.send("works")
    while True:
        with tasks.lease() as lease:
            results.put([lease.value, _square(lease.value)])
            lease.ack()


def _pool_of_queues(m, numbers):
    """What a pool is made of, that is the queue of tasks. A task whose worker is killed comes to
    another worker.
    """
    tasks, results = m.Queue(), m.Queue()
    workers = [Victim(_square_all, tasks, results).is_there() for _ in range(2)]
    for number in numbers:
        tasks.put(number)
    try:
        return goes_on(lambda: len({results.get()[0] for _ in numbers}) == len(numbers))
    finally:
        for worker in workers:
            worker.kill()


def pool_map(m):
    """A worker is killed with its task. Pool is multiprocessing's; of ours it is the queues."""
    os.environ["DEATHS_MARK"] = os.path.join("/tmp", f"ipckit-test-{secrets.token_hex(8)}")
    try:
        if m is Classes:
            return _pool_of_queues(m, range(4))
        pool = spawn.Pool(2)
        # Both workers have begun.
        pool.map(time.sleep, [0.2] * 2, chunksize=1)
        return goes_on(lambda: pool.map(_square, range(4), chunksize=1))
    finally:
        os.rmdir(os.environ["DEATHS_MARK"])


CASES = {
    case.__name__: case
    for case in (
        lock,
        rlock,
        semaphore,
        queue_getter,
        joinable_queue,
        condition,
        event,
        barrier,
        pool_map,
    )
}


def main():
    name, classes = sys.argv[1:]
    went_on, seconds = CASES[name](spawn if classes == "multiprocessing" else Classes)
    print(json.dumps({"went_on": went_on, "ms": round(seconds * 1000)}), flush=True)
    for own in Classes.names:
        ipckit.unlink(own)
    if classes == "multiprocessing" and not went_on:
        # What hangs keeps nobody from ending here; its children die with their pipes and by this.
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(0)


if __name__ == "__main__":
    main()
