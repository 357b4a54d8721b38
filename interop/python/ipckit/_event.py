"""Event: something that has happened, or not yet."""

from . import _library as c
from . import _records as r
from ._shared import Shared, deadline_of


class Event(Shared):
    """multiprocessing.Event, shared with Node.js and C. Made and opened as a Lock. set() wakes all
    who wait, and waits for none of them.
    """

    _kind = c.EVENT

    def __init__(self):
        self._make_nameless()

    @classmethod
    def create(cls, name, **options):
        """Makes one, not set, that must not be there yet."""
        return cls._named("create", name, options)

    @classmethod
    def open(cls, name, **options):
        """Opens one that must be there."""
        return cls._named("open", name, options)

    @classmethod
    def open_or_create(cls, name, **options):
        """Opens it, or makes it with these options."""
        return cls._named("open_or_create", name, options)

    def is_set(self):
        return self._do("look at", "ipckit_event_is_set") == 1

    def set(self):
        self._do("set", "ipckit_event_set")

    def clear(self):
        self._do("clear", "ipckit_event_clear")

    def wait(self, timeout=None):
        """Waits until it is set: for ever, or `timeout` seconds; returns whether it was. Who waits
        when it is set comes through, even when it is cleared at once.
        """
        wait = r.Wait(operation=c.WAIT_EVENT)
        deadline = deadline_of(True, timeout)
        return self._wait("wait for", wait, deadline, lambda: None) is not None

    def _say(self):
        return "set" if self.is_set() else "unset"
