"""libipckit through ctypes: where it is found, and its functions and structures as
include/ipckit/queue.h has them. ctypes lets other threads run while a call is in the library.
"""

import ctypes
import ctypes.util
import functools
import os
from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)

FOREVER = 2**63 - 1

JOINABLE, ANY_OWNER, ANY_MODE = 1, 2, 4
PRODUCER, CONSUMER = 1, 2

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


class Options(Structure):
    _fields_ = [
        ("directory", c_char_p),
        ("capacity", c_uint32),
        ("dead_capacity", c_uint32),
        ("capacity_bytes", c_uint64),
        ("max_message_bytes", c_uint64),
        ("block_bytes", c_uint32),
        ("copy_outside_bytes", c_uint32),
        ("priorities", c_uint32),
        ("participants", c_uint32),
        ("max_deliveries", c_uint32),
        ("mode", c_uint32),
        ("flags", c_uint32),
        ("prefetch", c_uint32),
        ("fingerprint", c_uint64),
        ("type_name", c_char_p),
        ("participant", c_char_p),
    ]


class Refusal(Structure):
    _fields_ = [
        ("fingerprint", c_uint64),
        ("type_name", c_char * 128),
        ("version", c_uint32),
        ("owner", c_uint32),
        ("mode", c_uint32),
        ("links", c_uint32),
        ("size_bytes", c_uint64),
        ("bytes", c_uint64),
        ("kind", c_uint32),
        ("unused", c_uint32),
    ]


class Token(Structure):
    _fields_ = [("truth", c_uint64), ("seq", c_uint64), ("cell", c_uint32), ("epoch", c_uint32)]


class Message(Structure):
    _fields_ = [
        ("offset", c_uint64),
        ("length", c_uint64),
        ("seq", c_uint64),
        ("priority", c_uint32),
        ("delivery_count", c_uint32),
        ("redelivered", c_uint32),
        ("reason", c_uint32),
        ("token", Token),
    ]


class QueueStat(Structure):
    _fields_ = [
        ("id", c_uint64 * 2),
        ("depth", c_uint64),
        ("delayed", c_uint64),
        ("in_flight", c_uint64),
        ("dead", c_uint64),
        ("total_put", c_uint64),
        ("total_done", c_uint64),
        ("total_redelivered", c_uint64),
        ("total_expired", c_uint64),
        ("total_dead", c_uint64),
        ("total_dropped", c_uint64),
        ("recoveries", c_uint64),
        ("capacity", c_uint64),
        ("capacity_bytes", c_uint64),
        ("free_bytes", c_uint64),
        ("max_message_bytes", c_uint64),
        ("size_bytes", c_uint64),
        ("created", c_uint64),
        ("fingerprint", c_uint64),
        ("type_name", c_char * 128),
        ("dead_capacity", c_uint32),
        ("priorities", c_uint32),
        ("max_deliveries", c_uint32),
        ("state", c_uint32),
        ("flags", c_uint32),
        ("participants", c_uint32),
        ("max_participants", c_uint32),
        ("owner", c_uint32),
        ("mode", c_uint32),
        ("unlinked", c_uint32),
    ]


class ParticipantEntry(Structure):
    _fields_ = [
        ("slot", c_uint32),
        ("pid", c_uint32),
        ("roles", c_uint32),
        ("leases", c_uint32),
        ("since", c_uint64),
        ("alive", c_uint32),
        ("self", c_uint32),
        ("name", c_char * 32),
    ]


# The structures by their names in C, so that a test can compare their sizes.
STRUCTURES = {
    "ipckit_queue_options_t": Options,
    "ipckit_refusal_t": Refusal,
    "ipckit_token_t": Token,
    "ipckit_message_t": Message,
    "ipckit_queue_stat_t": QueueStat,
    "ipckit_participant_t": ParticipantEntry,
}

_open = (c_int, c_char_p, POINTER(Options), POINTER(Refusal), POINTER(c_void_p))
_take = (c_void_p, c_void_p, c_size_t, POINTER(Message))
_settle = (c_int, c_void_p, POINTER(Token))
# Result, then arguments.
_FUNCTIONS = {
    "ipckit_version": (c_char_p,),
    "ipckit_strerror": (c_char_p, c_int),
    "ipckit_error_name": (c_char_p, c_int),
    "ipckit_fingerprint": (c_uint64, c_char_p),
    "ipckit_queue_create": _open,
    "ipckit_queue_open": _open,
    "ipckit_queue_open_or_create": _open,
    "ipckit_queue_close": (c_int, c_void_p),
    "ipckit_queue_unlink": (c_int, c_char_p, c_char_p),
    "ipckit_queue_put": (c_int, c_void_p, c_void_p, c_size_t, c_uint32, c_int64),
    "ipckit_queue_get": (c_int64, *_take, c_int64),
    "ipckit_queue_lease": (c_int64, *_take, c_int64, c_int64),
    "ipckit_queue_peek": (c_int64, *_take),
    "ipckit_queue_get_dead": (c_int64, *_take),
    "ipckit_queue_ack": _settle,
    "ipckit_queue_reject": _settle,
    "ipckit_queue_nack": (*_settle, c_int64),
    "ipckit_queue_extend": (*_settle, c_int64),
    "ipckit_queue_task_done": (c_int, c_void_p),
    "ipckit_queue_join": (c_int, c_void_p, c_int64),
    "ipckit_queue_shutdown": (c_int, c_void_p, c_int),
    "ipckit_queue_clear": (c_int64, c_void_p),
    "ipckit_queue_stat": (c_int, c_void_p, POINTER(QueueStat)),
    "ipckit_queue_is_unlinked": (c_int, c_void_p),
    "ipckit_queue_participants": (c_int, c_void_p, POINTER(ParticipantEntry), c_size_t),
}


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
    for name, (result, *arguments) in _FUNCTIONS.items():
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
        f"Cannot load libipckit, the C library of ipckit's queues in shared memory;"
        f" {_HOW_TO_BUILD}\nTried:\n    {tried}"
    )
