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

_handles = weakref.WeakSet()


class Births:
    """No fork happens while the library opens or closes: its own locks would stay locked in the
    child.
    """

    lock = threading.RLock()


def _before_fork():
    Births.lock.acquire()


def _after_fork_in_parent():
    Births.lock.release()


def _after_fork_in_child():
    # Threads of the parent may have held the locks; they are not here.
    Births.lock = threading.RLock()
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
    def __init__(self, name, what, open_it, close, is_unlinked):
        """`open_it` returns the library's handle, or raises; the other two are functions of the
        library. `what` is what people call such an object.
        """
        self.library = c.library()
        self.name = name
        self.what = what
        self._close = close
        self._is_unlinked = is_unlinked
        # Reentrant: a signal handler, or the garbage collector, may come in between.
        self.lock = threading.RLock()
        self.forked = False
        self.closed = False
        self._users = 0
        # Whoever pops it closes it; popping is one step, whatever interrupts.
        self._pointer = []
        self._looked = time.monotonic()
        self._removed = False
        with Births.lock:
            self._pointer.append(open_it())
            _handles.add(self)

    def check(self, action):
        if self.closed:
            raise ClosedError(f"Cannot {action} shm:{self.name}: this handle is closed")
        if self.forked:
            raise self.failure(c.E_FORKED, action)

    def failure(self, code, action):
        """The exception for a negative result of the library."""
        return failure(code, action, self.name, what=self.what)

    def enter(self, action):
        """The library's handle, which nobody closes before leave()."""
        with self.lock:
            self._users += 1
        try:
            # After the counting, so that a close in between is seen.
            self.check(action)
            return self._pointer[0]
        except BaseException:
            self.leave()
            raise

    def leave(self):
        with self.lock:
            self._users -= 1
            if self.closed and self._users == 0:
                self.release()

    def call(self, action, function, *arguments):
        """What the function of the library gives when it is called with this handle."""
        pointer = self.enter(action)
        try:
            return function(pointer, *arguments)
        finally:
            self.leave()

    def checked(self, action, function, *arguments):
        """The same, where every negative result is an exception."""
        result = self.call(action, function, *arguments)
        if result < 0:
            raise self.failure(result, action)
        return result

    def was_removed(self):
        """Whether the name is gone; looks four times a second at most."""
        now = time.monotonic()
        if not self._removed and now - self._looked >= 0.25:
            self._looked = now
            self._removed = self.call("look for", self._is_unlinked) == 1
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
        with Births.lock:
            try:
                pointer = self._pointer.pop()
            except IndexError:
                return
            self._close(pointer)

    def __del__(self):
        # Nothing to do when opening failed.
        if self.__dict__.get("_pointer"):
            self.close()
