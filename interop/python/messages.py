"""The messages that the peers send, and the JSON lines that tell what was sent and
received. A message is made of its number and the sender's seed alone, so that a
receiver can know what must have been sent. interop/c/message.c is the same in C.
"""

import ctypes
import json
import math
import re

from tick import Tick

FORMATS = ("text", "json", "struct")

# One to four bytes per character, left to right and right to left.
GREETINGS = ("grüße", "żółw", "привет", "日本語", "שלום", "🐧🚀")
# Empty to full: eight bytes leave no room for a NUL.
SYMBOLS = ("ACME", "EIGHTLEN", "日経", "")

STOP_TICK = -1


def make_message(format, seed, id):
    n = seed + id
    greeting = GREETINGS[n % len(GREETINGS)]
    if format == "text":
        return f"hello from python #{id} {greeting}".encode()
    if format == "json":
        price = n % 400 / 4
        return _dump({"id": id, "from": "python", "text": greeting, "price": price}).encode()
    tick = Tick(
        id=id,
        px=100 + n % 1000 / 8,
        sym=SYMBOLS[n % len(SYMBOLS)].encode(),
        at=1700000000000000000 + seed * 1000000000 + id,
        flag=n % 256,
        pos=(id % 1000 / 2, -1 - seed % 1000 / 4),
    )
    return bytes(tick)


def make_stop(format):
    """The message that ends a worker."""
    if format == "struct":
        return bytes(Tick(id=STOP_TICK))
    return b"stop" if format == "text" else b'"stop"'


def is_stop(data, format):
    if format == "struct":
        return find_id(data, format) == STOP_TICK
    return data == make_stop(format)


def find_id(data, format):
    if format == "struct":
        return _tick(data).id if _is_tick(data) else None
    mark = b"#" if format == "text" else b'"id":'
    # The first mark decides, as in C. Eighteen digits always fit there.
    rest = data.partition(mark)[2]
    found = re.match(rb" *(-?[0-9]{1,18})", rest)
    return int(found.group(1)) if found else None


def fnv1a64(data):
    """FNV-1a, 64 bits. It finds damage, not forgery."""
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return digest


class Totals:
    """What one peer has sent or received so far, `direction` being which."""

    def __init__(self, direction, format, tag_name):
        self.direction = direction
        self.format = format
        self.tag_name = tag_name
        self.count = 0
        self.bytes = 0
        self.digest = 0

    def line(self, data, tag):
        """Counts the message, and returns its line."""
        digest = fnv1a64(data)
        self.count += 1
        self.bytes += len(data)
        # A sum is the same in whatever order the messages came.
        self.digest = (self.digest + digest) & 0xFFFFFFFFFFFFFFFF
        name, body = _BODIES[self.format]
        fields = (
            ("direction", _dump(self.direction)),
            ("id", _dump(find_id(data, self.format))),
            (self.tag_name, _dump(tag)),
            ("format", _dump(self.format)),
            (name, body(data)),
            ("bytes", _dump(len(data))),
            ("fnv1a64", _dump(f"{digest:016x}")),
        )
        return "{" + ",".join(f'"{key}":{value}' for key, value in fields) + "}"

    def summary(self):
        return _dump(
            {
                "summary": self.direction,
                "count": self.count,
                "bytes": self.bytes,
                "fnv1a64_sum": f"{self.digest:016x}",
            }
        )


def _dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _json_body(data):
    """As it came, without parsing. In JSON a control character is white space or an
    error, and a line break would end our line."""
    return re.sub("[\x00-\x1f]", " ", _text(data) or "null")


def _is_tick(data):
    return len(data) == ctypes.sizeof(Tick)


def _tick(data):
    return Tick.from_buffer_copy(data)


def _number(value):
    return value if math.isfinite(value) else None


def _tick_body(data):
    if not _is_tick(data):
        return "null"
    tick = _tick(data)
    return _dump(
        {
            "id": tick.id,
            "px": _number(tick.px),
            "sym": _text(tick.sym),
            # As a string, since a reader in JavaScript would round the number.
            "at": str(tick.at),
            "flag": tick.flag,
            "pos": [_number(value) for value in tick.pos],
        }
    )


_BODIES = {
    "text": ("text", lambda data: _dump(_text(data))),
    "json": ("json", _json_body),
    "struct": ("tick", _tick_body),
}
