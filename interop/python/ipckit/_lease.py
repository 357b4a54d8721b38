"""A message that is worked on."""

from . import _library as c
from ._deadline import nanoseconds
from .errors import StaleError, failure


class Lease:
    """One delivery of one message. Settle it once: ack() when the work is done, nack() to have it
    delivered again, reject() to give it up. When its holder dies, closes the queue or lets the
    lease run out, it is delivered again, and this delivery is over: settling it then raises
    StaleError and changes nothing.

        with jobs.lease(lease_seconds=30) as lease:
            work(lease.value)
            lease.ack()  # without this, the end of the block gives it back
    """

    def __init__(self, handle, value, message):
        self.value = value
        self.priority = message.priority
        self.delivery_count = message.delivery_count
        self.redelivered = message.redelivered != 0
        self._handle = handle
        self._token = message.token
        self._settled = False

    @property
    def settled(self):
        """It was settled here, or found to be over."""
        return self._settled

    def ack(self):
        """The work is done: the message leaves the queue."""
        self._settle("acknowledge a message of", self._handle.library.ipckit_queue_ack)

    def nack(self, delay=0):
        """Gives the message back, to be delivered again at its old place, after `delay` seconds."""
        delay = nanoseconds("delay", delay)
        self._settle("give back a message of", self._handle.library.ipckit_queue_nack, delay)

    def reject(self):
        """Gives the message up: it becomes a dead letter, where the queue keeps those."""
        self._settle("reject a message of", self._handle.library.ipckit_queue_reject)

    def extend(self, seconds):
        """The lease ends so many seconds from now; 0: it has no end."""
        seconds = nanoseconds("seconds", seconds)
        self._change(
            "extend the lease of a message of", self._handle.library.ipckit_queue_extend, seconds
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        handle = self._handle
        if self._settled or handle.closed or handle.forked:
            return
        try:
            self.nack()
        except StaleError:
            pass  # it ran out, so it has been given back already

    def _settle(self, action, function, *arguments):
        self._change(action, function, *arguments)
        self._settled = True

    def _change(self, action, function, *arguments):
        self._handle.check(action)
        if self._settled:
            raise failure(c.E_STALE, action, self._handle.name)
        result = self._handle.call(action, function, self._token, *arguments)
        if result == c.E_STALE:
            self._settled = True
        if result < 0:
            raise failure(result, action, self._handle.name)

    def __repr__(self):
        again = f", delivery {self.delivery_count}" if self.redelivered else ""
        return f"<Lease of {self.value!r}{again}{', settled' if self._settled else ''}>"
