"""POSIX named semaphores, sem_overview(7), and System V semaphore sets, semop(2),
through ctypes. Copy this file; it needs nothing but the standard library.

    with NamedSemaphore("/slots"):
        work()

    with SemaphoreSet(0x1234):  # semaphore 0; given back when this process dies
        work()

As a program it is the counterpart of interop/c/sem_peer.c, with the same arguments.
"""

import ctypes
import errno
import os
import sys

_library = ctypes.CDLL(None, use_errno=True)
if not hasattr(_library, "sem_open"):  # glibc before 2.34
    _library = ctypes.CDLL("libpthread.so.0", use_errno=True)
_library.sem_open.restype = ctypes.c_void_p
for _name in ("sem_wait", "sem_post", "sem_close"):
    getattr(_library, _name).argtypes = [ctypes.c_void_p]


def _check(call, *arguments):
    """Makes a call again when a signal interrupted it."""
    while True:
        result = call(*arguments)
        if result not in (-1, None):
            return result
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, f"{call.__name__}: {os.strerror(number)}")


class NamedSemaphore:
    """A semaphore that exists already; taken inside of `with`."""

    def __init__(self, name):
        # O_CREAT is not among the flags, so mode and value are not looked at.
        self._semaphore = _check(_library.sem_open, name.encode(), 0)

    def acquire(self):
        _check(_library.sem_wait, self._semaphore)

    def release(self):
        _check(_library.sem_post, self._semaphore)

    give_back = release

    def close(self):
        _check(_library.sem_close, self._semaphore)

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.give_back()


class _Sembuf(ctypes.Structure):
    _fields_ = [
        ("number", ctypes.c_ushort),
        ("change", ctypes.c_short),
        ("flags", ctypes.c_short),
    ]


SEM_UNDO = 0o10000


class SemaphoreSet:
    """A set that exists already. What is acquired the kernel gives back when this
    process ends."""

    def __init__(self, key, index=0):
        # Keys above 0x7fffffff are negative numbers to C.
        self._set = _check(
            _library.semget, ctypes.c_int(key if key < 2**31 else key - 2**32), 0, 0o600
        )
        self._index = index

    def operate(self, *operations):
        """Does (number, change, flags), all of them at once or none."""
        array = (_Sembuf * len(operations))(*operations)
        _check(_library.semop, self._set, array, ctypes.c_size_t(len(operations)))

    def acquire(self):
        self.operate((self._index, -1, SEM_UNDO))

    def give_back(self):
        """What was acquired."""
        self.operate((self._index, 1, SEM_UNDO))

    def release(self):
        """For good: a post."""
        self.operate((self._index, 1, 0))

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *_):
        self.give_back()


def _count(path, times, lock):
    with open(path, "r+b", buffering=0) as file:
        for _ in range(times):
            if lock:
                lock.acquire()
            seen = int.from_bytes(os.pread(file.fileno(), 8, 0), sys.byteorder)
            os.sched_yield()
            os.pwrite(file.fileno(), (seen + 1).to_bytes(8, sys.byteorder), 0)
            if lock:
                lock.give_back()


def _main(mode, *words):
    options = {}
    remaining = [word for word in words if word != "--unlocked"]
    for option, value in zip(remaining[::2], remaining[1::2]):
        options[option.removeprefix("--")] = value
    lock = None
    if "name" in options:
        lock = NamedSemaphore(options["name"])
    elif "key" in options:
        lock = SemaphoreSet(int(options["key"], 0), int(options.get("index", "0")))
    print("waiting", flush=True)
    if mode == "count":
        _count(options["file"], int(options["times"]), lock)
    else:
        for _ in range(int(options.get("count", "1"))):
            if mode == "wait":
                lock.acquire()
            else:
                lock.release()
        if mode == "wait" and "key" in options:
            print("held", flush=True)
            sys.stdin.readline()
    print("done", flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
