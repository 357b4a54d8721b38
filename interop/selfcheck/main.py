"""Runs all checks, prints a line for each, and fails if one fails. Started by selfcheck.sh."""

import os
import subprocess
import sys
import tempfile
import traceback

import harness
from harness import expect

import edges
import kills
import messages
import pairs
import shared_queues


def checks_of_pair(kernel, peers, a, b):
    commands = (peers[a], peers[b])
    for format in messages.FORMATS:
        yield f"{a} sends {format} to {b}", pairs.check_pair, (*commands, kernel, format)
    if kernel == "mq":
        yield f"{b} receives {a}'s messages by priority", pairs.check_priorities, commands
    else:
        yield f"{b} receives {a}'s messages by type", pairs.check_types, commands
        if b != "sysv_ipc":
            yield f"{b} receives all types of {a} but one", pairs.check_except, commands
        if "sysv_ipc" not in (a, b):
            yield f"{a} sends to {b} by id", pairs.check_by_id, commands
    title = f"{b} uses and unlinks the queue that {a} creates"
    yield title, pairs.check_create_and_unlink, (*commands, kernel)
    yield f"{a} stops the worker {b}", pairs.check_stop, (*commands, kernel)


def checks_of_peer(kernel, peers, a):
    for format in messages.FORMATS:
        yield f"{a} describes strange {format}", edges.check_strange, (peers[a], kernel, format)
    for title, check in (
        ("receives empty messages", edges.check_empty),
        ("times out", edges.check_timeout),
        ("ends at SIGTERM", edges.check_sigterm),
        ("ends at SIGTERM while messages keep coming", edges.check_sigterm_under_load),
        ("goes on after SIGSTOP and SIGCONT", edges.check_stopped_and_continued),
        ("refuses a bad command line", edges.check_usage),
        ("tells why it failed", edges.check_failure),
    ):
        yield f"{a} {title}", check, (peers[a], kernel)
    if kernel == "mq":
        yield f"{a} creates a queue as asked", edges.check_sizes, (peers[a], kernel)
    else:
        yield f"{a} is told of a removed queue", edges.check_removed, (peers[a], kernel)
    title = (
        f"{kills.KILLS} waiting workers {a} are killed, none of {kills.MESSAGES} messages is lost"
    )
    stopper = peers["c" if a == "python" else "python"]
    yield title, kills.check_kill, (peers[a], stopper, kernel)


def all_checks(peers, build):
    """Yields (title, function, arguments)."""
    for kernel, own in peers.items():
        found = []
        for a in own:
            for b in own:
                found += checks_of_pair(kernel, own, a, b)
            found += checks_of_peer(kernel, own, a)
        title = "for comparison, receivers killed in a plain receive"
        found.append((title, kills.check_naive_kill, (kernel,)))
        for title, check, arguments in found:
            yield f"{kernel}: {title}", check, arguments
    yield from shared_queues.checks(build)
    yield "nothing is left behind", check_leftovers, ()


def check_leftovers():
    with open("/proc/sysvipc/msg") as file:
        expect(file.read().splitlines()[1:], [])
    with tempfile.TemporaryDirectory() as directory:
        # Seen in this mount namespace only.
        subprocess.run(["mount", "-t", "mqueue", "none", directory], check=True)
        try:
            expect(os.listdir(directory), [])
        finally:
            subprocess.run(["umount", directory], check=True)


def has_sysv_ipc():
    try:
        command = [harness.SYSTEM_PYTHON, "-c", "import sysv_ipc"]
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def main(build):
    peers = harness.peers(build)
    if not has_sysv_ipc():
        print("SKIPPED all with sysv_ipc, which is not installed: apt-get install python3-sysv-ipc")
        del peers["msg"]["sysv_ipc"]
    failed = 0
    for title, check, arguments in all_checks(peers, build):
        try:
            remark = check(*arguments)
            print(f"ok     {title}{': ' + remark if remark else ''}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {title}\n{traceback.format_exc()}", flush=True)
    print(f"{failed} checks failed" if failed else "all is well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
