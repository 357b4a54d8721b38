"""Objects without a name of their own, as in multiprocessing: they have a random one in /dev/shm,
and their maker removes it.
"""

import os
import secrets
import weakref
from multiprocessing import resource_tracker, util

from . import _open


def new_name():
    return f"/python-{os.getpid()}-{secrets.token_hex(8)}"


class _Forks:
    count = 0


def _after_fork_in_parent():
    _Forks.count += 1


os.register_at_fork(after_in_parent=_after_fork_in_parent)


class Keeper:
    """Removes the name: with the object, when no other process can have come to know it; at the
    latest when the process that made it ends. When that is killed, the resource tracker of Python
    does it, as soon as all of its children are gone, too.
    """

    def __init__(self, thing, name):
        self.handed_on = False
        self._forks = _Forks.count
        # The tracker knows how to remove files of /dev/shm by the name of shared memory.
        tracked = f"/ipckit.{name[1:]}"
        resource_tracker.register(tracked, "shared_memory")
        # After the children of multiprocessing were joined, which may only now open it.
        self._remove = util.Finalize(None, _remove, (name, tracked), exitpriority=-10)
        weakref.finalize(thing, self._dropped).atexit = False

    def _dropped(self):
        if not self.handed_on and self._forks == _Forks.count:
            self._remove()


def _remove(name, tracked):
    try:
        _open.unlink(name)
    except FileNotFoundError:
        pass  # by its own unlink()
    resource_tracker.unregister(tracked, "shared_memory")
