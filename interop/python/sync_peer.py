#!/usr/bin/env python3
"""The other side of a lock or one of its friends, in Python, through the package ipckit.

It has the command line, the commands and the answers of sync-peer (c/sync_peer.c).
"""

import ctypes
import sys

import ipckit
from ipckit._records import SYNC_STRUCTURES

from dialogue import converse

KINDS = {
    "lock": ipckit.Lock,
    "rlock": ipckit.RLock,
    "rwlock": ipckit.RWLock,
    "semaphore": ipckit.Semaphore,
    "bounded": ipckit.BoundedSemaphore,
    "condition": ipckit.Condition,
    "event": ipckit.Event,
    "barrier": ipckit.Barrier,
    "value": ipckit.Value,
    "array": ipckit.Array,
}


def seconds(milliseconds):
    return None if milliseconds is None else milliseconds / 1000


def in_time(result):
    if not result:
        raise TimeoutError
    return 1


class Peer:
    def __init__(self, how, kind, name, number=0):
        arguments = []
        if kind in ("value", "array"):
            arguments = ["i", int(number)]
        elif how == "create" and kind in ("semaphore", "bounded", "barrier"):
            arguments = [int(number)]
        self.object = getattr(KINDS[kind], how)(name, *arguments)
        self.kind = kind

    def _held(self, result):
        in_time(result)
        died = getattr(self.object, "owner_died", None)
        return {"ok": 1, "died": died.pid if died else 0}

    def acquire(self, milliseconds=None):
        return self._held(self.object.acquire(timeout=seconds(milliseconds)))

    def shared(self, milliseconds=None):
        return self._held(self.object.acquire_shared(timeout=seconds(milliseconds)))

    def release(self):
        self.object.release()

    def unshare(self):
        self.object.release_shared()

    def wait(self, milliseconds=None):
        result = self.object.wait(seconds(milliseconds))
        return {"ok": result if self.kind == "barrier" else in_time(result) - 1}

    def notify(self, count):
        self.object.notify(count)

    def set(self):
        self.object.set()

    def clear(self):
        self.object.clear()

    def isset(self):
        return {"ok": int(self.object.is_set())}

    def abort(self):
        self.object.abort()

    def reset(self):
        self.object.reset()

    def broken(self):
        return {"ok": int(self.object.broken)}

    def free(self):
        return {"ok": self.object.get_value()}

    def _numbers(self):
        data = self.object.get_obj()
        return (ctypes.c_int32 * 1).from_buffer(data) if self.kind == "value" else data

    def get(self, at):
        return {"ok": self._numbers()[at]}

    def put(self, at, number):
        self._numbers()[at] = number

    def add(self, times):
        for _ in range(times):
            with self.object.get_lock():
                self._numbers()[0] += 1
        return {"ok": self._numbers()[0]}

    def waiting(self):
        stat = self.object.stat()
        return {"ok": stat.value if self.kind == "barrier" else stat.waiters}

    def holder(self):
        return {"ok": self.object.stat().holder_pid}

    def close(self):
        self.object.close()


ERRORS = {
    TimeoutError: "TIMEOUT",
    ipckit.NotHeldError: "NOT_HELD",
    ipckit.BoundError: "BOUND",
    ipckit.BrokenBarrierError: "BROKEN",
    ipckit.CodecError: "TYPE",
}


def name_of(error):
    """As the library calls it."""
    if type(error) is ipckit.RefusedError and "of that name, and no" in str(error):
        return "KIND"
    return ERRORS.get(type(error), f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(converse(Peer, name_of, SYNC_STRUCTURES))
