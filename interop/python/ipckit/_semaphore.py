"""Semaphore and BoundedSemaphore."""

from . import _library as c
from . import _records as r
from ._shared import Shared, deadline_of

_MOST = 2**31 - 1


def _checked(name, value, least):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Expected an int for `{name}`, received {type(value).__name__}")
    if not least <= value <= _MOST:
        raise ValueError(f"Expected {least} to {_MOST} for `{name}`, received {value}")
    return value


class Semaphore(Shared):
    """multiprocessing.Semaphore, shared with Node.js and C: at most `value` permits are out at a
    time. Permits of those who die or close it come back. Made and opened as a Lock; create and
    open_or_create take the value, 0 to 2**31 - 1.

    Whoever releases without having acquired adds a permit, so that it can count things, too.
    """

    _kind = c.SEMAPHORE

    def __init__(self, value=1):
        self._make_nameless(value=_checked("value", value, 0))

    @classmethod
    def create(cls, name, value=1, **options):
        """Makes one that must not be there yet."""
        return cls._named("create", name, options, value=_checked("value", value, 0))

    @classmethod
    def open(cls, name, **options):
        """Opens one that must be there."""
        return cls._named("open", name, options)

    @classmethod
    def open_or_create(cls, name, value=1, **options):
        """Opens it, or makes it with this value and these options."""
        return cls._named("open_or_create", name, options, value=_checked("value", value, 0))

    def acquire(self, block=True, timeout=None):
        """Waits for a permit: for ever, or `timeout` seconds, or not at all without `block`.
        Returns whether there was one.
        """
        wait = r.Wait(operation=c.ACQUIRE, count=1)
        return self._wait("acquire", wait, deadline_of(block, timeout), self.release) is not None

    def release(self, n=1):
        """Gives back `n` permits. A BoundedSemaphore raises BoundError, a ValueError, when there
        would be more than at first.
        """
        self._do("release", "ipckit_sync_release", 0, _checked("n", n, 1))

    def get_value(self):
        """How many permits are free."""
        return self.stat().value

    def locked(self):
        """Whether there is no permit now."""
        return self.get_value() == 0

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def _say(self):
        return f"value={self.get_value()}"


class BoundedSemaphore(Semaphore):
    """multiprocessing.BoundedSemaphore: a Semaphore that refuses to be released above its first
    value. See Semaphore.
    """

    _kind = c.BOUNDED_SEMAPHORE

    def _say(self):
        return f"{super()._say()} maxvalue={self.stat().limit}"
