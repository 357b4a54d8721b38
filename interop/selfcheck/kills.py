"""SIGKILL, just when messages reach a receiver in its wait."""

import contextlib
import os
import signal
import sys
import tempfile
import time

from harness import PYTHON, Running, expect, new_queue, read_ledger, run, until, working

import messages

MESSAGES, KILLS = 200, 20


@contextlib.contextmanager
def on_one_processor():
    """Keeps this process, and those it starts, on one processor: whom it wakes up can only run when
    it sleeps, or when its share of the processor's time is used up."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


@contextlib.contextmanager
def uninterrupted():
    """A process with real-time priority keeps the processor; that takes privileges."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        time.sleep(0.002)  # a fresh share, much longer than what follows
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def kill_at_arrival(peer, send):
    """The kill comes after the message has arrived and before the first instruction that the
    receiver has for it."""
    peer.until_asleep()
    os.sched_setscheduler(peer.pid, os.SCHED_IDLE, os.sched_param(0))
    with uninterrupted():
        send()
        os.kill(peer.pid, signal.SIGKILL)
    peer.kill()


def check_kill(command, stopper, kernel):
    each = MESSAGES // KILLS
    hits = 0
    with new_queue(kernel) as queue, tempfile.TemporaryDirectory() as directory:
        ledger = os.path.join(directory, "ledger")

        def send(id):
            queue.send(messages.make_message("text", 0, id))

        with on_one_processor():
            for first in range(0, MESSAGES, each):
                with working(command, queue, ledger) as peer:
                    # What did not reach the one before is still there, and this one receives it.
                    until(lambda: len(read_ledger(ledger)) == first)
                    kill_at_arrival(peer, lambda: send(first))
                hits += queue.depth() == 1
                for id in range(first + 1, first + each):
                    send(id)
        with working(command, queue, ledger) as peer:
            run(stopper, "stop", *queue.target, "--format", "text")
            peer.succeed()
        ids = [line["id"] for line in read_ledger(ledger)]
        expect(sorted(ids), list(range(MESSAGES)))
    return f"{hits} kills came between arrival and receipt"


NAIVE = """
import sys
sys.path.insert(0, sys.argv[1])
from posix_mq import PosixQueue
from sysv_msg import SysvQueue
if sys.argv[2] == "mq":
    queue = PosixQueue.open(sys.argv[3])
else:
    queue = SysvQueue(int(sys.argv[3]))
print("{}", flush=True)
queue.receive()
"""


def check_naive_kill(kernel):
    """The proof that the kills hit: a receiver that waits in a plain receive loses messages."""
    lost = 0
    with new_queue(kernel) as queue, on_one_processor():
        for _ in range(KILLS):
            command = [sys.executable, "-B", "-c", NAIVE, PYTHON, kernel, queue.name]
            with Running(command) as peer:
                peer.next_line()
                kill_at_arrival(peer, lambda: queue.send(b"precious"))
            if queue.depth() == 0:
                lost += 1
            else:
                queue.receive()
    if lost == 0:
        raise AssertionError("no kill came in time, so the checks of the peers prove nothing")
    return f"{lost} of {KILLS} messages lost"
