"""libipckit through ctypes: where it is found, and its numbers as include/ipckit/*.h have them.
ctypes lets other threads run while a call is in the library.
"""

import ctypes
import ctypes.util
import functools
import os

from ._records import FUNCTIONS

FOREVER = 2**63 - 1

JOINABLE, ANY_OWNER, ANY_MODE = 1, 2, 4
PRODUCER, CONSUMER, WAITER, OBSERVER = 1, 2, 4, 8

# IPCKIT_E_*
E_CORRUPT = -10001
E_TYPE = -10002
E_VERSION = -10003
E_BYTE_ORDER = -10004
E_NOT_A_QUEUE = -10005
E_NOT_REGULAR = -10006
E_OWNER = -10007
E_MODE = -10008
E_LINKS = -10009
E_SIZE = -10010
E_STALE = -10011
E_SHUTDOWN = -10012
E_HELD = -10013
E_FORKED = -10014
E_PARTICIPANTS = -10015
E_PREFETCH = -10016
E_TASKS = -10017
E_KIND = -10018
E_NOT_HELD = -10019
E_BROKEN = -10020
E_BOUND = -10021
E_WAITERS = -10022

# IPCKIT_KIND_*, and what people call them.
QUEUE, LOCK, RLOCK, RWLOCK, SEMAPHORE, BOUNDED_SEMAPHORE, CONDITION, EVENT, BARRIER, VALUE = range(
    10
)
KINDS = (
    "queue",
    "lock",
    "rlock",
    "rwlock",
    "semaphore",
    "bounded semaphore",
    "condition",
    "event",
    "barrier",
    "value",
)

# Operations of ipckit_wait_t, and what the last to arrive at a barrier is told.
ACQUIRE, ACQUIRE_SHARED, WAIT_EVENT, WAIT_CONDITION, WAIT_BARRIER = range(1, 6)
BARRIER_ACTION = 2

# A slot that is none: IPCKIT_LAYOUT_NONE.
NONE = 2**32 - 1


class LibraryNotFoundError(ImportError):
    """libipckit is not there, or is not one that this package can use."""


_HOW_TO_BUILD = """build it in the repository of ipckit with
    make -C interop/c
and set IPCKIT_LIBRARY to build-interop/libipckit.so.1; or install it for all programs with
    cmake -B build-native && cmake --build build-native && sudo cmake --install build-native &&
    sudo ldconfig
    """


def _candidates():
    chosen = os.environ.get("IPCKIT_LIBRARY")
    if chosen:
        # Nothing else is tried: whoever names one wants that one.
        yield chosen
        return
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("libipckit.so.1", "libipckit.so"):
        path = os.path.join(here, name)
        if os.path.exists(path):
            yield path
    yield "libipckit.so.1"
    found = ctypes.util.find_library("ipckit")
    if found:
        yield found


def _declare(path):
    loaded = ctypes.CDLL(path)
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype = result
        function.argtypes = arguments
    return loaded


@functools.lru_cache(maxsize=None)
def library():
    """The library, loaded at the first use."""
    failures = []
    for path in _candidates():
        try:
            loaded = _declare(path)
        except (OSError, AttributeError) as error:
            failures.append(f"{path}: {error}")
            continue
        version = loaded.ipckit_version().decode()
        if version.split(".")[0] == "1":
            return loaded
        failures.append(f"{path}: has version {version}, expected 1")
    tried = "\n    ".join(failures)
    raise LibraryNotFoundError(
        f"Cannot load libipckit, the C library of ipckit's objects in shared memory;"
        f" {_HOW_TO_BUILD}\nTried:\n    {tried}"
    )
