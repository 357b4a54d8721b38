"""Queues in shared memory that survive their users, shared with Node.js and C: the shm: queues of
ipckit.

    import ipckit

    with ipckit.Queue.open_or_create("shm:/jobs") as jobs:
        jobs.put({"id": 1})
        with jobs.lease(timeout=5) as lease:
            print(lease.value)
            lease.ack()

Needs Python 3.9 and libipckit: $IPCKIT_LIBRARY, or libipckit.so.1 beside this file, or where the
system finds it. docs/shm-clients.md in the repository of ipckit is the guide.
"""

from queue import Empty, Full

from ._lease import Lease
from ._library import LibraryNotFoundError
from ._open import unlink
from ._queue import JoinableQueue, Queue
from ._stat import Participant, Stat, Totals
from .codecs import StructCodec
from .errors import (
    ClosedError,
    CodecError,
    CorruptError,
    DecodeError,
    ForkedError,
    HeldError,
    IpcError,
    ParticipantsError,
    PrefetchError,
    RefusedError,
    RemovedError,
    ShutDown,
    StaleError,
)

__all__ = [
    "ClosedError",
    "CodecError",
    "CorruptError",
    "DecodeError",
    "Empty",
    "ForkedError",
    "Full",
    "HeldError",
    "IpcError",
    "JoinableQueue",
    "Lease",
    "LibraryNotFoundError",
    "Participant",
    "ParticipantsError",
    "PrefetchError",
    "Queue",
    "RefusedError",
    "RemovedError",
    "ShutDown",
    "StaleError",
    "Stat",
    "StructCodec",
    "Totals",
    "unlink",
]

__version__ = "1.0.0"
