"""How a waiting peer is ended: by a deadline, or by SIGTERM."""

import contextlib
import os
import signal
import threading
import time

# A signal ends a system call that already waits. One that comes just before the
# call begins is missed, so signals are sent again and again, this often.
REPEAT_SECONDS = 0.02


class TimedOut(Exception):
    pass


class Stopped(Exception):
    pass


class Deadline:
    def __init__(self, timeout_ms):
        self._end = None
        if timeout_ms is not None:
            self._end = time.monotonic() + timeout_ms / 1000

    def left_ms(self):
        """What is left, never below 0; None when the deadline is never."""
        if self._end is None:
            return None
        return max(0, (self._end - time.monotonic()) * 1000)

    def check(self):
        if self.left_ms() == 0:
            raise TimedOut

    @contextlib.contextmanager
    def ticking(self):
        """From the deadline on, system calls are interrupted until the block ends."""
        left = self.left_ms()
        if left:
            signal.setitimer(signal.ITIMER_REAL, left / 1000, REPEAT_SECONDS)
        try:
            yield
        finally:
            if left:
                signal.setitimer(signal.ITIMER_REAL, 0)


class Stop:
    """SIGTERM as a flag, as a descriptor to poll, and as repeated interruptions of
    whatever system call the main thread is in."""

    def __init__(self):
        self.requested = False
        self._seen = threading.Event()
        self._thread = None
        self.fd, self._write_end = os.pipe()

    def listen(self):
        # Blocked before the thread starts, which inherits that: sigwait has it then.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self._thread = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), daemon=True
        )
        self._thread.start()

    def _watch(self, main_thread):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        signal.sigwait({signal.SIGTERM})
        self.requested = True
        os.write(self._write_end, b"!")
        while not self._seen.wait(REPEAT_SECONDS):
            signal.pthread_kill(main_thread, signal.SIGALRM)

    def check(self):
        if self.requested:
            # No interruption may come later, when Python has no handler any more.
            self._seen.set()
            self._thread.join()
            raise Stopped


def prepare_signals():
    # The handler does nothing: that the call was interrupted is all we want.
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
