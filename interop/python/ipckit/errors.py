"""What goes wrong, as exceptions.

queue.Empty, queue.Full and ShutDown are outcomes, and Python's own where it has them. What the
kernel has an errno for is an OSError (FileNotFoundError, FileExistsError, PermissionError, ...).
The others are here.
"""

import errno
import os
import queue
import threading

from . import _library as c

if hasattr(queue, "ShutDown"):  # Python 3.13
    ShutDown = queue.ShutDown
else:

    class ShutDown(Exception):
        """The queue was shut down: queue.ShutDown of Python 3.13."""


# The barrier was broken while this one waited, or is: that of threading and multiprocessing.
BrokenBarrierError = threading.BrokenBarrierError


class IpcError(Exception):
    """Base of the following. `code` is the negative number of include/ipckit/error.h, 0 for
    none.
    """

    def __init__(self, message, code=0):
        super().__init__(message)
        self.code = code


class CorruptError(IpcError):
    """The bytes make no sense: damaged, truncated, or written over by another program."""


class RefusedError(IpcError):
    """There is something of that name, and it was not opened."""


class CodecError(RefusedError):
    """The queue carries another type of messages."""


class DecodeError(IpcError):
    """The bytes of a message are none of the codec; `data` has them, and the queue no longer
    does.
    """

    def __init__(self, message, data):
        super().__init__(message)
        self.data = data


class StaleError(IpcError):
    """This delivery is over, and the message may be with someone else. Nothing was changed."""


class HeldError(IpcError):
    """A living process holds a lock inside the object and does not go on. Is it stopped? stat()
    works.
    """


class ForkedError(IpcError):
    """It was opened by the parent process, and a child must open it itself."""


class ParticipantsError(IpcError):
    """As many handles are open as the object allows, or as many waits."""


class PrefetchError(IpcError):
    """This handle holds as many leases as its `prefetch` allows."""


class RemovedError(IpcError):
    """It was unlinked, and nobody else can find it any more."""


class ClosedError(IpcError, ValueError):
    """This handle was closed."""


class NotHeldError(IpcError, ValueError, AssertionError):
    """It is not held by the one that releases it, or waits with it. multiprocessing raises
    ValueError for a Lock and AssertionError for an RLock and a Condition.
    """


class BoundError(IpcError, ValueError):
    """A BoundedSemaphore was released more often than acquired."""


class OwnerDiedError(IpcError):
    """The one that held the lock died while it held, and what it guards may be half changed. Only
    with strict=True. `pid` (in the PID namespace of the dead one) and `name` say who it was.
    """

    def __init__(self, message, pid, name):
        super().__init__(message)
        self.pid = pid
        self.name = name


_OWN = {
    c.E_CORRUPT: (
        CorruptError,
        "its bytes make no sense: it was damaged, truncated or written over by another program;"
        " remove it and make it anew",
    ),
    c.E_STALE: (StaleError, "this delivery is over, and the message may be with someone else"),
    c.E_SHUTDOWN: (ShutDown, "the {what} was shut down"),
    c.E_HELD: (
        HeldError,
        "a living process holds a lock of the {what} and does not go on; is it stopped?"
        " participants() has its pid",
    ),
    c.E_FORKED: (ForkedError, "it was opened by the parent process; open the {what} in the child"),
    c.E_PARTICIPANTS: (
        ParticipantsError,
        "as many handles are open as the {what} allows; close some, or make it with more"
        " `participants`",
    ),
    c.E_WAITERS: (ParticipantsError, "as many wait as the {what} allows; try again later"),
    c.E_PREFETCH: (
        PrefetchError,
        "this handle holds as many leases as its `prefetch` allows; settle some first",
    ),
    c.E_NOT_HELD: (
        NotHeldError,
        "it is not held here; who holds it releases it, as often as it was acquired",
    ),
    c.E_BOUND: (
        BoundError,
        "it was released more often than acquired, and its value is at its bound",
    ),
    c.E_BROKEN: (BrokenBarrierError, "the barrier is broken; reset() makes it whole again"),
    -errno.EIDRM: (RemovedError, "the {what} was removed (unlinked)"),
}


def failure(code, action, name, advice=None, what="queue"):
    """The exception for a negative result of the library."""
    if code == c.E_TASKS:
        return ValueError("task_done() called too many times")
    if code in _OWN:
        kind, why = _OWN[code]
        sentence = f"Cannot {action} shm:{name}: {advice or why.format(what=what)}"
        return kind(sentence, code) if issubclass(kind, IpcError) else kind(sentence)
    if code < -10000:
        why = c.library().ipckit_strerror(code).decode()
        return RefusedError(f"Cannot {action} shm:{name}: {advice or why}", code)
    why = f": {advice}" if advice else ""
    return OSError(-code, f"Cannot {action} shm:{name}: {os.strerror(-code)}{why}")


def open_failure(code, action, name, wanted, refusal, what="queue"):
    """The exception for what was not opened, with what was found there."""
    if code == c.E_TYPE:
        carries = refusal.type_name.decode("utf-8", "replace") or "bytes"
        return CodecError(
            f"Cannot {action} shm:{name}: the {what} carries {carries}, and this end was to carry"
            f" {wanted}; open it with the {'codec' if what == 'queue' else 'type'} of its other"
            " users",
            code,
        )
    advice = {
        c.E_KIND: f"there is a {_kind(refusal.kind)} of that name, and no {what}",
        c.E_VERSION: "it was made by a version of ipckit with another layout"
        f" ({refusal.version >> 16})",
        c.E_BYTE_ORDER: "it was made on a machine of the other byte order",
        c.E_NOT_A_QUEUE: f"there is a file of that name, and it is no {what} of ipckit",
        c.E_NOT_REGULAR: "what has that name is no regular file, but a directory, a link or a FIFO",
        c.E_OWNER: f"it belongs to user {refusal.owner}, who could write anything into it;"
        " if you trust that user, open it with any_owner=True",
        c.E_MODE: f"everyone may write to it (mode 0o{refusal.mode:o}); take that right away"
        " (chmod o-w), or open it with any_mode=True",
        c.E_LINKS: f"its file has {refusal.links} names, and one of them may be another user's",
        c.E_SIZE: f"its file has {refusal.size_bytes} bytes, which is not what the {what} in it"
        " needs",
        -errno.ENOENT: (
            f"there is no such {what}; create it first, or use open_or_create"
            if action == "open"
            else "/dev/shm is not there"
        ),
        -errno.EEXIST: "there is something of that name already; open it, or unlink it first",
        -errno.ENOSPC: "/dev/shm has no room for it (df /dev/shm; docker run --shm-size)",
        -errno.EINVAL: "the sizes do not go together, or are out of range",
    }.get(code)
    return failure(code, action, name, advice, what)


def _kind(number):
    return c.KINDS[number] if number < len(c.KINDS) else "newer object"
