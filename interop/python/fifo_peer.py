"""Sends and receives messages through a FIFO: the Python side of test/interop/fifo.test.ts.

fifo_peer.py send PATH SENDER COUNT BYTES    COUNT messages of BYTES bytes
fifo_peer.py recv PATH COUNT                 takes so many, checks every byte

recv prints "SENDER NUMBER BYTES" of each. A message: its sender and number, 32 bits each, then
bytes that follow from both and from their place.
"""

import struct
import sys
import time

from fifo_records import FifoQueue


def make(sender, number, length):
    start = sender * 31 + number * 7
    body = bytes((start + at + (at >> 8)) & 0xFF for at in range(8, length))
    return struct.pack("<II", sender, number) + body


def main(role, path, *numbers):
    queue = FifoQueue(path)
    if role == "send":
        sender, count, length = map(int, numbers)
        for number in range(count):
            queue.put(make(sender, number, length))
        # What is in the FIFO goes with the last who has it open.
        while queue.unread() > 0:
            time.sleep(0.001)
    else:
        for _ in range(int(numbers[0])):
            message = queue.get()
            sender, number = struct.unpack_from("<II", message)
            if message != make(sender, number, len(message)):
                sys.exit("a message is torn")
            print(sender, number, len(message))
    queue.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
