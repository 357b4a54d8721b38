"""Queues in shared memory: what C and Python put, each other gets, and what one is killed with
comes back.
"""

import contextlib
import json
import os
import subprocess
import sys

from harness import PYTHON, expect, random_name

TYPES = ("json", "raw", "text", "struct{id:i32,px:f64,sym:char[8]}")
PATIENCE_MS = 30_000


def commands(build):
    return {
        "c": [os.path.join(build, "queue-peer")],
        "python": [sys.executable, "-B", os.path.join(PYTHON, "queue_peer.py")],
    }


class Peer:
    """A peer that has a queue open. Leaving the block kills it."""

    def __init__(self, command, how, name, kind, build):
        library = os.path.join(build, "libipckit.so.1")
        self._process = subprocess.Popen(
            [*command, how, name, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "IPCKIT_LIBRARY": library},
        )
        expect(self._answer(), {"ok": 0})

    def ask(self, *words):
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        return json.loads(self._process.stdout.readline())

    def kill(self):
        self._process.kill()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


@contextlib.contextmanager
def pair(build, a, b, kind):
    name = random_name()
    try:
        with Peer(commands(build)[a], "create", name, kind, build) as first:
            with Peer(commands(build)[b], "open", name, kind, build) as second:
                yield first, second
    finally:
        os.unlink(f"/dev/shm/ipckit.{name[1:]}")


def check_messages(build, a, b, kind):
    with pair(build, a, b, kind) as (first, second):
        for size in (10, 200, 100_000):
            sent = first.ask("put", 7, size, 3)
            got = second.ask("lease", PATIENCE_MS)
            expect({key: got[key] for key in sent}, sent)
            expect(got["priority"], 3)
            expect(second.ask("ack"), {"ok": 0})


def check_kill(build, a, b):
    with pair(build, a, b, "json") as (first, second):
        first.ask("put", 1, 0, 0)
        expect(first.ask("lease", PATIENCE_MS)["redelivered"], False)
        first.kill()
        again = second.ask("lease", PATIENCE_MS)
        expect((again["id"], again["deliveries"], again["redelivered"]), (1, 2, True))


def checks(build):
    """Yields (title, function, arguments)."""
    for a in commands(build):
        for b in commands(build):
            for kind in TYPES:
                title = f"shm: {a} sends {kind.split('{')[0]} to {b}"
                yield title, check_messages, (build, a, b, kind)
            yield f"shm: {b} gets what {a} is killed with", check_kill, (build, a, b)
