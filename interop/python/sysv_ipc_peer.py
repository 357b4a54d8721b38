#!/usr/bin/python3
"""The command line of msg-peer over sysv_ipc, the module that most Python programs use
for System V queues (Debian and Ubuntu: python3-sysv-ipc).

    sysv_ipc_peer.py send|recv|worker|stop --key 0x1234 ...

sysv_ipc opens queues by key alone and knows no MSG_EXCEPT: --id and --except are refused.
"""

import ctypes
import errno
import sys

import sysv_ipc

import peer

PROGRAM = "sysv_ipc_peer.py"


def longest_message():
    with open("/proc/sys/kernel/msgmax") as file:
        return int(file.read())


def call(function, *arguments, **keywords):
    """sysv_ipc has errors of its own; a full or empty queue and a signal we want as Python's."""
    try:
        return function(*arguments, **keywords)
    except sysv_ipc.BusyError:
        raise BlockingIOError
    except sysv_ipc.Error as error:
        if str(error) == "Signaled while waiting":
            raise InterruptedError
        raise


class SysvIpcTransport:
    """Waits as MsgTransport does: through a second object, whose messages may have no bytes."""

    kernel = "msg"
    tag_name = "type"

    def __init__(self, options, stop):
        self._stop = stop
        self._type = options.tag
        key = ctypes.c_int(options.key).value
        flags = sysv_ipc.IPC_CREX if options.create else 0
        # Without a size the module takes and sends no message longer than 2048 bytes.
        self._queue = sysv_ipc.MessageQueue(key, flags, 0o600, longest_message())
        self._waiter = sysv_ipc.MessageQueue(key, 0, 0o600, 0)

    def _send(self, data, type, block):
        try:
            call(self._queue.send, data, block, type=type)
        except (BlockingIOError, InterruptedError):
            return False
        return True

    def send(self, data, type, deadline):
        with deadline.ticking():
            block = False
            while not self._send(data, type, block):
                deadline.check()
                block = True

    def _receive(self, queue, block):
        try:
            return call(queue.receive, block, type=self._type)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            if queue is self._waiter and error.errno == errno.E2BIG:
                return None
            raise

    def receive(self, deadline):
        with deadline.ticking():
            while True:
                self._stop.check()
                found = self._receive(self._queue, block=False)
                if found is None:
                    deadline.check()
                    found = self._receive(self._waiter, block=True)
                if found is not None:
                    return found

    def unlink(self):
        self._queue.remove()


def main(arguments):
    for option in arguments:
        if option.split("=")[0] in ("--id", "--except"):
            print(f"{PROGRAM}: sysv_ipc knows no {option}", file=sys.stderr)
            return peer.EXIT_USAGE
    try:
        return peer.main(PROGRAM, SysvIpcTransport, arguments)
    except sysv_ipc.Error as error:
        # The module tells neither the system call nor errno.
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return peer.EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
