#!/usr/bin/env python3
"""Sends and receives on kernel message queues, like mq-peer and msg-peer in C.

    peer.py mq  send|recv|worker|stop ...     POSIX message queues
    peer.py msg send|recv|worker|stop ...     System V message queues

interop/README.md tells the rest.
"""

import errno
import os
import select
import sys

import command_line
import messages
import waits
from posix_mq import PosixQueue
from sysv_msg import SysvQueue

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_TIMEOUT = 0, 1, 2, 3


class MqTransport:
    """Polls the queue's descriptor, and only then takes a message without waiting:
    what waits holds no message."""

    kernel = "mq"
    tag_name = "priority"

    def __init__(self, options, stop):
        self._name = options.queue
        self._stop = stop
        if options.create:
            self._queue = PosixQueue.create(
                options.queue, options.maxmsg or 10, options.msgsize or 8192, nonblocking=True
            )
        else:
            sends = options.mode in ("send", "stop")
            flags = os.O_WRONLY if sends else os.O_RDONLY
            self._queue = PosixQueue.open(options.queue, flags, nonblocking=True)

    def _wait(self, event, deadline):
        poll = select.poll()
        poll.register(self._queue, event)
        poll.register(self._stop.fd, select.POLLIN)
        ready = poll.poll(deadline.left_ms())
        self._stop.check()
        if not ready:
            raise waits.TimedOut

    def send(self, data, priority, deadline):
        while True:
            self._wait(select.POLLOUT, deadline)
            try:
                return self._queue.send(data, priority)
            except BlockingIOError:
                pass  # another process was faster

    def receive(self, deadline):
        while True:
            self._wait(select.POLLIN, deadline)
            try:
                return self._queue.receive()
            except BlockingIOError:
                pass

    def unlink(self):
        PosixQueue.unlink(self._name)


class MsgTransport:
    """Waits with a buffer of no bytes, which leaves the message in the queue, and
    only then takes it without waiting: what waits holds no message."""

    kernel = "msg"
    tag_name = "type"

    def __init__(self, options, stop):
        self._stop = stop
        if options.mode in ("recv", "worker"):
            self._selector = (options.tag, options.other)
        if options.key is None:
            self._queue = SysvQueue(options.id)
            self._queue.status()  # fails when there is no such queue
        elif options.create:
            self._queue = SysvQueue.create(options.key)
        else:
            self._queue = SysvQueue.open(options.key)

    def send(self, data, type, deadline):
        with deadline.ticking():
            while not self._queue.try_send(data, type):
                deadline.check()
                try:
                    return self._queue.send(data, type)
                except InterruptedError:
                    pass

    def receive(self, deadline):
        with deadline.ticking():
            while True:
                self._stop.check()
                found = self._queue.try_receive(*self._selector)
                if found is None:
                    deadline.check()
                    found = self._wait()
                if found is not None:
                    return found

    def _wait(self):
        """Returns an empty message, which the wait itself receives; else None."""
        try:
            return self._queue.wait(*self._selector)
        except InterruptedError:
            return None

    def unlink(self):
        self._queue.remove()


def write_line(fd, line):
    """With write(2), so that a line that was written survives the writer."""
    left = line.encode() + b"\n"
    while left:
        left = left[os.write(fd, left) :]


def print_line(line):
    write_line(sys.stdout.fileno(), line)


def send_messages(options, transport, totals):
    for id in range(options.count):
        if options.mode == "stop":
            data = messages.make_stop(options.format)
        else:
            data = messages.make_message(options.format, options.seed, id)
        tag = options.tag
        if tag == "cycles":
            tag = id % 4 + (1 if transport.kernel == "msg" else 0)
        transport.send(data, tag, waits.Deadline(options.timeout_ms))
        print_line(totals.line(data, tag))


def receive_messages(options, transport, totals):
    for _ in range(options.count):
        print_line(totals.line(*transport.receive(waits.Deadline(options.timeout_ms))))


def work(options, transport, totals, ledger):
    print_line(f'{{"ready":true,"pid":{os.getpid()}}}')
    while True:
        data, tag = transport.receive(waits.Deadline(options.timeout_ms))
        if messages.is_stop(data, options.format):
            return
        write_line(ledger, totals.line(data, tag))


def open_ledger(path):
    # Whole lines at the end of the file, also when several workers share it.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        raise OSError(error.errno, f"open failed: {error.strerror}", path)


def run(options, transport_class, program):
    ledger = open_ledger(options.ledger) if options.mode == "worker" else None
    stop = waits.Stop()
    transport = transport_class(options, stop)
    sends = options.mode in ("send", "stop")
    direction = "sent" if sends else "received"
    totals = messages.Totals(direction, options.format, transport.tag_name)
    status = EXIT_OK
    try:
        if sends:
            send_messages(options, transport, totals)
        elif ledger is None:
            receive_messages(options, transport, totals)
        else:
            stop.listen()
            work(options, transport, totals, ledger)
    except waits.Stopped:
        pass
    except waits.TimedOut:
        status = EXIT_TIMEOUT
    print_line(totals.summary())
    if status == EXIT_TIMEOUT:
        reason = "the queue stayed full" if sends else "no message came"
        print(
            f"{program}: timed out: {reason} for {options.timeout_ms} ms,"
            f" after {totals.count} messages",
            file=sys.stderr,
        )
    if options.unlink:
        transport.unlink()
    return status


def main(program, transport_class, arguments):
    options = command_line.parse(program, transport_class.kernel, arguments)
    waits.prepare_signals()
    try:
        return run(options, transport_class, program)
    except OSError as error:
        name = errno.errorcode.get(error.errno, "errno")
        print(f"{program}: {error.strerror} ({name}): {error.filename}", file=sys.stderr)
        return EXIT_FAILED


if __name__ == "__main__":
    transports = {"mq": MqTransport, "msg": MsgTransport}
    kernel = sys.argv[1] if len(sys.argv) > 1 else None
    if kernel not in transports:
        wants_help = kernel in ("-h", "--help")
        print(__doc__.strip(), file=sys.stdout if wants_help else sys.stderr)
        sys.exit(EXIT_OK if wants_help else EXIT_USAGE)
    sys.exit(main(f"peer.py {kernel}", transports[kernel], sys.argv[2:]))
