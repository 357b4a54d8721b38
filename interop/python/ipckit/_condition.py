"""Condition: waiting for what others do to data that a lock guards."""

import time

from . import _library as c
from . import _records as r
from ._deadline import Deadline
from ._lock import Lock, Ownable, RWLock, check_held, owner_died
from ._shared import deadline_of

_ALL = 2**32 - 1


class Condition(Ownable):
    """multiprocessing.Condition, shared with Node.js and C. It has an RLock of its own, or takes a
    Lock or RLock of ipckit, which several conditions may share. Made and opened as a Lock, with
    `lock` as a further option.

        with condition:
            condition.wait_for(lambda: stock.value > 0)

    notify never waits for those who wait: nobody hangs when one of them is killed, and a notice
    that one took with it into death goes to the next.
    """

    _kind = c.CONDITION
    _by_thread = True

    def __init__(self, lock=None, *, strict=False):
        self._remember(lock, strict)
        self._make_nameless()

    @classmethod
    def create(cls, name, *, lock=None, strict=False, **options):
        """Makes one that must not be there yet."""
        return cls._named("create", name, options, {"lock": lock, "strict": strict})

    @classmethod
    def open(cls, name, *, lock=None, strict=False, **options):
        """Opens one that must be there."""
        return cls._named("open", name, options, {"lock": lock, "strict": strict})

    @classmethod
    def open_or_create(cls, name, *, lock=None, strict=False, **options):
        """Opens it, or makes it with these options."""
        return cls._named("open_or_create", name, options, {"lock": lock, "strict": strict})

    def _remember(self, lock=None, strict=False):
        super()._remember(strict)
        if lock is not None and (not isinstance(lock, Lock) or isinstance(lock, RWLock)):
            raise TypeError(
                f"Expected a Lock or RLock of ipckit for `lock`, received {type(lock).__name__}"
            )
        self._lock = self if lock is None else lock

    def _memory(self):
        return {"lock": None if self._lock is self else self._lock, **super()._memory()}

    def acquire(self, block=True, timeout=None):
        """Acquires its lock: see Lock.acquire."""
        if self._lock is self:
            return super().acquire(block, timeout)
        return self._lock.acquire(block, timeout)

    def release(self):
        """Releases its lock."""
        if self._lock is self:
            super().release()
        else:
            self._lock.release()

    @property
    def owner_died(self):
        """See Lock.owner_died."""
        return self._owner_died if self._lock is self else self._lock.owner_died

    def locked(self):
        """Whether anybody holds its lock now."""
        return super().locked() if self._lock is self else self._lock.locked()

    def __exit__(self, kind, *_):
        # An interrupt that ended wait before the lock was back leaves nothing to release.
        if kind is None or self._lock._is_mine():
            self.release()

    def wait(self, timeout=None):
        """Releases the lock, waits for a notice, and acquires the lock again. Returns whether there
        was one within `timeout` seconds. Raises OwnerDiedError, with the lock held, when a holder
        died meanwhile and it was opened with strict=True.
        """
        lock = self._lock
        check_held(lock, "wait for")
        depth = lock._depth
        wait = r.Wait(operation=c.WAIT_CONDITION)

        def pass_on():
            self._do("notify", "ipckit_condition_notify", 1)

        deadline = deadline_of(True, timeout)
        try:
            result = self._wait("wait for", wait, deadline, pass_on, lambda: lock._give(depth))
        finally:
            if not lock._is_mine():
                lock._take(Deadline(True, None), depth)
        if lock._strict and lock.owner_died:
            raise owner_died(lock, lock.owner_died)
        return result is not None

    def notify(self, n=1):
        """Wakes the `n` that have waited longest, or all when there are fewer."""
        check_held(self._lock, "notify")
        if n > 0:
            self._do("notify", "ipckit_condition_notify", min(n, _ALL))

    def notify_all(self):
        """Wakes all that wait."""
        self.notify(_ALL)

    def wait_for(self, predicate, timeout=None):
        """Waits until the predicate, asked with the lock held, is true: its last result."""
        end = None if timeout is None else time.monotonic() + timeout
        result = predicate()
        while not result:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result

    def _say(self):
        stat = self.stat()
        held = self._lock.stat().holder_pid or None
        return f"owner={held} waiters={stat.waiters}"
