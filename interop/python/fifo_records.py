"""Messages in a FIFO, as ipckit's `fifo:` queues have them: docs/layout.md of ipckit.

Any number of processes may put and get at once; each message goes to one of them, whole. Needs
Linux, and Python 3.9 for its locks; tee(2) is called through ctypes.
"""

import ctypes
import errno
import fcntl
import os
import resource
import select
import stat
import struct
import termios
import time

READING_BYTE, WRITING_BYTE, OPEN_BYTE = range(3)
PIPE_BUF = 4096
F_GETPIPE_SZ, F_SETPIPE_SZ = 1032, 1031
SPLICE_F_NONBLOCK = 2
HEADER = struct.Struct("<II")
END = struct.Struct("<I")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
_libc.tee.restype = ctypes.c_ssize_t


def _check(length):
    return ((length ^ 0x4B435049) * 0x9E3779B1) & 0xFFFFFFFF


def _total(length):
    return (length + 12 + 7) & ~7


def _flock(kind, byte):
    # struct flock: type, whence, start, length, pid.
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)


class TornRecord(Exception):
    """What was left of a record whose writer or reader was killed; it has been skipped."""


class FifoQueue:
    """A FIFO that carries messages, open for both directions."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(self.fd).st_mode):
            os.close(self.fd)
            raise OSError(errno.ENOTSUP, "not a FIFO", path)
        self._lock(OPEN_BYTE, fcntl.F_RDLCK)

    def close(self):
        os.close(self.fd)

    def unread(self):
        answer = fcntl.ioctl(self.fd, termios.FIONREAD, b"\0\0\0\0")
        return struct.unpack("i", answer)[0]

    def put(self, message):
        """Puts a message, and waits while the FIFO is full."""
        total = _total(len(message))
        capacity = fcntl.fcntl(self.fd, F_GETPIPE_SZ)
        if total > capacity:
            raise OSError(errno.EMSGSIZE, "the message can never fit")
        check = _check(len(message))
        record = HEADER.pack(len(message), check) + message + END.pack(check ^ 0xFFFFFFFF)
        record += bytes(total - len(record))
        is_atomic = total <= PIPE_BUF
        while True:
            self._lock(WRITING_BYTE, fcntl.F_RDLCK if is_atomic else fcntl.F_WRLCK)
            try:
                if is_atomic or self._has_room(total, capacity):
                    if os.write(self.fd, record) != total:
                        raise OSError(errno.EIO, "somebody writes without the lock")
                    return
                may_poll = False
            except BlockingIOError:
                may_poll = True
            finally:
                self._lock(WRITING_BYTE, fcntl.F_UNLCK)
            if may_poll:
                select.select([], [self.fd], [])
            else:
                # There is room, but not enough: select(2) would return at once.
                time.sleep(0.001)

    def get(self):
        """Takes the next message, and waits for one."""
        while True:
            self._lock(READING_BYTE, fcntl.F_WRLCK)
            try:
                message = self._take()
            except InterruptedError:
                message = None
                time.sleep(0.001)
            finally:
                self._lock(READING_BYTE, fcntl.F_UNLCK)
            if message is not None:
                return message
            select.select([self.fd], [], [])

    def _lock(self, byte, kind):
        fcntl.fcntl(self.fd, fcntl.F_OFD_SETLKW, _flock(kind, byte))

    def _is_being_written(self):
        answer = fcntl.fcntl(self.fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_RDLCK, WRITING_BYTE))
        return struct.unpack_from("h", answer)[0] == fcntl.F_WRLCK

    def _has_room(self, total, capacity):
        # Two pages that follow each other hold more than one page of bytes together.
        there = self.unread()
        if there == 0:
            return True
        page = resource.getpagesize()
        used = (there - 1) // (page + 1) * 2 + 2
        return used + -(-total // page) <= capacity // page

    def _look(self, size):
        """Copies what is there, and leaves it there."""
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.fcntl(writer, F_SETPIPE_SZ, size)
            copied = _libc.tee(self.fd, writer, size, SPLICE_F_NONBLOCK)
            if copied < 0 and ctypes.get_errno() != errno.EAGAIN:
                raise OSError(ctypes.get_errno(), "tee")
            view = b""
            while len(view) < copied:
                view += os.read(reader, copied - len(view))
            return view
        finally:
            os.close(reader)
            os.close(writer)

    def _take(self):
        """With the lock held: the message, or None when there is none yet."""
        capacity = fcntl.fcntl(self.fd, F_GETPIPE_SZ)
        for is_certain in (False, True):
            view = self._look(capacity)
            if not view:
                return None
            shape, total = _shape(view, 0, capacity)
            if shape == "whole":
                record = os.read(self.fd, total)
                return record[8 : 8 + HEADER.unpack_from(record)[0]]
            if shape == "unfinished" and self._is_being_written():
                raise InterruptedError
            if is_certain:
                # Nobody finishes it any more: on to the next that looks like one.
                raise TornRecord(os.read(self.fd, _next_record(view, capacity)))
        return None


def _shape(view, at, capacity):
    if len(view) - at < 8:
        return "unfinished", 8
    length, check = HEADER.unpack_from(view, at)
    total = _total(length)
    if check != _check(length) or total > capacity:
        return "wrong", total
    if at + total > len(view):
        return "unfinished", total
    whole = END.unpack_from(view, at + 8 + length)[0] == check ^ 0xFFFFFFFF
    return ("whole" if whole else "wrong"), total


def _next_record(view, capacity):
    for at in range(1, len(view) - 7):
        if _shape(view, at, capacity)[0] != "wrong":
            return at
    return len(view)
