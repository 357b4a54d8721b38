"""One peer sends, another one receives: what arrives, and in which order."""

import json
import os
import random
import tempfile

from harness import Running, SysvQueue
from harness import expect, expect_match, new_queue, random_name, read_ledger, run
from harness import without_direction

import messages


def check_pair(sender, receiver, kernel, format):
    # More messages than fit into the queue, so that both of them have to wait.
    count, seed = 40, random.getrandbits(32)
    with new_queue(kernel) as queue:
        common = [*queue.target, "--format", format, "--count", count]
        with Running(receiver, "recv", *common) as peer:
            sent = run(sender, "send", *common, "--seed", seed)
            received = peer.succeed()
    sent_summary, received_summary = sent.pop(), received.pop()
    expect(without_direction(received), without_direction(sent))
    expect(sent_summary.pop("summary"), "sent")
    expect(received_summary.pop("summary"), "received")
    expect(received_summary, sent_summary)
    expect([line["id"] for line in received], list(range(count)))
    for line in received:
        check_content(line, format, seed)


def check_content(line, format, seed):
    """What a message must hold is known from its number and the seed, but for the language."""
    data = messages.make_message(format, seed, line["id"])
    wanted = json.loads(messages.Totals("", format, "").line(data, 0))
    if format == "text":
        expect(line["text"].replace("from c #", "from python #"), wanted["text"])
    elif format == "json":
        expect({**line["json"], "from": "python"}, wanted["json"])
    else:
        expect((line["tick"], line["fnv1a64"]), (wanted["tick"], wanted["fnv1a64"]))


def received_ids(receiver, queue, count, *selection):
    arguments = ["--format", "text", "--count", count, "--timeout-ms", 10000, *selection]
    lines = run(receiver, "recv", *queue.target, *arguments)
    return [line["id"] for line in lines[:-1]]


def send_cycles(sender, queue, option):
    run(sender, "send", *queue.target, "--format", "text", "--count", 8, option, "cycles")


def check_priorities(sender, receiver):
    with new_queue("mq") as queue:
        send_cycles(sender, queue, "--priority")
        expect(received_ids(receiver, queue, 8), [3, 7, 2, 6, 1, 5, 0, 4])


def check_types(sender, receiver):
    with new_queue("msg") as queue:
        send_cycles(sender, queue, "--type")  # the types are 1 2 3 4 1 2 3 4
        expect(received_ids(receiver, queue, 1, "--type", 3), [2])
        expect(received_ids(receiver, queue, 3, "--type", -2), [0, 4, 1])
        expect(received_ids(receiver, queue, 4), [3, 5, 6, 7])


def check_except(sender, receiver):
    with new_queue("msg") as queue:
        send_cycles(sender, queue, "--type")
        expect(received_ids(receiver, queue, 6, "--type", 2, "--except"), [0, 2, 3, 4, 6, 7])
        expect(received_ids(receiver, queue, 2), [1, 5])


def check_by_id(sender, receiver):
    queue = SysvQueue.create()  # IPC_PRIVATE: it has no key
    try:
        common = ["--id", queue.id, "--format", "json", "--count", 3]
        run(sender, "send", *common)
        expect(run(receiver, "recv", *common)[-1]["count"], 3)
    finally:
        queue.remove()


def check_create_and_unlink(creator, other, kernel):
    target = ["--queue", random_name()] if kernel == "mq" else ["--key", "0x70eed"]
    common = [*target, "--format", "text", "--count", 1]
    run(creator, "send", *common, "--create")
    try:
        with Running(other, "send", *common, "--create") as peer:
            code, _, errors = peer.finish()
        expect(code, 1, errors)
        if "sysv_ipc" not in errors:
            expect_match("EEXIST", errors)
    finally:
        run(other, "recv", *common, "--unlink")
    with Running(creator, "recv", *common) as peer:
        code, _, errors = peer.finish()
    expect(code, 1, errors)


def check_stop(stopper, worker, kernel):
    for format in messages.FORMATS:
        with new_queue(kernel) as queue, tempfile.TemporaryDirectory() as directory:
            ledger = os.path.join(directory, "ledger")
            common = [*queue.target, "--format", format]
            with Running(worker, "worker", *common, "--ledger", ledger) as peer:
                peer.next_line()
                sent = run(stopper, "send", *common, "--count", 5)
                run(stopper, "stop", *common)
                summary = peer.succeed()[-1]
            expect(without_direction(read_ledger(ledger)), without_direction(sent[:-1]))
            expect({**summary, "summary": "sent"}, sent[-1])
