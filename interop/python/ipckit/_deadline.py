"""Times: seconds as people say them, nanoseconds as the library takes them."""

import math
import time

# No call into the library waits longer: Ctrl-C and close() are noticed between two of them.
SLICE_NS = 100_000_000

_LONGEST = 2**31 - 1


def nanoseconds(name, seconds):
    """Seconds as the library takes them; above 0 stays above 0."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"Expected seconds for `{name}`, received {type(seconds).__name__}")
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(f"Expected 0 to {_LONGEST} seconds for `{name}`, received {seconds}")
    return math.ceil(seconds * 1e9)


class Deadline:
    """The end of a wait, and how long the next call into the library may last."""

    def __init__(self, block, timeout):
        if not block:
            self._end = 0
        elif timeout is None:
            self._end = None
        elif timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        else:
            self._end = time.monotonic() + nanoseconds("timeout", timeout) / 1e9

    def next_slice(self):
        if self._end is None:
            return SLICE_NS
        left = self._end - time.monotonic() if self._end else 0
        return min(SLICE_NS, max(0, int(left * 1e9)))

    def passed(self):
        return self._end is not None and time.monotonic() >= self._end
