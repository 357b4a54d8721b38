"""What locks and their friends have in common: how they are opened by name or made without one,
how they come into children, and how a thread waits for them.
"""

import ctypes
import errno
import typing

from . import _library as c
from . import _nameless
from . import _records as r
from ._deadline import Deadline
from ._handle import Births, Handle
from ._open import check_options, name_of, unlink
from ._stat import participant_of, sync_stat_of
from .errors import open_failure

# A slice of a wait is over, and the wait goes on.
_SLEPT = -errno.EAGAIN, -errno.ETIMEDOUT, -errno.EINTR
_LONGEST_SECONDS = 2**31 - 1

OPENING = ("any_owner", "any_mode")
CREATING = ("participants", "mode", *OPENING)


class DeadOwner(typing.NamedTuple):
    """Who died while it held a lock."""

    pid: int  # as its own PID namespace has it
    name: str


def deadline_of(block, timeout):
    """As multiprocessing has it: a negative timeout is none at all, and a very long one no end."""
    if timeout is None or not block:
        return Deadline(block, None)
    return Deadline(True, min(max(timeout, 0), _LONGEST_SECONDS))


def open_handle(how, name, kind, options, what, **record):
    """`how` is open, create or open_or_create; `record` has what the kind asks for."""
    library = c.library()
    given = {key: value for key, value in options.items() if value is not None}
    flags = c.ANY_OWNER * given.get("any_owner", False) | c.ANY_MODE * given.get("any_mode", False)
    wanted = r.SyncOptions(
        kind=kind,
        participants=given.get("participants", 0),
        mode=given.get("mode", 0o600),
        flags=flags,
        participant=b"python",
        **record,
    )
    refusal = r.Refusal()
    pointer = ctypes.c_void_p()
    function = getattr(library, f"ipckit_sync_{how}")

    def open_it():
        result = function(
            name.encode(), ctypes.byref(wanted), ctypes.byref(refusal), ctypes.byref(pointer)
        )
        if result < 0:
            action = "create" if how == "create" else "open"
            carried = record.get("type_name", b"").decode()
            raise open_failure(result, action, name, carried, refusal, what)
        return pointer.value

    close, is_unlinked = library.ipckit_sync_close, library.ipckit_sync_is_unlinked
    return Handle(name, what, open_it, close, is_unlinked)


class Shared:
    """An object of shared memory with a name. Threads may share one; a child that was forked with
    it opens it anew at its first use, and pickled it is opened by its name.
    """

    _kind = None

    # ---- opening

    @classmethod
    def _named(cls, how, name, options, own=None, **record):
        """Opens one of that name. `own` is for _remember; `record` for the library when it makes
        one.
        """
        check_options(options, OPENING if how == "open" else CREATING)
        self = object.__new__(cls)
        self._remember(**(own or {}))
        self._set_up(how, name_of(name), False, options, record)
        return self

    def _make_nameless(self, **record):
        name = _nameless.new_name()
        self._set_up("create", name, True, {}, record)
        self._keeper = _nameless.Keeper(self, name)

    def _set_up(self, how, name, is_nameless, options, record):
        self._is_nameless = is_nameless
        self._keeper = None
        self._options = {key: options[key] for key in OPENING if key in options}
        self._handle = self._open(how, name, options, record)
        self._opened()

    def _open(self, how, name, options, record):
        record = {**self._expected(), **record}
        return open_handle(how, name, self._kind, options, c.KINDS[self._kind], **record)

    def _live(self):
        """The handle; a child of the process that opened it gets one of its own."""
        handle = self._handle
        if not handle.forked or handle.closed:
            return handle
        with Births.lock:
            if self._handle is handle:
                self._handle = self._open("open", handle.name, self._options, {})
                self._opened()
            return self._handle

    def _remember(self):
        """Takes what this object is besides a handle; pickled, it is what _memory gives."""

    def _memory(self):
        return {}

    def _expected(self):
        """What the library is to find in the object, in its record of options."""
        return {}

    def _opened(self):
        """A new handle, which holds nothing."""

    def __reduce__(self):
        handle = self._live()
        handle.check("pickle")
        if self._keeper:
            self._keeper.handed_on = True
        state = handle.name, self._is_nameless, self._options, self._memory()
        return _reopen, (type(self), *state)

    # ---- waiting

    def _wait(self, action, wait, deadline, give_back, once_announced=None):
        """Waits until it is done: the result of the library, or None when the time is up. When a
        signal handler raises, what was got in that moment goes to give_back. once_announced is
        called when the others know of the wait, before it sleeps.
        """
        handle = self._live()
        library = handle.library
        pointer = handle.enter(action)
        wait_at = ctypes.byref(wait)
        try:
            result = library.ipckit_sync_begin(pointer, wait_at)
            if once_announced and result in _SLEPT:
                once_announced()
            while result in _SLEPT:
                handle.check(action)
                if deadline.passed():
                    result = library.ipckit_sync_cancel(pointer, wait_at)
                    if result == 0:
                        return None
                    # It was done meanwhile.
                    result = min(result, 0)
                    break
                if self._was_removed(handle):
                    raise handle.failure(-errno.EIDRM, action)
                result = library.ipckit_sync_sleep(pointer, wait_at, deadline.next_slice())
            if result < 0:
                raise handle.failure(result, action)
            return result
        except BaseException:
            # Perhaps before the result was looked at; the library has noted it in the wait. A child
            # that was forked in a signal handler has nothing to take back.
            if not handle.forked and library.ipckit_sync_cancel(pointer, wait_at) == 1:
                give_back()
            raise
        finally:
            handle.leave()

    def _was_removed(self, handle):
        # What has no name is removed when its maker is done with it; the others go on.
        return not self._is_nameless and handle.was_removed()

    def _do(self, action, function_name, *arguments):
        handle = self._live()
        return handle.checked(action, getattr(handle.library, function_name), *arguments)

    # ---- looking and ending

    @property
    def name(self):
        """With its slash, as an address has it."""
        return self._handle.name

    def stat(self):
        """One look at it: see SyncStat."""
        record = r.SyncStat()
        self._do("read the state of", "ipckit_sync_stat", ctypes.byref(record))
        return sync_stat_of(record)

    def participants(self):
        """Who has it open: a list of Participant."""
        room = 16
        while True:
            records = (r.ParticipantEntry * room)()
            action = "read the participants of"
            count = self._do(action, "ipckit_sync_participants", records, room)
            if count <= room:
                return [participant_of(record) for record in records[:count]]
            room = count

    def unlink(self):
        """Removes the name, as ipckit.unlink does."""
        unlink(self.name)

    def close(self):
        """Gives up this handle, and what it holds. The object stays. Waits of other threads end
        with ClosedError within 0.1 s. A second close does nothing.
        """
        self._handle.close()

    @property
    def closed(self):
        return self._handle.closed

    def _say(self):
        """What __repr__ says besides the name."""
        return ""

    def __repr__(self):
        try:
            said = self._say()
        except Exception:
            said = "closed" if self.closed else "unknown"
        return f"<{type(self).__name__} at shm:{self.name} {said}>"


def _reopen(kind, name, is_nameless, options, memory):
    self = object.__new__(kind)
    self._remember(**memory)
    self._set_up("open", name, is_nameless, options, {})
    return self
