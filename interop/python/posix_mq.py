"""POSIX message queues, mq_overview(7), through ctypes. Copy this file; it needs
nothing but the standard library.

    with PosixQueue.open("/jobs") as queue:
        data, priority = queue.receive(timeout=5)

On Linux a queue is a descriptor: fileno() goes into select.poll() or asyncio.
What polls and then receives from a queue that was opened with nonblocking=True
holds no message while it waits, so that killing it loses none; a process that is
killed inside a waiting receive() can take a message with it.
"""

import collections
import ctypes
import os
import time

Attributes = collections.namedtuple("Attributes", "max_messages max_message_bytes current_messages")


class _MqAttr(ctypes.Structure):
    _fields_ = [
        ("flags", ctypes.c_long),
        ("maxmsg", ctypes.c_long),
        ("msgsize", ctypes.c_long),
        ("curmsgs", ctypes.c_long),
        ("reserved", ctypes.c_long * 4),
    ]


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def _load():
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "mq_open"):  # glibc before 2.34
        library = ctypes.CDLL("librt.so.1", use_errno=True)
    mqd, size, data = ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
    attributes = ctypes.POINTER(_MqAttr)
    priority = ctypes.POINTER(ctypes.c_uint)
    deadline = ctypes.POINTER(_Timespec)
    for name, result, arguments in (
        # The mode and the attributes are variable arguments in C.
        ("mq_open", mqd, [data, ctypes.c_int, ctypes.c_uint, attributes]),
        ("mq_close", ctypes.c_int, [mqd]),
        ("mq_unlink", ctypes.c_int, [data]),
        ("mq_getattr", ctypes.c_int, [mqd, attributes]),
        ("mq_send", ctypes.c_int, [mqd, data, size, ctypes.c_uint]),
        ("mq_receive", ctypes.c_ssize_t, [mqd, data, size, priority]),
        ("mq_timedreceive", ctypes.c_ssize_t, [mqd, data, size, priority, deadline]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def _call(name, subject, *arguments):
    """Calls, again after a signal as Python does (PEP 475); raises OSError."""
    while True:
        result = getattr(_library, name)(*arguments)
        if result != -1:
            return result
        error = ctypes.get_errno()
        failure = OSError(error, f"{name} failed: {os.strerror(error)}", subject)
        if not isinstance(failure, InterruptedError):
            raise failure


class PosixQueue:
    """One open queue. With nonblocking=True, send() to a full queue and receive()
    from an empty one raise BlockingIOError instead of waiting."""

    def __init__(self, name, flags, mode=0, attributes=None):
        self.name = name
        self._mqd = -1
        self._mqd = _call(
            "mq_open", name, os.fsencode(name), flags | os.O_CLOEXEC, mode, attributes
        )
        # mq_receive refuses a buffer smaller than the longest possible message.
        self._size = self.attributes().max_message_bytes
        self._buffer = ctypes.create_string_buffer(self._size)

    @classmethod
    def open(cls, name, flags=os.O_RDWR, nonblocking=False):
        """Opens the queue; it must exist."""
        return cls(name, flags | (os.O_NONBLOCK if nonblocking else 0))

    @classmethod
    def create(cls, name, max_messages=10, max_message_bytes=8192, mode=0o600, nonblocking=False):
        """Creates the queue; it must not exist. The umask applies to the mode."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        if nonblocking:
            flags |= os.O_NONBLOCK
        wanted = _MqAttr(maxmsg=max_messages, msgsize=max_message_bytes)
        return cls(name, flags, mode, ctypes.byref(wanted))

    @staticmethod
    def unlink(name):
        """Removes the name for everyone. Who has the queue open may go on."""
        _call("mq_unlink", name, os.fsencode(name))

    def fileno(self):
        return self._mqd

    def attributes(self):
        found = _MqAttr()
        _call("mq_getattr", self.name, self._mqd, ctypes.byref(found))
        return Attributes(found.maxmsg, found.msgsize, found.curmsgs)

    def send(self, data, priority=0):
        _call("mq_send", self.name, self._mqd, data, len(data), priority)

    def receive(self, timeout=None):
        """Returns (bytes, priority) of the oldest message of the highest priority.
        Raises TimeoutError after `timeout` seconds; None waits for ever."""
        priority = ctypes.c_uint()
        arguments = [self._mqd, self._buffer, self._size, ctypes.byref(priority)]
        if timeout is None:
            size = _call("mq_receive", self.name, *arguments)
        else:
            # The kernel wants a time of day here, so a clock that is set moves it.
            end = time.time_ns() + int(timeout * 1_000_000_000)
            deadline = _Timespec(*divmod(end, 1_000_000_000))
            arguments.append(ctypes.byref(deadline))
            size = _call("mq_timedreceive", self.name, *arguments)
        return self._buffer.raw[:size], priority.value

    def close(self):
        if self._mqd != -1:
            mqd, self._mqd = self._mqd, -1
            _call("mq_close", self.name, mqd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
