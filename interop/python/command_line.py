"""The command line that mq-peer and msg-peer have too, in C."""

import argparse
import ctypes
import re

from messages import FORMATS

INT_MAX = 2**31 - 1
LONG_MAX = 2 ** (8 * ctypes.sizeof(ctypes.c_long) - 1) - 1


def number(least, most):
    def parse(text):
        # Decimal, or hexadecimal after 0x; int() alone takes spaces and more.
        if re.fullmatch("-?[0-9]+", text, re.ASCII):
            value = int(text)
        elif re.fullmatch("-?0[xX][0-9a-fA-F]+", text, re.ASCII):
            value = int(text, 16)
        else:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number from {least} to {most}, received '{text}'"
            )
        return value

    return parse


def number_or_cycles(least, most):
    parse = number(least, most)
    return lambda text: text if text == "cycles" else parse(text)


# As people write it, 0x1234, or signed as /proc/sysvipc/msg shows it.
key = number(-(2**31), 2**32 - 1)


def add_queue(parser, kernel):
    if kernel == "mq":
        parser.add_argument("--queue", required=True, metavar="/NAME")
        parser.add_argument("--maxmsg", type=number(1, INT_MAX), metavar="N")
        parser.add_argument("--msgsize", type=number(1, INT_MAX), metavar="N")
    else:
        target = parser.add_mutually_exclusive_group(required=True)
        target.add_argument("--key", type=key, metavar="0x1234")
        target.add_argument("--id", type=number(0, INT_MAX), metavar="N")
    parser.add_argument("--create", action="store_true")
    parser.add_argument("--unlink", action="store_true")
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument(
        "--timeout-ms", type=number(0, INT_MAX), metavar="T", help="for each message"
    )


def add_sent_tag(parser, kernel, kind):
    """The priority or type to send; `kind` is number or number_or_cycles."""
    if kernel == "mq":
        parser.add_argument("--priority", dest="tag", type=kind(0, 32767), default=0)
    else:
        parser.add_argument("--type", dest="tag", type=kind(1, LONG_MAX), default=1)


def add_wanted_type(parser, kernel):
    if kernel == "msg":
        parser.add_argument(
            "--type",
            dest="tag",
            type=number(-LONG_MAX - 1, LONG_MAX),
            default=0,
            help="0 for any, n for that one, -n for the lowest up to n",
        )
        parser.add_argument(
            "--except", dest="other", action="store_true", help="any type but the one of --type"
        )


def build_parser(program, kernel):
    parser = argparse.ArgumentParser(prog=program, allow_abbrev=False)
    modes = parser.add_subparsers(dest="mode", required=True, metavar="MODE")
    count = number(1, INT_MAX)

    def add(name, text):
        mode = modes.add_parser(name, help=text, allow_abbrev=False)
        add_queue(mode, kernel)
        return mode

    send = add("send", "send messages, and print a line for each")
    send.add_argument("--count", type=count, required=True, metavar="N")
    send.add_argument("--seed", type=number(0, 2**32 - 1), default=0)
    add_sent_tag(send, kernel, number_or_cycles)

    recv = add("recv", "receive messages, and print a line for each")
    recv.add_argument("--count", type=count, required=True, metavar="N")
    add_wanted_type(recv, kernel)

    worker = add("worker", "receive into a ledger until a stop message or SIGTERM")
    worker.add_argument("--ledger", required=True, metavar="FILE")
    add_wanted_type(worker, kernel)

    stop = add("stop", "send the message that ends a worker")
    stop.add_argument("--count", type=count, default=1, metavar="WORKERS")
    add_sent_tag(stop, kernel, number)
    return parser


def parse(program, kernel, arguments):
    parser = build_parser(program, kernel)
    options = parser.parse_args(arguments)
    if kernel == "mq":
        if (options.maxmsg or options.msgsize) and not options.create:
            parser.error("--maxmsg and --msgsize need --create")
    else:
        if options.key == 0:
            parser.error(
                "key 0 is IPC_PRIVATE, which no one else can open:"
                " expected --id for such a queue"
            )
        if options.create and options.key is None:
            parser.error("--create needs --key: the kernel chooses the id")
        if getattr(options, "other", False) and options.tag <= 0:
            parser.error("--except needs a --type above 0")
    return options
