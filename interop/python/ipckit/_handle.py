"""A handle of the library that several threads, signal handlers and forked children may meet.

The library must not be called with a handle while, or after, it is closed; so calls are counted,
and the last one out closes. A child that was forked has no handle: its parent's lives on in the
parent alone.
"""

import os
import threading
import time
import weakref

from . import _library as c
from .errors import ClosedError, failure

# No call waits longer: Ctrl-C and close() are noticed between two of them.
SLICE_SECONDS = 0.1
SLICE_NS = int(SLICE_SECONDS * 1e9)

_handles = weakref.WeakSet()


class _Births:
    """No fork happens while the library opens or closes: its own locks would stay locked in the
    child.
    """

    lock = threading.RLock()


def _before_fork():
    _Births.lock.acquire()


def _after_fork_in_parent():
    _Births.lock.release()


def _after_fork_in_child():
    # Threads of the parent may have held the locks; they are not here.
    _Births.lock = threading.RLock()
    for handle in list(_handles):
        handle.lock = threading.RLock()
        handle.forked = True
        # A child that kept the memory mapped would keep its parent alive in the eyes of the others.
        handle.release()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)


class Handle:
    def __init__(self, name, open_it):
        """`open_it` returns the library's handle, or raises."""
        self.library = c.library()
        self.name = name
        # Reentrant: a signal handler, or the garbage collector, may come in between.
        self.lock = threading.RLock()
        self.forked = False
        self.closed = False
        self._users = 0
        # Whoever pops it closes it; popping is one step, whatever interrupts.
        self._pointer = []
        self._looked = time.monotonic()
        self._removed = False
        with _Births.lock:
            self._pointer.append(open_it())
            _handles.add(self)

    def check(self, action):
        if self.forked:
            raise failure(c.E_FORKED, action, self.name)
        if self.closed:
            raise ClosedError(f"Cannot {action} shm:{self.name}: this handle is closed")

    def call(self, action, function, *arguments):
        """What the function of the library gives when it is called with this handle."""
        with self.lock:
            self._users += 1
        try:
            # After the counting, so that a close in between is seen.
            self.check(action)
            return function(self._pointer[0], *arguments)
        finally:
            with self.lock:
                self._users -= 1
                if self.closed and self._users == 0:
                    self.release()

    def checked(self, action, function, *arguments):
        """The same, where every negative result is an exception."""
        result = self.call(action, function, *arguments)
        if result < 0:
            raise failure(result, action, self.name)
        return result

    def was_removed(self):
        """Whether the name is gone; looks four times a second at most."""
        now = time.monotonic()
        if not self._removed and now - self._looked >= 0.25:
            self._looked = now
            unlinked = self.call("look for", self.library.ipckit_queue_is_unlinked)
            self._removed = unlinked == 1
        return self._removed

    def close(self):
        with self.lock:
            self.closed = True
            if self._users == 0:
                self.release()

    def release(self):
        """Gives up the library's handle, which nobody may be using. Does nothing the second
        time.
        """
        with _Births.lock:
            try:
                pointer = self._pointer.pop()
            except IndexError:
                return
            self.library.ipckit_queue_close(pointer)

    def __del__(self):
        # Nothing to do when opening failed.
        if self.__dict__.get("_pointer"):
            self.close()
