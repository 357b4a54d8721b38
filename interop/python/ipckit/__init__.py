"""Queues, locks and their friends in shared memory that survive their users, shared with Node.js
and C: the shm: queues and the locks of ipckit.

    import ipckit

    with ipckit.Queue.open_or_create("shm:/jobs") as jobs:
        jobs.put({"id": 1})
        with jobs.lease(timeout=5) as lease:
            print(lease.value)
            lease.ack()

    stock = ipckit.Lock.open_or_create("/stock")
    with stock:
        if stock.owner_died:
            repair()
        sell()

Lock, RLock, RWLock, Semaphore, BoundedSemaphore, Condition, Event, Barrier, Value, Array, RawValue
and RawArray have the names, arguments and results of multiprocessing: Lock() and so on is for the
children of a process, Lock.open(name) for every program.

Needs Python 3.9 and libipckit: $IPCKIT_LIBRARY, or libipckit.so.1 beside this file, or where the
system finds it. docs/shm-clients.md and docs/sync-clients.md in the
repository of ipckit are the guides.
"""

from queue import Empty, Full

from ._barrier import Barrier
from ._condition import Condition
from ._event import Event
from ._lease import Lease
from ._library import LibraryNotFoundError
from ._lock import Lock, RLock, RWLock
from ._open import unlink
from ._queue import JoinableQueue, Queue
from ._semaphore import BoundedSemaphore, Semaphore
from ._shared import DeadOwner
from ._stat import Participant, Stat, SyncStat, Totals
from ._value import Array, RawArray, RawValue, Value
from .codecs import StructCodec
from .errors import (
    BoundError,
    BrokenBarrierError,
    ClosedError,
    CodecError,
    CorruptError,
    DecodeError,
    ForkedError,
    HeldError,
    IpcError,
    NotHeldError,
    OwnerDiedError,
    ParticipantsError,
    PrefetchError,
    RefusedError,
    RemovedError,
    ShutDown,
    StaleError,
)

__all__ = [
    "Array",
    "Barrier",
    "BoundError",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "ClosedError",
    "CodecError",
    "Condition",
    "CorruptError",
    "DeadOwner",
    "DecodeError",
    "Empty",
    "Event",
    "ForkedError",
    "Full",
    "HeldError",
    "IpcError",
    "JoinableQueue",
    "Lease",
    "LibraryNotFoundError",
    "Lock",
    "NotHeldError",
    "OwnerDiedError",
    "Participant",
    "ParticipantsError",
    "PrefetchError",
    "Queue",
    "RLock",
    "RWLock",
    "RawArray",
    "RawValue",
    "RefusedError",
    "RemovedError",
    "Semaphore",
    "ShutDown",
    "StaleError",
    "Stat",
    "StructCodec",
    "SyncStat",
    "Totals",
    "Value",
    "unlink",
]

__version__ = "1.0.0"
