#!/usr/bin/env python3
"""The other side of a shared memory, in Python.

It has the command line and the output of shm-peer (c/shm_peer.c).

    shm_peer.py create|write|read|unlink MEMORY [SEED]
    shm_peer.py plain MEMORY COUNT

POSIX memory is opened by multiprocessing.shared_memory, System V segments by libc through ctypes.
"""

import ctypes
import json
import os
import sys
from multiprocessing import resource_tracker, shared_memory

import block

IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0


def attach(name):
    """Opens POSIX memory that somebody else owns.

    Before Python 3.13 the resource tracker takes every memory that was opened for this program's
    own, and unlinks it when the program ends, from under all others. It must be told not to; from
    3.13 on, track=False does.
    """
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name, track=False)
    memory = shared_memory.SharedMemory(name)
    resource_tracker.unregister("/" + memory.name, "shared_memory")
    return memory


class Posix:
    def __init__(self, name, create):
        self.name = name[1:]
        if create:
            # It creates here, and is to leave the memory to others.
            made = shared_memory.SharedMemory(
                self.name, create=True, size=ctypes.sizeof(block.Shared)
            )
            resource_tracker.unregister("/" + made.name, "shared_memory")
            self.memory = made
        else:
            self.memory = attach(self.name)
        self.buffer = self.memory.buf

    @staticmethod
    def unlink(name):
        shared_memory.SharedMemory(name[1:]).unlink()


class SystemV:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p

    def __init__(self, name, create):
        flags = (IPC_CREAT | IPC_EXCL if create else 0) | 0o600
        size = ctypes.sizeof(block.Shared)
        identifier = self.libc.shmget(ctypes.c_int(int(name, 0)), ctypes.c_size_t(size), flags)
        if identifier < 0:
            raise OSError(ctypes.get_errno(), "shmget")
        address = self.libc.shmat(identifier, None, 0)
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "shmat")
        self.buffer = (ctypes.c_char * size).from_address(address)

    @classmethod
    def unlink(cls, name):
        identifier = cls.libc.shmget(ctypes.c_int(int(name, 0)), ctypes.c_size_t(0), 0)
        if cls.libc.shmctl(identifier, IPC_RMID, None) != 0:
            raise OSError(ctypes.get_errno(), "shmctl")


def count_plain(memory, count):
    print("ready", flush=True)
    sys.stdin.read(1)
    fields = block.Block.from_buffer(memory)
    for _ in range(count):
        fields.lossy += 1


def main():
    mode, name, *rest = sys.argv[1:]
    number = int(rest[0]) if rest else 0
    kind = Posix if name.startswith("/") else SystemV
    if mode == "unlink":
        kind.unlink(name)
        return
    peer = kind(name, mode == "create")
    memory = peer.buffer
    if mode == "write":
        block.write(memory, number)
    elif mode == "read":
        print(json.dumps(block.read(memory), ensure_ascii=False))
    elif mode == "plain":
        count_plain(memory, number)
    elif mode != "create":
        sys.exit(f"shm_peer.py: no mode {mode}")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # SharedMemory complains at exit of views of its buffer that ctypes still has.
    os._exit(0)
