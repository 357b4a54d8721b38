"""struct ipckit_tick of interop/c/tick.h: natural layout, the machine's byte order.

offset  0  id    int32
        8  px    double
       16  sym   char[8], UTF-8, filled up with NUL; no NUL when all are used
       24  at    uint64, nanoseconds since 1970
       32  flag  uint8
       36  pos   float[2]
       48  the end; what lies between the members is zero
"""

import ctypes


class Tick(ctypes.Structure):
    _fields_ = [
        ("id", ctypes.c_int32),
        ("px", ctypes.c_double),
        ("sym", ctypes.c_char * 8),
        ("at", ctypes.c_uint64),
        ("flag", ctypes.c_uint8),
        ("pos", ctypes.c_float * 2),
    ]


assert ctypes.sizeof(Tick) == 48, "this machine aligns struct ipckit_tick otherwise"
