"""What the checks stand on: the peers as commands, queues to watch them by, and expectations."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time

INTEROP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.path.join(INTEROP, "python")
sys.path.insert(0, PYTHON)

from posix_mq import PosixQueue  # noqa: E402
from sysv_msg import SysvQueue  # noqa: E402

SYSTEM_PYTHON = "/usr/bin/python3"  # the one for which Debian installs sysv_ipc

# No check takes this long; a peer that hangs does.
PATIENCE_SECONDS = 30


def peers(build):
    """The command of each peer, by kernel and language."""
    python = [sys.executable, "-B", os.path.join(PYTHON, "peer.py")]
    sysv_ipc = [SYSTEM_PYTHON, "-B", os.path.join(PYTHON, "sysv_ipc_peer.py")]
    return {
        "mq": {"c": [os.path.join(build, "mq-peer")], "python": [*python, "mq"]},
        "msg": {
            "c": [os.path.join(build, "msg-peer")],
            "python": [*python, "msg"],
            "sysv_ipc": sysv_ipc,
        },
    }


class MqQueue:
    """A queue of the check itself, by which peers are given messages and watched."""

    tag_name = "priority"

    def __init__(self):
        self.name = random_name()
        self.target = ["--queue", self.name]
        self._queue = PosixQueue.create(self.name)
        self.receive = self._queue.receive

    def send(self, data, priority=1):
        self._queue.send(data, priority)

    def depth(self):
        return self._queue.attributes().current_messages

    def remove(self):
        self._queue.close()
        PosixQueue.unlink(self.name)


class MsgQueue:
    tag_name = "type"

    def __init__(self):
        key = random.randrange(1, 2**32)
        self.target = ["--key", f"{key:#x}"]
        self._queue = SysvQueue.create(key)
        self.name = str(self._queue.id)
        self.receive = self._queue.receive

    def send(self, data, type=1):
        self._queue.send(data, type)

    def depth(self):
        return self._queue.status().messages

    def remove(self):
        self._queue.remove()


def random_name():
    return f"/ipckit-selfcheck-{os.getpid()}-{random.getrandbits(32):08x}"


@contextlib.contextmanager
def new_queue(kernel):
    queue = MqQueue() if kernel == "mq" else MsgQueue()
    try:
        yield queue
    finally:
        queue.remove()


class Running:
    """A peer that runs. Leaving the block kills it if it still does."""

    def __init__(self, command, *arguments):
        self._process = subprocess.Popen(
            [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.pid = self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.returncode is None:
            self.kill()

    def kill(self):
        self._process.kill()
        self._process.communicate()

    def next_line(self):
        return json.loads(self._process.stdout.readline())

    def send_signal(self, number):
        self._process.send_signal(number)

    def finish(self):
        """Waits for the end and returns (exit code, lines, what stderr got)."""
        output, errors = self._process.communicate(timeout=PATIENCE_SECONDS)
        lines = [json.loads(line) for line in output.splitlines()]
        return self._process.returncode, lines, errors.decode()

    def succeed(self):
        code, lines, errors = self.finish()
        expect(code, 0, errors)
        return lines

    def state(self):
        """S for asleep, T for stopped; of the main thread."""
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]

    def until_asleep(self):
        """Returns once the peer waits, if it has told that it is ready: nothing else makes it
        sleep then."""
        until(lambda: self.state() == "S")


def run(command, *arguments):
    with Running(command, *arguments) as peer:
        return peer.succeed()


def working(command, queue, ledger=os.devnull):
    """A worker that has opened its queue and handles SIGTERM."""
    worker = Running(command, "worker", *queue.target, "--format", "text", "--ledger", ledger)
    expect(worker.next_line(), {"ready": True, "pid": worker.pid})
    return worker


def read_ledger(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def until(condition):
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.002)


def expect(found, wanted, context=""):
    if found != wanted:
        raise AssertionError(f"expected {wanted!r}, found {found!r}\n{context}")


def expect_match(word, text):
    if word not in text:
        raise AssertionError(f"expected {word!r} in {text!r}")


def without_direction(lines):
    return [{key: line[key] for key in line if key != "direction"} for line in lines]
