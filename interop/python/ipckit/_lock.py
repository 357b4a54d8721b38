"""Locks: Lock, RLock and RWLock."""

import contextlib
import itertools
import threading

from . import _library as c
from . import _records as r
from ._shared import DeadOwner, Shared, deadline_of
from .errors import NotHeldError, OwnerDiedError

_numbers = itertools.count(1)


class _Agent(threading.local):
    """A number for each thread, which no later thread gets."""

    def __init__(self):
        self.number = next(_numbers)


_agent = _Agent()


class Ownable(Shared):
    """Something that one holds at a time, and whose next holder is told when that one died."""

    # Whether the threads of a process are owners of their own.
    _by_thread = False

    def _remember(self, strict=False):
        if not isinstance(strict, bool):
            raise TypeError(f"Expected a bool for `strict`, received {type(strict).__name__}")
        self._strict = strict

    def _memory(self):
        return {"strict": self._strict}

    def _opened(self):
        # The thread that acquired it; only the holder writes these.
        self._owner = None
        self._depth = 0
        self._owner_died = None

    def _agent(self):
        return _agent.number if self._by_thread else 0

    def acquire(self, block=True, timeout=None):
        """Waits until it is held here: for ever, or `timeout` seconds, or not at all without
        `block`. Returns whether it is. `owner_died` says whether the last holder died.
        """
        if not self._take(deadline_of(block, timeout)):
            return False
        if self._strict and self._owner_died:
            died = self._owner_died
            self.release()
            raise owner_died(self, died)
        return True

    def release(self):
        """Raises NotHeldError when it is not held here."""
        self._give(1)

    def _give(self, levels):
        self._live()
        if self._depth > 0 and (self._is_mine() or not self._by_thread):
            # Before it is somebody else's.
            self._depth -= levels
            if self._depth == 0:
                self._owner = None
        self._do("release", "ipckit_sync_release", self._agent(), levels)

    def _take(self, deadline, levels=1):
        """Acquires it; what strict means is left to the caller."""
        agent = self._agent()
        wait = r.Wait(operation=c.ACQUIRE, agent=agent, count=levels)

        def give_back():
            self._do("release", "ipckit_sync_release", agent, levels)

        if self._wait("acquire", wait, deadline, give_back) is None:
            return False
        if self._depth == 0:
            self._owner_died = dead_owner(wait)
        self._owner = _agent.number
        self._depth += levels
        return True

    def _is_mine(self):
        self._live()
        return self._owner == _agent.number

    @property
    def owner_died(self):
        """The DeadOwner when the last holder before this one died while it held the lock, and what
        the lock guards may be half changed; else None. Told once, to the next holder.
        """
        return self._owner_died

    def locked(self):
        """Whether anybody holds it now."""
        return self.stat().held > 0

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def _say(self):
        stat = self.stat()
        return f"owner={stat.holder_pid}" if stat.held else "owner=None"


def dead_owner(wait):
    """The DeadOwner of whom a wait has told, or None."""
    if not wait.owner_died:
        return None
    return DeadOwner(wait.dead_pid, wait.dead_name.decode("utf-8", "replace"))


def owner_died(thing, died):
    return OwnerDiedError(
        f"Cannot acquire shm:{thing.name}: process {died.pid} ({died.name}) died while it held the"
        " lock, and what it guards may be half changed",
        *died,
    )


class Lock(Ownable):
    """multiprocessing.Lock, which survives its holders, and is shared with Node.js and C. Lock()
    has no name and is handed to child processes; create (it must not be there), open (it must) and
    open_or_create give one with a name, for everybody.

    When its holder is killed the next acquire succeeds, and `owner_died` tells of it; with
    strict=True it raises OwnerDiedError instead.

        lock = ipckit.Lock.open_or_create("/stock")
        with lock:
            if lock.owner_died:
                repair()
            work()

    Any thread of the process that holds it may release it; another process may not.

    Options of opening: `strict`, `any_owner` and `any_mode` (open it although it belongs to another
    user, or everyone may write to it). Options of making one: `participants` (handles at a time, 2
    to 1024, 256), `mode` (0o600).
    """

    _kind = c.LOCK

    def __init__(self, *, strict=False):
        self._remember(strict)
        self._make_nameless()

    @classmethod
    def create(cls, name, *, strict=False, **options):
        """Makes one that must not be there yet."""
        return cls._named("create", name, options, {"strict": strict})

    @classmethod
    def open(cls, name, *, strict=False, **options):
        """Opens one that must be there."""
        return cls._named("open", name, options, {"strict": strict})

    @classmethod
    def open_or_create(cls, name, *, strict=False, **options):
        """Opens it, or makes it with these options."""
        return cls._named("open_or_create", name, options, {"strict": strict})


class RLock(Lock):
    """multiprocessing.RLock: a Lock that the thread which holds it may acquire again, and releases
    as often. See Lock.
    """

    _kind = c.RLOCK
    _by_thread = True

    def _say(self):
        return f"{super()._say()} depth={self.stat().held}"


class RWLock(Lock):
    """A lock for one writer or many readers: acquire and release are the writer's, acquire_shared
    and release_shared the readers'. See Lock.

        with rwlock.shared():
            read()
        with rwlock:
            write()

    Neither kind can keep the other out for ever. The next holder of either kind is told of a writer
    that died; readers that die are forgotten.
    """

    _kind = c.RWLOCK

    def acquire_shared(self, block=True, timeout=None):
        """Waits until it is held for reading; returns whether it is, as acquire does."""
        wait = r.Wait(operation=c.ACQUIRE_SHARED)
        if self._wait("acquire", wait, deadline_of(block, timeout), self.release_shared) is None:
            return False
        if wait.owner_died:
            died = dead_owner(wait)
            if self._strict:
                self.release_shared()
                raise owner_died(self, died)
            self._owner_died = died
        return True

    def release_shared(self):
        """Raises NotHeldError when it is not held here for reading."""
        self._do("release", "ipckit_sync_release_shared")

    @contextlib.contextmanager
    def shared(self):
        """Holds it for reading in a with block."""
        self.acquire_shared()
        try:
            yield
        finally:
            self.release_shared()

    def _say(self):
        return f"{super()._say()} readers={self.stat().value}"


def check_held(lock, action):
    if not lock._is_mine():
        raise NotHeldError(
            f"Cannot {action} shm:{lock.name}: its lock is not held by this thread; acquire() it"
            " first",
            c.E_NOT_HELD,
        )
