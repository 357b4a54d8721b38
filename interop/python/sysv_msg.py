"""System V message queues, sysvipc(7), through ctypes. Copy this file; it needs
nothing but the standard library.

    queue = SysvQueue.open(0x1234)
    queue.send(b"hello", type=5)
    data, type = queue.receive()

A process that is killed while it waits in receive() can take a message with it.
One that is killed in wait() cannot: wait() leaves the message in the queue.

These system calls know no timeout. A signal ends them with InterruptedError, and
nothing has been sent or received then; set a timer to wait for a limited time.
"""

import collections
import ctypes
import errno
import os

IPC_PRIVATE = 0
_IPC_CREAT, _IPC_EXCL, _IPC_NOWAIT = 0o1000, 0o2000, 0o4000
_IPC_RMID, _IPC_STAT = 0, 2
_MSG_EXCEPT = 0o20000

Status = collections.namedtuple(
    "Status", "key mode uid gid messages bytes max_bytes last_sender last_receiver"
)


class _MsqidDs(ctypes.Structure):
    """struct msqid_ds as Linux has it on little-endian 64-bit machines."""

    _fields_ = [
        ("key", ctypes.c_int),
        ("uid", ctypes.c_uint),
        ("gid", ctypes.c_uint),
        ("cuid", ctypes.c_uint),
        ("cgid", ctypes.c_uint),
        ("mode", ctypes.c_ushort),
        ("reserved1", ctypes.c_ushort * 3),
        ("reserved2", ctypes.c_ulong * 2),
        ("stime", ctypes.c_long),
        ("rtime", ctypes.c_long),
        ("ctime", ctypes.c_long),
        ("cbytes", ctypes.c_ulong),
        ("qnum", ctypes.c_ulong),
        ("qbytes", ctypes.c_ulong),
        ("lspid", ctypes.c_int),
        ("lrpid", ctypes.c_int),
        ("reserved3", ctypes.c_ulong * 2),
    ]


def _load():
    library = ctypes.CDLL(None, use_errno=True)
    number, size, packet = ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p
    for name, result, arguments in (
        ("ftok", number, [ctypes.c_char_p, number]),
        ("msgget", number, [number, number]),
        ("msgsnd", number, [number, packet, size, number]),
        ("msgrcv", ctypes.c_ssize_t, [number, packet, size, ctypes.c_long, number]),
        ("msgctl", number, [number, number, packet]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load()


def _call(name, subject, *arguments):
    result = getattr(_library, name)(*arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"{name} failed: {os.strerror(error)}", subject)
    return result


def ftok(path, project):
    """The key that C programs get from the same path and project number."""
    return _call("ftok", path, os.fsencode(path), project)


class SysvQueue:
    """A queue by its id, which every process of the machine may use."""

    def __init__(self, id, subject=None):
        self.id = id
        self._subject = subject or f"id {id}"  # what errors call it
        self._grow(8192)  # the usual kernel.msgmax

    @classmethod
    def open(cls, key):
        """Opens the queue of this key; it must exist."""
        return cls._get(key, 0)

    @classmethod
    def create(cls, key=IPC_PRIVATE, mode=0o600):
        """Creates the queue; it must not exist. No umask applies to the mode."""
        return cls._get(key, _IPC_CREAT | _IPC_EXCL | mode)

    @classmethod
    def _get(cls, key, flags):
        # A key is an int in C, where 0xdeadbeef is negative.
        subject = f"key {key & 0xFFFFFFFF:#x}"
        return cls(_call("msgget", subject, ctypes.c_int(key).value, flags), subject)

    def remove(self):
        """Removes the queue and its messages for everyone."""
        _call("msgctl", self._subject, self.id, _IPC_RMID, None)

    def status(self):
        found = _MsqidDs()
        pointer = ctypes.byref(found)
        _call("msgctl", self._subject, self.id, _IPC_STAT, pointer)
        return Status(
            found.key,
            found.mode,
            found.uid,
            found.gid,
            found.qnum,
            found.cbytes,
            found.qbytes,
            found.lspid,
            found.lrpid,
        )

    def send(self, data, type=1):
        """Sends, and waits while the queue is full."""
        self._send(data, type, 0)

    def try_send(self, data, type=1):
        """Sends if there is room now, and tells whether there was."""
        try:
            self._send(data, type, _IPC_NOWAIT)
        except BlockingIOError:
            return False
        return True

    def receive(self, type=0, other=False):
        """Returns (bytes, type) of the oldest message that matches: any for 0,
        that type for n, of the lowest type up to n for -n; with `other` any but n.
        """
        return self._receive(type, other, 0)

    def try_receive(self, type=0, other=False):
        """The same without waiting: None when no message matches."""
        try:
            return self._receive(type, other, _IPC_NOWAIT)
        except OSError as error:
            if error.errno == errno.ENOMSG:
                return None
            raise

    def wait(self, type=0, other=False):
        """Waits until a message matches, leaves it in the queue and returns None.

        The buffer has no room, so msgrcv fails with E2BIG and the message stays.
        Others wake up too: try_receive() may still find nothing. An empty message
        has room in any buffer; it is received, and returned as (b"", type).
        """
        try:
            return self._receive(type, other, 0, limit=0)
        except OSError as error:
            if error.errno == errno.E2BIG:
                return None
            raise

    def _grow(self, capacity):
        self._capacity = capacity
        self._packet = ctypes.create_string_buffer(_HEADER + capacity)

    def _send(self, data, type, flags):
        # A packet is a C long, the type, and then the bytes; the size counts these.
        packet = bytes(ctypes.c_long(type)) + data
        _call("msgsnd", self._subject, self.id, packet, len(data), flags)

    def _receive(self, type, other, flags, limit=None):
        if other:
            flags |= _MSG_EXCEPT
        while True:
            size = self._capacity if limit is None else limit
            try:
                size = _call("msgrcv", self._subject, self.id, self._packet, size, type, flags)
            except OSError as error:
                if error.errno != errno.E2BIG or limit is not None:
                    raise
                self._grow(2 * self._capacity)  # the message is still there
                continue
            found = ctypes.c_long.from_buffer(self._packet).value
            return self._packet.raw[_HEADER : _HEADER + size], found


_HEADER = ctypes.sizeof(ctypes.c_long)
