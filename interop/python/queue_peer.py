#!/usr/bin/env python3
"""The other side of a queue in shared memory, in Python, through the package ipckit.

It has the command line, the commands and the answers of queue-peer (c/queue_peer.c).
"""

import struct
import sys

import ipckit
from ipckit._records import QUEUE_STRUCTURES

from dialogue import converse
from messages import fnv1a64

TICK = "struct{id:i32,px:f64,sym:char[8]}"


def make(kind, id, size):
    """Message `id` of a type, filled up to about `size` bytes."""
    if kind == TICK:
        return (id, id + 0.5, b"EIGHTLEN" if id % 2 else "żółw".encode() + b"\0")
    if kind == "raw":
        return struct.pack("<i", id) + bytes((id * 31 + i) & 255 for i in range(4, size))
    start = f"#{id} żółw 🐧 " if kind == "text" else f'{{"id":{id},"text":"żółw 🐧","pad":"'
    pad = "x" * max(0, size - len(start.encode()))
    return (
        start + pad
        if kind == "text"
        else {"id": id, "text": "żółw 🐧", "pad": pad, "price": id + 0.5}
    )


def id_of(kind, value):
    if kind == TICK:
        return value[0]
    if kind == "raw":
        return struct.unpack_from("<i", value)[0]
    return int(value[1:].split(" ", 1)[0]) if kind == "text" else value["id"]


def seconds(milliseconds):
    return milliseconds / 1000


class Peer:
    def __init__(self, how, name, kind):
        self.kind = kind
        self.codec = ipckit.StructCodec("<i4xd8s", TICK) if kind == TICK else kind
        options = dict(capacity=16, max_message_bytes=1 << 20, capacity_bytes=4 << 20)
        if how == "join":
            self.queue = ipckit.JoinableQueue.create(name, self.codec, **options)
        elif how == "create":
            self.queue = ipckit.Queue.create(name, self.codec, **options)
        else:
            try:
                self.queue = ipckit.Queue.open(name, self.codec)
            except ipckit.CodecError:
                raise
            except ipckit.RefusedError:
                self.queue = ipckit.JoinableQueue.open(name, self.codec)
        self.leased = None

    def describe(self, value, lease=None):
        # Digested as it would be sent, so that equal digests are equal values.
        data = self.queue._codec.encode(value)
        told = {
            "id": id_of(self.kind, value),
            "bytes": len(data),
            "digest": f"{fnv1a64(data):016x}",
        }
        if lease:
            told["priority"] = lease.priority
            told["deliveries"] = lease.delivery_count
            told["redelivered"] = lease.redelivered
        return told

    def put(self, id, size=0, priority=0, milliseconds=0):
        value = make(self.kind, id, size)
        self.queue.put(value, timeout=seconds(milliseconds), priority=priority)
        return self.describe(value)

    def get(self, milliseconds=0):
        return self.describe(self.queue.get(timeout=seconds(milliseconds)))

    def lease(self, milliseconds=0, lease_ms=0):
        self.leased = self.queue.lease(
            timeout=seconds(milliseconds), lease_seconds=seconds(lease_ms)
        )
        return self.describe(self.leased.value, self.leased)

    def send(self, count, size):
        total = 0
        for id in range(count):
            value = make(self.kind, id, size)
            total += fnv1a64(self.queue._codec.encode(value))
            self.queue.put(value)
        return {"count": count, "sum": f"{total % 2**64:016x}"}

    def receive(self, count):
        total, ordered = 0, True
        for id in range(count):
            value = self.queue.get()
            total += fnv1a64(self.queue._codec.encode(value))
            ordered = ordered and id_of(self.kind, value) == id
        return {"count": count, "sum": f"{total % 2**64:016x}", "ordered": ordered}

    def ack(self):
        self.leased.ack()

    def nack(self, milliseconds=0):
        self.leased.nack(seconds(milliseconds))

    def reject(self):
        self.leased.reject()

    def extend(self, milliseconds):
        self.leased.extend(seconds(milliseconds))

    def done(self):
        self.queue.task_done()

    def wait(self, milliseconds=0):
        self.queue.join(seconds(milliseconds))

    def shutdown(self, how):
        self.queue.shutdown(immediate=how == "immediate")

    def clear(self):
        return {"ok": self.queue.clear()}

    def qsize(self):
        return {"ok": self.queue.qsize()}

    def close(self):
        self.queue.close()


def name_of(error):
    """As the library calls it."""
    if isinstance(error, (ipckit.Empty, ipckit.Full, TimeoutError)):
        return "AGAIN"
    if isinstance(error, ipckit.ShutDown):
        return "SHUTDOWN"
    if isinstance(error, ipckit.DecodeError):
        return "DECODE"
    if "task_done" in str(error):
        return "TASKS"
    names = {ipckit.CodecError: "TYPE", ipckit.StaleError: "STALE"}
    return names.get(type(error), f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(converse(Peer, name_of, QUEUE_STRUCTURES))
