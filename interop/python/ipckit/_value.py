"""Value, Array, RawValue and RawArray: data of C in shared memory, with the names of
multiprocessing.
"""

import ctypes
import functools

from . import _library as c
from . import _records as r
from ._ctype import ctype_of, fields_of
from ._open import name_of
from ._value_lock import ValueLock
from .errors import open_failure


def _one(typecode_or_type, *arguments):
    """The type and first content of a value."""
    kind = ctype_of(typecode_or_type)
    return kind, kind(*arguments)


def _many(typecode_or_type, size_or_initializer):
    """The type and first content of an array."""
    kind = ctype_of(typecode_or_type)
    if isinstance(size_or_initializer, int):
        values, size = (), size_or_initializer
    else:
        values = tuple(size_or_initializer)
        size = len(values)
    if isinstance(size_or_initializer, bool) or size < 1:
        raise ValueError(
            "Expected at least one element for `size_or_initializer`, received"
            f" {size_or_initializer!r}"
        )
    return kind * size, (kind * size)(*values)


def _size_at(name, kind):
    """How many elements of that type are in the array of that name."""
    name = name_of(name)
    stat = r.SyncStat()
    result = c.library().ipckit_sync_look(name.encode(), None, ctypes.byref(stat))
    if result < 0:
        raise open_failure(result, "open", name, "", r.Refusal(), "value")
    # What is no array of this type is refused when it is opened.
    return max(1, stat.bytes // ctypes.sizeof(kind))


class _Raw:
    """Makes objects of ctypes in shared memory."""

    def __new__(cls, *arguments):
        return ValueLock.make(*cls._content(*arguments)).data()

    @classmethod
    def create(cls, name, typecode_or_type, *content, **options):
        """Makes one that must not be there yet."""
        made = ValueLock.named("create", name, *cls._content(typecode_or_type, *content), options)
        return cls._give(made)

    @classmethod
    def open(cls, name, typecode_or_type, *size, **options):
        """Opens one that must be there, of the same type; of an array, as long as it is."""
        if cls._content is _many and not size:
            size = (_size_at(name, ctype_of(typecode_or_type)),)
        kind = cls._content(typecode_or_type, *size)[0]
        return cls._give(ValueLock.named("open", name, kind, None, options))

    @classmethod
    def open_or_create(cls, name, typecode_or_type, *content, **options):
        """Opens it, or makes it with this content and these options."""
        content = cls._content(typecode_or_type, *content)
        return cls._give(ValueLock.named("open_or_create", name, *content, options))

    @staticmethod
    def _give(lock):
        return lock.data()


class RawValue(_Raw):
    """multiprocessing.RawValue: an object of ctypes in shared memory, without a lock.
    RawValue(typecode_or_type, *args) has no name and is handed to child processes;
    RawValue.create(name, typecode_or_type, *args), RawValue.open(name, typecode_or_type) and
    open_or_create are for everybody, Node.js and C among them.
    """

    _content = staticmethod(_one)


class RawArray(_Raw):
    """multiprocessing.RawArray: an array of ctypes in shared memory, without a lock. See
    RawValue.
    """

    _content = staticmethod(_many)


class _Locked(_Raw):
    def __new__(cls, *arguments, lock=True):
        made = ValueLock.make(*cls._content(*arguments))
        if lock is False:
            return made.data()
        return synchronized(made, None if lock is True else lock)

    @staticmethod
    def _give(lock):
        return synchronized(lock)


class Value(_Locked):
    """multiprocessing.Value: an object of ctypes in shared memory, and a lock that its `value`, or
    its fields when it is a struct, are read and written with.

        count = ipckit.Value.open_or_create("/count", "i", 0)
        with count.get_lock():
            count.value += 1

    Value(typecode_or_type, *args, lock=True) has no name and is handed to child processes; `lock`
    may be a Lock of yours, or False for a RawValue. create(name, typecode_or_type, *args),
    open(name, typecode_or_type) and open_or_create are for everybody, and have a lock of their own,
    an RLock. Options as Lock has them; `strict` is for the lock.
    """

    _content = staticmethod(_one)


class Array(_Locked):
    """multiprocessing.Array: an array of ctypes in shared memory, and a lock that its elements are
    read and written with. See Value; in place of the arguments there is a size or the first
    elements.
    """

    _content = staticmethod(_many)


def synchronized(made, lock=None):
    """The wrapper for what is in a value, with its own lock or another."""
    if lock is not None and not hasattr(lock, "acquire"):
        raise AttributeError(f"{lock!r} has no method 'acquire'")
    data = made.data()
    if isinstance(data, ctypes.Array):
        wrapper = SynchronizedString if data._type_ is ctypes.c_char else SynchronizedArray
    elif isinstance(data, (ctypes.Structure, ctypes.Union)):
        wrapper = _struct_wrapper(type(data))
    else:
        wrapper = Synchronized
    return wrapper(made, data, lock or made)


def _locked_property(name):
    def get(self):
        with self:
            return getattr(self._obj, name)

    def put(self, value):
        with self:
            setattr(self._obj, name, value)

    return property(get, put)


@functools.lru_cache(maxsize=None)
def _struct_wrapper(kind):
    fields = {field[0]: _locked_property(field[0]) for field in fields_of(kind)}
    return type(f"Synchronized{kind.__name__}", (SynchronizedBase,), fields)


class SynchronizedBase:
    """What Value and Array give: the data, and the lock for them."""

    def __init__(self, made, data, lock):
        self._made = made
        self._obj = data
        self._lock = lock
        self.acquire = lock.acquire
        self.release = lock.release

    def get_obj(self):
        """The object of ctypes, without the lock."""
        return self._obj

    def get_lock(self):
        """The lock, which `with` on this object holds, too."""
        return self._lock

    def __enter__(self):
        return self._lock.__enter__()

    def __exit__(self, *error):
        return self._lock.__exit__(*error)

    @property
    def name(self):
        """With its slash, as an address has it."""
        return self._made.name

    @property
    def owner_died(self):
        """See Lock.owner_died."""
        return self._lock.owner_died

    def stat(self):
        """One look at it: see SyncStat."""
        return self._made.stat()

    def participants(self):
        """Who has it open: a list of Participant."""
        return self._made.participants()

    def unlink(self):
        """Removes the name, as ipckit.unlink does."""
        self._made.unlink()

    def close(self):
        """Gives up the lock. What get_obj gave goes on to be the shared data."""
        self._made.close()

    @property
    def closed(self):
        return self._made.closed

    def __reduce__(self):
        return synchronized, (self._made, None if self._lock is self._made else self._lock)

    def __repr__(self):
        return f"<{type(self).__name__} at shm:{self.name} of {type(self._obj).__name__}>"


class Synchronized(SynchronizedBase):
    value = _locked_property("value")


class SynchronizedArray(SynchronizedBase):
    def __len__(self):
        return len(self._obj)

    def __getitem__(self, at):
        with self:
            return self._obj[at]

    def __setitem__(self, at, value):
        with self:
            self._obj[at] = value


class SynchronizedString(SynchronizedArray):
    value = _locked_property("value")
    raw = _locked_property("raw")
