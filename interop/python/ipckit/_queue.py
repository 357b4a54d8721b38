"""The queues, with the method names of Python's own."""

import ctypes
import errno
import queue

from . import _records as r
from ._deadline import Deadline, nanoseconds
from ._lease import Lease
from ._open import OPENING, open_handle, unlink
from ._stat import participant_of, stat_of
from .codecs import codec_of
from .errors import DecodeError, RefusedError, failure

# Grown when a message is larger.
_FIRST_BUFFER_BYTES = 16384
# Larger buffers are not kept for the next message.
_KEPT_BUFFER_BYTES = 1 << 20
_FULL = -errno.EAGAIN, -errno.ETIMEDOUT


class Queue:
    """A queue in shared memory that survives its users: whoever is killed, and wherever, the
    others go on.

    Made by create (it must not be there), open (it must) and open_or_create. `name` is
    "shm:/jobs", "/jobs" or "jobs"; `codec` is "json", "raw", "text" or a codec such as
    StructCodec. Times are in seconds.

    get takes a message for good. lease takes it until it is settled: a message whose holder dies
    is delivered again, and says so.

    Options of all three: `prefetch`, how many deliveries this handle may hold at a time;
    `any_type`, open it whatever it carries; `any_owner` and `any_mode`, open it although it
    belongs to another user, or everyone may write to it. Options of making one: `capacity`
    (messages, 1024), `max_message_bytes` (8192), `capacity_bytes`, `priorities` (10: 0 to 9, the
    highest first), `participants` (handles at a time, 256), `max_deliveries` (never given up),
    `dead_letters` (how many that were given up it keeps, 0), `mode` (0o600).

    Threads may share one. A child that was forked may not use it, and opens the queue itself;
    pickled, as multiprocessing does with the start methods spawn and forkserver, it is opened by
    name in the child.
    """

    _joinable = False

    def __init__(self, *_, **__):
        name = type(self).__name__
        raise TypeError(f"use {name}.open, {name}.create or {name}.open_or_create")

    @classmethod
    def create(cls, name, codec="json", **options):
        """Makes a queue that must not be there yet."""
        return cls._make("create", name, codec, options)

    @classmethod
    def open(cls, name, codec="json", **options):
        """Opens a queue that must be there."""
        return cls._make("open", name, codec, options)

    @classmethod
    def open_or_create(cls, name, codec="json", **options):
        """Opens the queue, or makes it with these options."""
        return cls._make("open_or_create", name, codec, options)

    @classmethod
    def _make(cls, how, name, codec, options):
        self = object.__new__(cls)
        self._codec = codec_of(codec)
        self._handle = open_handle(how, name, self._codec, cls._joinable, options)
        self._options = {key: value for key, value in options.items() if key in OPENING}
        self._library = self._handle.library
        # Free ones. Not one for each thread: a signal handler may need a second.
        self._buffers = []
        stat = self.stat()
        self._capacity = stat.capacity
        self._max_message_bytes = stat.max_message_bytes
        self._priorities = stat.priorities
        if stat.joinable != cls._joinable:
            self.close()
            other = "JoinableQueue" if stat.joinable else "Queue"
            raise RefusedError(
                f"Cannot open shm:{self.name}: it is {'' if stat.joinable else 'not '}joinable;"
                f" open it with {other}"
            )
        return self

    @property
    def name(self):
        """With its slash, as an address has it."""
        return self._handle.name

    # ---- putting

    def put(self, obj, block=True, timeout=None, *, priority=0):
        """Puts a value, and waits while there is no room: for ever, or `timeout` seconds. Raises
        queue.Full when there is none; ShutDown when the queue was shut down; TypeError or
        ValueError when the codec cannot say the value, and ValueError when it is larger than the
        queue takes.
        """
        deadline = Deadline(block, timeout)
        self._handle.check("put into")
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise TypeError(f"Expected an int for `priority`, received {type(priority).__name__}")
        if not 0 <= priority < self._priorities:
            raise ValueError(
                f"Expected 0 to {self._priorities - 1} for `priority`, received {priority}"
            )
        data = self._codec.encode(obj)
        if len(data) > self._max_message_bytes:
            raise ValueError(
                f"Cannot put into shm:{self.name}: the message has {len(data)} bytes, and this"
                f" queue takes at most {self._max_message_bytes}; make it with a larger"
                " max_message_bytes"
            )
        function = self._library.ipckit_queue_put
        while True:
            if self._handle.was_removed():
                raise failure(-errno.EIDRM, "put into", self.name)
            result = self._handle.call(
                "put into", function, data, len(data), priority, deadline.next_slice()
            )
            if result == 0:
                return
            if result not in _FULL:
                raise failure(result, "put into", self.name)
            if deadline.passed():
                raise queue.Full

    def put_nowait(self, obj, *, priority=0):
        """put without waiting."""
        self.put(obj, False, priority=priority)

    # ---- taking

    def get(self, block=True, timeout=None):
        """Takes the next value for good, and waits for one: for ever, or `timeout` seconds. Raises
        queue.Empty when there is none, ShutDown when there will be none, and DecodeError, with the
        bytes, when they are none of the codec.
        """
        message, data = self._take(
            "get from", self._library.ipckit_queue_get, Deadline(block, timeout)
        )
        return self._decode(data)

    def get_nowait(self):
        """get without waiting."""
        return self.get(False)

    def lease(self, block=True, timeout=None, *, lease_seconds=0):
        """Takes the next value and holds it until it is settled: see Lease. After `lease_seconds`
        it is delivered to someone else unless it was settled or extended; 0 is no limit, and the
        death of the holder ends a lease in any case. Raises what get does, and PrefetchError. A
        message that cannot be decoded is rejected.
        """
        lease_ns = nanoseconds("lease_seconds", lease_seconds)
        deadline = Deadline(block, timeout)
        message, data = self._take("get from", self._library.ipckit_queue_lease, deadline, lease_ns)
        try:
            return Lease(self._handle, self._decode(data), message)
        except DecodeError:
            # Delivered again, it would fail again.
            self._handle.call("reject", self._library.ipckit_queue_reject, message.token)
            raise

    def peek(self):
        """The next value, which stays where it is. Raises queue.Empty when there is none."""
        message, data = self._take("peek into", self._library.ipckit_queue_peek)
        return self._decode(data)

    def get_dead_letter(self):
        """Takes the oldest value that was given up, for good. Raises queue.Empty when there is
        none.
        """
        message, data = self._take("get from", self._library.ipckit_queue_get_dead)
        return self._decode(data)

    def _take(self, action, function, deadline=None, *others):
        """One message and its bytes; without a deadline the function takes no timeout and never
        waits.
        """
        message = r.Message()
        try:
            buffer = self._buffers.pop()
        except IndexError:
            buffer = ctypes.create_string_buffer(_FIRST_BUFFER_BYTES)
        try:
            while True:
                wait = () if deadline is None else (*others, deadline.next_slice())
                size = len(buffer)
                result = self._handle.call(
                    action, function, buffer, size, ctypes.byref(message), *wait
                )
                if result >= 0:
                    return message, ctypes.string_at(buffer, result)
                if result == -errno.EMSGSIZE and size < message.length <= self._max_message_bytes:
                    buffer = ctypes.create_string_buffer(message.length)
                    continue
                if result not in _FULL:
                    raise failure(result, action, self.name)
                if self._handle.was_removed():
                    raise failure(-errno.EIDRM, action, self.name)
                if deadline is None or deadline.passed():
                    raise queue.Empty
        finally:
            if len(buffer) <= _KEPT_BUFFER_BYTES:
                self._buffers.append(buffer)

    def _decode(self, data):
        try:
            return self._codec.decode(data)
        except Exception as error:
            raise DecodeError(
                f"Cannot decode a message of {len(data)} bytes from shm:{self.name} as"
                f" {self._codec.name}: {error}",
                data,
            ) from error

    # ---- looking

    def qsize(self):
        """How many messages are ready to get; those on lease are not among them."""
        return self.stat().depth

    def empty(self):
        """Whether there is nothing to get now."""
        return self.stat().depth == 0

    def full(self):
        """Whether there are as many messages as the queue holds, those on lease included. Large
        ones may find no room before that.
        """
        stat = self.stat()
        return stat.depth + stat.in_flight >= self._capacity

    def stat(self):
        """One look at the queue: see Stat."""
        record = r.QueueStat()
        self._handle.checked(
            "read the state of", self._library.ipckit_queue_stat, ctypes.byref(record)
        )
        return stat_of(record)

    def participants(self):
        """Who has the queue open: a list of Participant."""
        function = self._library.ipckit_queue_participants
        room = 16
        while True:
            records = (r.ParticipantEntry * room)()
            count = self._handle.checked("read the participants of", function, records, room)
            if count <= room:
                return [participant_of(record) for record in records[:count]]
            room = count

    # ---- ending

    def shutdown(self, immediate=False):
        """Ends the work of the queue for every process: puts raise ShutDown from now on; gets go
        on until the queue is empty and then raise it too, or at once with `immediate`.
        """
        self._handle.checked(
            "shut down", self._library.ipckit_queue_shutdown, 1 if immediate else 0
        )

    def clear(self):
        """Removes every message that nobody holds, and says how many."""
        return self._handle.checked("clear", self._library.ipckit_queue_clear)

    def unlink(self):
        """Removes the name of the queue, as ipckit.unlink does."""
        unlink(self.name)

    def close(self):
        """Gives up this handle, and gives back what it holds. The queue stays. Calls in other
        threads end with ClosedError within 0.1 s. A second close does nothing.
        """
        self._handle.close()

    @property
    def closed(self):
        return self._handle.closed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __reduce__(self):
        self._handle.check("pickle")
        return _reopen, (type(self), self.name, self._codec, self._options)

    def __repr__(self):
        state = ", closed" if self.closed else ""
        return f"<ipckit.{type(self).__name__} shm:{self.name} of {self._codec.name}{state}>"


class JoinableQueue(Queue):
    """A Queue whose values, once got, are tasks of the getter until task_done(); tasks of those
    who die are delivered again. The same as SharedQueue with `joinable: true` in Node.
    """

    _joinable = True

    def task_done(self):
        """The work on the oldest value that get brought is done. Raises ValueError when there is
        none.
        """
        self._handle.checked("end a task of", self._library.ipckit_queue_task_done)

    def join(self, timeout=None):
        """Waits until every message that was put has been settled. Raises TimeoutError after
        `timeout` seconds.
        """
        deadline = Deadline(True, timeout)
        while True:
            result = self._handle.call(
                "join", self._library.ipckit_queue_join, deadline.next_slice()
            )
            if result == 0:
                return
            if result not in _FULL:
                raise failure(result, "join", self.name)
            if deadline.passed():
                raise TimeoutError(f"shm:{self.name} still has unfinished tasks")


def _reopen(kind, name, codec, options):
    return kind.open(name, codec, **options)
