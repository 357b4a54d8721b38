"""One peer at a time: odd messages, the ends of a wait, wrong command lines, failures."""

import json
import os
import signal
import tempfile
import time

from harness import MsgQueue, PosixQueue, Running
from harness import expect, expect_match, new_queue, random_name, read_ledger, run, until
from harness import working

import messages

STRANGE = {
    "text": [
        b"",
        b"x",
        b"no id #x",
        b"far #123456789012345678901",
        b'quotes " and \\ and \n \r \t \x00 \x7f',
        "\u00a0\u07ff\u0800\uffff\U00010000\U0010ffff".encode(),
        b"\xff",
        b"\xc0\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"cut off \xe6\x97",
        b"z" * 8192,
    ],
    "json": [b"", b'{\n\r\t"id": -7}', b'"\xff"', b"[" + b"1," * 4094 + b"22]", b"null"],
    "struct": [
        b"",
        b"short",
        bytes(49),
        bytes(messages.Tick(id=-1, px=float("nan"), pos=(float("inf"), 0.1))),
        bytes(messages.Tick(id=-(2**31), px=1e300, at=2**64 - 1, flag=255, sym=b"\xff")),
    ],
}


def check_strange(command, kernel, format):
    """Whatever the bytes are, C and Python describe them with the same line of JSON."""
    with new_queue(kernel) as queue:
        wanted = messages.Totals("received", format, queue.tag_name)
        common = ["--format", format, "--count", len(STRANGE[format])]
        with Running(command, "recv", *queue.target, *common) as peer:
            for data in STRANGE[format]:
                queue.send(data)
            lines = peer.succeed()
        for line, data in zip(lines, STRANGE[format]):
            expect(line, json.loads(wanted.line(data, 1)))
        expect(lines[-1], json.loads(wanted.summary()))


def check_empty(command, kernel):
    """On System V an empty message is received by the wait itself."""
    with new_queue(kernel) as queue, tempfile.TemporaryDirectory() as directory:
        ledger = os.path.join(directory, "ledger")
        with working(command, queue, ledger) as peer:
            for data in (b"", b"one", b"", b"two", b"stop"):
                peer.until_asleep()
                queue.send(data)
            peer.succeed()
        expect([line["bytes"] for line in read_ledger(ledger)], [0, 3, 0, 3])


def check_timeout(command, kernel):
    with new_queue(kernel) as queue:
        started = time.monotonic()
        timed_out(command, queue, "recv", count=2, timeout_ms=300, reached=0)
        if time.monotonic() - started < 0.3:
            raise AssertionError("timed out too early")
        # The queue holds what fits, and then the sender gives up.
        fits = 10 if kernel == "mq" else 16384 // 48
        timed_out(command, queue, "send", count=1000, timeout_ms=100, reached=fits)
        # Zero takes what is there and never waits.
        timed_out(command, queue, "recv", count=1000, timeout_ms=0, reached=fits)


def timed_out(command, queue, mode, count, timeout_ms, reached):
    arguments = ["--format", "struct", "--count", count, "--timeout-ms", timeout_ms]
    with Running(command, mode, *queue.target, *arguments) as peer:
        code, lines, errors = peer.finish()
    expect((code, lines[-1]["count"]), (3, reached), errors)
    expect_match("timed out", errors)


def check_sigterm(command, kernel):
    # The first ones come about when the wait begins, the last ones long after.
    for delay in (0, 0, 0, 0.001, 0.003, 0.01, 0.03):
        with new_queue(kernel) as queue, working(command, queue) as peer:
            time.sleep(delay)
            peer.send_signal(signal.SIGTERM)
            expect(peer.succeed()[-1]["summary"], "received")


def check_sigterm_under_load(command, kernel):
    """A worker that always finds another message ends too, and what it did not take stays."""
    with new_queue(kernel) as queue, working(command, queue) as peer:
        peer.send_signal(signal.SIGSTOP)
        until(lambda: peer.state() == "T")
        for _ in range(10):
            queue.send(b"more")
        peer.send_signal(signal.SIGTERM)
        peer.send_signal(signal.SIGCONT)
        expect(peer.succeed()[-1]["count"] + queue.depth(), 10)


def check_stopped_and_continued(command, kernel):
    """SIGSTOP and SIGCONT interrupt some system calls; no message is lost by that."""
    with new_queue(kernel) as queue, working(command, queue) as peer:
        peer.until_asleep()
        peer.send_signal(signal.SIGSTOP)
        until(lambda: peer.state() == "T")
        peer.send_signal(signal.SIGCONT)
        queue.send(b"again")
        queue.send(b"stop")
        expect(peer.succeed()[-1]["count"], 1)


def check_removed(command, kernel):
    queue = MsgQueue()
    with working(command, queue) as peer:
        peer.until_asleep()
        queue.remove()
        code, _, errors = peer.finish()
    expect(code, 1, errors)
    if "sysv_ipc" not in errors:
        expect_match("msgrcv failed: ", errors)
        expect_match("(EIDRM): key", errors)


def check_sizes(command, kernel):
    name = random_name()
    common = ["send", "--queue", name, "--count", 1]
    run(command, *common, "--format", "struct", "--create", "--maxmsg", 3, "--msgsize", 48)
    try:
        with PosixQueue.open(name) as queue:
            expect(tuple(queue.attributes()), (3, 48, 1))
            expect(os.fstat(queue.fileno()).st_mode & 0o777, 0o600)
        # The greeting of this seed makes the message longer than 48 bytes.
        with Running(command, *common, "--format", "json", "--seed", 5) as peer:
            code, _, errors = peer.finish()
        expect(code, 1, errors)
        expect_match("mq_send failed: ", errors)
        expect_match(f"(EMSGSIZE): {name}", errors)
    finally:
        PosixQueue.unlink(name)


def check_failure(command, kernel):
    name = random_name()
    if kernel == "mq":
        target, call, subject = ["--queue", name], "mq_open", name
    else:
        target, call, subject = ["--key", "0xdeadbeef"], "msgget", "key 0xdeadbeef"
    with Running(command, "recv", *target, "--format", "text", "--count", 1) as peer:
        code, _, errors = peer.finish()
    expect(code, 1, errors)
    if "sysv_ipc" not in errors:
        expect_match(f"{call} failed: ", errors)
        expect_match(f"(ENOENT): {subject}", errors)


USAGE = {
    "mq": [
        "",
        "fetch",
        "recv --format text --count 1",
        "recv --queue /q --format text",
        "recv --queue /q --count 1",
        "recv --queue /q --format xml --count 1",
        "recv --queue /q --format text --count",
        "recv --queue /q --format text --count 0",
        "recv --queue /q --format text --count -1",
        "recv --queue /q --format text --count 1x",
        "recv --queue /q --format text --count +1",
        "recv --queue /q --format text --count 99999999999999999999",
        "recv --queue /q --format text --count 1 --timeout-ms 1.5",
        "recv --queue /q --format text --count 1 --seed 1",
        "recv --queue /q --format text --count 1 --key 1",
        "recv --queue /q --format text --count 1 --maxmsg 1",
        "recv --queue /q --format text --count 1 --priority cycles",
        "recv --queue /q --format text --count 1 more",
        "recv --queue /q --format text --count 1 --bogus",
        "send --queue /q --format text --count 1 --priority 32768",
        "send --queue /q --format text --count 1 --seed 4294967296",
        "stop --queue /q --format text --priority cycles",
        "worker --queue /q --format text",
    ],
    "msg": [
        "recv --format text --count 1",
        "recv --key 1 --id 1 --format text --count 1",
        "recv --key 0 --format text --count 1",
        "recv --key 0x --format text --count 1",
        "recv --key 0x100000000 --format text --count 1",
        "recv --id -1 --format text --count 1",
        "recv --id 1 --create --format text --count 1",
        "recv --key 1 --format text --count 1 --except",
        "recv --key 1 --format text --count 1 --type cycles",
        "send --key 1 --format text --count 1 --type 0",
        "send --key 1 --format text --count 1 --except",
    ],
}


def check_usage(command, kernel):
    for arguments in USAGE[kernel]:
        with Running(command, *arguments.split()) as peer:
            code, lines, errors = peer.finish()
        expect((code, lines, errors == ""), (2, [], False), f"{arguments}\n{errors}")
