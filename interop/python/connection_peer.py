#!/usr/bin/env python3
"""The other end of an ipckit Connection, with Python's own multiprocessing.connection.

connection_peer.py followed by:

  FD echo                sends every message back until the end
  FD send SIZE...        sends messages of these sizes
  FD receive-fd          receives a descriptor, writes to it, answers "written"
  FD send-fd FILE        opens a file and sends its descriptor
  FD recv-fds            the same with socket.recv_fds: answers with the bytes beside it
  FD send-fds FILE TEXT  the same with socket.send_fds, with bytes beside it
  PATH listen            multiprocessing.connection.Listener: echo for one client
  PATH connect TEXT      multiprocessing.connection.Client: sends TEXT, prints the answer
"""

import hashlib
import os
import socket
import sys
from multiprocessing import reduction
from multiprocessing.connection import Client, Connection, Listener


def pattern(size):
    block = bytes(range(256))
    return (block * (size // 256 + 1))[:size]


def echo(connection):
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(message)


def send(connection, sizes):
    for size in sizes:
        message = pattern(size)
        connection.send_bytes(message)
        digest = connection.recv_bytes().decode()
        if digest != hashlib.sha256(message).hexdigest():
            sys.exit(f"the other end has another message of {size} bytes")


def receive_fd(connection):
    number = reduction.recv_handle(connection)
    os.write(number, b"from Python")
    os.close(number)
    connection.send_bytes(b"written")


def send_fd(connection, path):
    with open(path, "rb") as file:
        reduction.send_handle(connection, file.fileno(), 0)


def recv_fds(connection):
    with socket.socket(fileno=os.dup(connection.fileno())) as wire:
        beside, numbers, flags, _ = socket.recv_fds(wire, 2048, 4)
    for number in numbers:
        os.write(number, b"from Python")
        os.close(number)
    connection.send_bytes(beside)


def send_fds(connection, path, text):
    with socket.socket(fileno=os.dup(connection.fileno())) as wire, open(path) as file:
        socket.send_fds(wire, [text.encode()], [file.fileno()])


def main():
    name, what, *arguments = sys.argv[1:]
    if what == "listen":
        with Listener(name, "AF_UNIX") as listener:
            print("listening", flush=True)
            with listener.accept() as connection:
                echo(connection)
        return
    if what == "connect":
        with Client(name, "AF_UNIX") as connection:
            connection.send_bytes(arguments[0].encode())
            print(connection.recv_bytes().decode())
        return
    with Connection(int(name)) as connection:
        if what == "echo":
            echo(connection)
        elif what == "send":
            send(connection, [int(size) for size in arguments])
        elif what == "receive-fd":
            receive_fd(connection)
        elif what == "send-fd":
            send_fd(connection, *arguments)
        elif what == "recv-fds":
            recv_fds(connection)
        elif what == "send-fds":
            send_fds(connection, *arguments)
        else:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
