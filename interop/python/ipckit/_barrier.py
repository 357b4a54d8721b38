"""Barrier: a place where processes wait for each other."""

import atexit
import contextlib
import ctypes
import os
import weakref
from multiprocessing import util

from . import _library as c
from . import _records as r
from ._shared import Shared, deadline_of
from .errors import BrokenBarrierError, IpcError

_barriers = weakref.WeakSet()


def _after_fork_in_child():
    # A child is a party from the beginning: when it is killed before its first wait, the others
    # must not wait for it.
    for barrier in list(_barriers):
        with contextlib.suppress(IpcError, OSError):
            barrier._live()


def _leave():
    """The end of the process is no death of a party."""
    for barrier in list(_barriers):
        barrier.close()


def _leave_at_exit(*_):
    # Children of multiprocessing run these alone, and forget those of their parent.
    util.Finalize(None, _leave, exitpriority=-20)


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_leave)
_leave_at_exit()
util.register_after_fork(_barriers, _leave_at_exit)


class Barrier(Shared):
    """multiprocessing.Barrier, shared with Node.js and C: `parties` waits come together, and then
    all go on. Made and opened as a Lock; create and open_or_create take the parties, 1 to 1024,
    and all three take what belongs to this handle: an `action`, which the last to arrive calls
    when it arrives here, and a default `timeout` in seconds.

    Everyone who has it open, each child of one who made it without a name included, is a party:
    when one of them is killed, it is broken for all, until reset().
    """

    _kind = c.BARRIER

    def __init__(self, parties, action=None, timeout=None):
        self._remember(action, timeout)
        self._make_nameless(value=_checked(parties))

    @classmethod
    def create(cls, name, parties, action=None, timeout=None, **options):
        """Makes one that must not be there yet."""
        own = {"action": action, "timeout": timeout}
        return cls._named("create", name, options, own, value=_checked(parties))

    @classmethod
    def open(cls, name, action=None, timeout=None, **options):
        """Opens one that must be there."""
        return cls._named("open", name, options, {"action": action, "timeout": timeout})

    @classmethod
    def open_or_create(cls, name, parties, action=None, timeout=None, **options):
        """Opens it, or makes it with these options."""
        own = {"action": action, "timeout": timeout}
        return cls._named("open_or_create", name, options, own, value=_checked(parties))

    def _remember(self, action=None, timeout=None):
        if action is not None and not callable(action):
            raise TypeError(f"Expected a function for `action`, received {type(action).__name__}")
        deadline_of(True, timeout)
        self._action = action
        self._timeout = timeout

    def _memory(self):
        return {"action": self._action, "timeout": self._timeout}

    def _opened(self):
        self._parties = self.stat().limit
        _barriers.add(self)

    def wait(self, timeout=None):
        """Waits for the others; returns 0 to parties - 1, another number to each. Raises
        BrokenBarrierError when the barrier is broken, or breaks: by abort(), the death of a party,
        a failed action, or because one waited longer than its timeout.
        """
        deadline = deadline_of(True, self._timeout if timeout is None else timeout)
        wait = r.Wait(operation=c.WAIT_BARRIER)
        result = self._wait("wait at", wait, deadline, lambda: None)
        if result is None:
            raise BrokenBarrierError(
                f"Cannot wait at shm:{self.name}: the time is up before all were there, and the"
                " barrier is broken"
            )
        if result == c.BARRIER_ACTION:
            try:
                if self._action:
                    self._action()
            except BaseException:
                self._do("wait at", "ipckit_sync_cancel", ctypes.byref(wait))
                raise
            self._do("wait at", "ipckit_barrier_action_done", ctypes.byref(wait))
        return wait.index

    def abort(self):
        """Breaks it: all who wait, and will wait before reset(), get BrokenBarrierError."""
        self._do("abort", "ipckit_barrier_abort")

    def reset(self):
        """Makes it whole and empty. Those who wait get BrokenBarrierError."""
        self._do("reset", "ipckit_barrier_reset")

    @property
    def parties(self):
        """How many must come together."""
        return self._parties

    @property
    def n_waiting(self):
        """How many wait now."""
        return self.stat().value

    @property
    def broken(self):
        return self.stat().broken

    def _say(self):
        stat = self.stat()
        state = "broken" if stat.broken else f"waiters={stat.value}/{stat.limit}"
        return state


def _checked(parties):
    if isinstance(parties, bool) or not isinstance(parties, int):
        raise TypeError(f"Expected an int for `parties`, received {type(parties).__name__}")
    if not 1 <= parties <= 1024:
        raise ValueError(f"Expected 1 to 1024 for `parties`, received {parties}")
    return parties
