"""Names and options: what is checked before the library opens a queue."""

import ctypes

from . import _library as c
from . import _records as r
from ._handle import Handle
from .errors import failure, open_failure

_LARGEST_MESSAGE = 256 * 1024 * 1024
# What a queue takes at most when nothing was said; the same in Node.
_DEFAULT_MOST_BYTES = 32 * 1024 * 1024
_MOST = 2**24

_NUMBERS = {
    "capacity": (1, _MOST),
    "max_message_bytes": (1, _LARGEST_MESSAGE),
    "capacity_bytes": (1, 2**53 - 1),
    "priorities": (1, 16),
    "participants": (2, 1024),
    "max_deliveries": (1, 32767),
    "dead_letters": (0, _MOST),
    "mode": (0, 0o777),
    "prefetch": (1, _MOST),
}
_FLAGS = ("any_type", "any_owner", "any_mode")
OPENING = ("prefetch", *_FLAGS)


def name_of(address):
    """The name with its slash, of an address shm:/name or a name with or without the slash."""
    if not isinstance(address, str):
        raise TypeError(f"Expected a str for `name`, received {type(address).__name__}")
    name = address[4:] if address.startswith("shm:") else address
    rest = name[1:] if name.startswith("/") else name
    if not 1 <= len(rest.encode()) <= 200 or "/" in rest or "\0" in rest:
        raise ValueError(
            "Expected shm:/name, of 1 to 200 bytes without another slash or NUL, for `name`,"
            f" received {address!r}"
        )
    return "/" + rest


def check_options(options, allowed):
    for key, value in options.items():
        if key not in allowed:
            raise TypeError(f"unexpected option `{key}`; known are {', '.join(allowed)}")
        if value is None:
            continue
        if key in _FLAGS:
            if not isinstance(value, bool):
                raise TypeError(f"Expected a bool for `{key}`, received {type(value).__name__}")
            continue
        least, most = _NUMBERS[key]
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"Expected an int for `{key}`, received {type(value).__name__}")
        if not least <= value <= most:
            raise ValueError(f"Expected {least} to {most} for `{key}`, received {value}")


def _set_sizes(record, given):
    record.capacity = given.get("capacity", 1024)
    record.max_message_bytes = given.get("max_message_bytes", 8192)
    most = min(record.capacity * record.max_message_bytes, _DEFAULT_MOST_BYTES)
    record.capacity_bytes = given.get("capacity_bytes", max(record.max_message_bytes, most))
    if record.capacity_bytes < record.max_message_bytes:
        raise ValueError(
            f"Expected at least max_message_bytes, {record.max_message_bytes}, for"
            f" `capacity_bytes`, received {record.capacity_bytes}"
        )
    record.dead_capacity = given.get("dead_letters", 0)
    for key in ("priorities", "participants", "max_deliveries"):
        setattr(record, key, given.get(key, 0))
    record.mode = given.get("mode", 0o600)


def _told(type_name):
    """What others are told who have another type: its first 127 bytes. The fingerprint is of
    all.
    """
    return type_name.encode()[:127].decode("utf-8", "ignore").encode()


def open_handle(how, address, codec, joinable, options):
    """`how` is open, create or open_or_create."""
    name = name_of(address)
    check_options(options, OPENING if how == "open" else (*_NUMBERS, *_FLAGS))
    given = {key: value for key, value in options.items() if value is not None}
    library = c.library()
    record = r.QueueOptions(participant=b"python", prefetch=given.get("prefetch", 0))
    if how != "open":
        _set_sizes(record, given)
    if joinable:
        record.flags |= c.JOINABLE
    if given.get("any_owner"):
        record.flags |= c.ANY_OWNER
    if given.get("any_mode"):
        record.flags |= c.ANY_MODE
    if not given.get("any_type"):
        record.fingerprint = library.ipckit_fingerprint(codec.name.encode())
        record.type_name = _told(codec.name)
    refusal = r.Refusal()
    pointer = ctypes.c_void_p()
    function = getattr(library, f"ipckit_queue_{how}")

    def open_it():
        result = function(
            name.encode(), ctypes.byref(record), ctypes.byref(refusal), ctypes.byref(pointer)
        )
        if result < 0:
            action = "create" if how == "create" else "open"
            raise open_failure(result, action, name, codec.name, refusal)
        return pointer.value

    close, is_unlinked = library.ipckit_queue_close, library.ipckit_queue_is_unlinked
    return Handle(name, "queue", open_it, close, is_unlinked)


def unlink(name):
    """Removes the name of a queue. Those who have it open get a RemovedError once they found it
    empty; whoever opens the name afterwards gets another queue.
    """
    name = name_of(name)
    result = c.library().ipckit_queue_unlink(name.encode(), None)
    if result < 0:
        raise failure(result, "remove", name)
