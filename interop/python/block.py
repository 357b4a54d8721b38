"""struct ipckit_shared of interop/c/block.h: a field of every kind, and a packed record."""

import ctypes


class Point(ctypes.Structure):
    _fields_ = [("x", ctypes.c_float), ("y", ctypes.c_double)]


class Block(ctypes.Structure):
    _fields_ = [
        ("a", ctypes.c_int8),
        ("b", ctypes.c_uint8),
        ("c", ctypes.c_int16),
        ("d", ctypes.c_uint16),
        ("e", ctypes.c_int32),
        ("f", ctypes.c_uint32),
        ("g", ctypes.c_int64),
        ("h", ctypes.c_uint64),
        ("i", ctypes.c_float),
        ("j", ctypes.c_double),
        ("k", ctypes.c_bool),
        ("l", ctypes.c_char * 7),
        ("m", ctypes.c_uint8 * 3),
        ("n", ctypes.c_float * 3),
        ("o", Point),
        ("p", Point * 2),
        ("q", (ctypes.c_int32 * 2) * 2),
        ("hits", ctypes.c_uint32),
        ("total", ctypes.c_uint64),
        ("lossy", ctypes.c_uint32),
    ]


class Packet(ctypes.BigEndianStructure):
    _pack_ = 1
    _fields_ = [("kind", ctypes.c_uint8), ("length", ctypes.c_uint32), ("stamp", ctypes.c_uint64)]


class Shared(ctypes.Structure):
    _fields_ = [("block", Block), ("packet", ctypes.c_uint8 * ctypes.sizeof(Packet))]


assert ctypes.sizeof(Block) == 160 and ctypes.sizeof(Packet) == 13


def write(memory, seed):
    block = Block.from_buffer(memory)
    block.a = -(seed % 100)
    block.b = seed % 256
    block.c = -seed
    block.d = 65535 - seed
    block.e = -1000 * seed
    block.f = 4_000_000_000 + seed
    block.g = -(2**63) + seed
    block.h = 2**64 - 1 - seed
    block.i = seed / 4
    block.j = seed / 8 + 0.1
    block.k = seed % 2 == 1
    setattr(block, "l", ("äöü" if seed % 2 == 1 else "seven77").encode())
    block.m[:] = [seed % 256, 0, 255]
    block.n[:] = [seed * at / 2 for at in range(3)]
    block.o = Point(seed, -seed / 2)
    for at in range(2):
        block.p[at] = Point(at, seed + at / 4)
    for at in range(4):
        block.q[at // 2][at % 2] = seed - at
    packet = Packet.from_buffer(memory, ctypes.sizeof(Block))
    packet.kind, packet.length, packet.stamp = 7, seed, 0x0102030405060700 + seed


def read(memory):
    """The values, 64-bit numbers as text."""
    block = Block.from_buffer(memory)
    packet = Packet.from_buffer(memory, ctypes.sizeof(Block))
    point = lambda each: {"x": each.x, "y": each.y}  # noqa: E731
    plain = {name: getattr(block, name) for name in "abcdefijk"}
    return {
        **plain,
        "g": str(block.g),
        "h": str(block.h),
        "l": block.l.decode(),
        "m": list(block.m),
        "n": list(block.n),
        "o": point(block.o),
        "p": [point(each) for each in block.p],
        "q": [list(row) for row in block.q],
        "hits": block.hits,
        "total": str(block.total),
        "lossy": block.lossy,
        "packet": {"kind": packet.kind, "length": packet.length, "stamp": str(packet.stamp)},
    }
