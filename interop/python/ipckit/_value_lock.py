"""The bytes of a value in shared memory, and the lock for them."""

import ctypes
import functools
import mmap
import os

from . import _library as c
from ._ctype import type_name
from ._lock import Ownable
from .errors import RemovedError


class ValueLock(Ownable):
    """The RLock of a value, as get_lock() gives it, and the bytes that it is for."""

    _kind = c.VALUE
    _by_thread = True

    def _remember(self, kind, strict=False):
        super()._remember(strict)
        self._type = _from_words(kind)

    def _memory(self):
        return {"kind": _in_words(self._type), **super()._memory()}

    def _expected(self):
        name = type_name(self._type).encode()
        return {
            "bytes": ctypes.sizeof(self._type),
            "fingerprint": c.library().ipckit_fingerprint(name),
            "type_name": name[:127].decode("utf-8", "ignore").encode(),
        }

    @classmethod
    def make(cls, kind, initial):
        """One without a name. `initial` is of that kind."""
        self = object.__new__(cls)
        self._remember(kind)
        self._make_nameless(initial=ctypes.addressof(initial))
        return self

    @classmethod
    def named(cls, how, name, kind, initial, options):
        strict = options.pop("strict", False)
        record = {} if initial is None else {"initial": ctypes.addressof(initial)}
        return cls._named(how, name, options, {"kind": kind, "strict": strict}, **record)

    def data(self):
        """What is in it, as an object of ctypes. The object has a mapping of its own: it stays
        where it is when this handle is closed, and in children that are forked.
        """
        handle = self._live()
        pointer = handle.enter("map")
        try:
            at = handle.library.ipckit_value_bytes(pointer, None)
            file, start, offset = _mapping_at(at)
        finally:
            handle.leave()
        mapped = _map(handle.name, file)
        data = _shared_type(self._type).from_buffer(mapped, offset + at - start)
        data._lock_of_it = self
        return data


def _mapping_at(address):
    """Which part of which file is mapped there: (device, inode), first address, offset."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            words = line.split(maxsplit=5)
            first, last = (int(word, 16) for word in words[0].split("-"))
            if first <= address < last:
                major, minor = (int(word, 16) for word in words[3].split(":"))
                return (os.makedev(major, minor), int(words[4])), first, int(words[2], 16)
    raise RemovedError("Cannot map a value: it is not in the memory of this process")


def _map(name, file):
    descriptor = os.open(f"/dev/shm/ipckit.{name[1:]}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != file:
            raise RemovedError(f"Cannot map shm:{name}: the value was removed (unlinked)")
        return mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)


@functools.lru_cache(maxsize=None)
def _shared_type(kind):
    """The type with what makes its objects fit to be pickled."""
    return type(kind.__name__, (kind,), {"__reduce__": _reduce})


def _in_words(kind):
    """Types of arrays have no names by which they could be pickled."""
    if issubclass(kind, ctypes.Array):
        return _in_words(kind._type_), kind._length_
    return kind


def _from_words(words):
    if isinstance(words, tuple):
        return _from_words(words[0]) * words[1]
    return words


def _reduce(data):
    return ValueLock.data, (data._lock_of_it,)
