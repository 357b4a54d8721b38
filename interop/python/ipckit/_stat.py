"""What a queue tells of itself."""

import typing

from . import _library as c

_STATES = {1: "open", 2: "draining", 3: "stopped", 4: "corrupt"}


class Totals(typing.NamedTuple):
    """Counted since the queue was made."""

    put: int
    done: int  # settled, given up or cleared
    redelivered: int
    expired: int  # leases that ran out
    dead: int
    dropped: int  # dead letters for which there was no room, and what was cleared
    recoveries: int  # how often someone had to clear up behind a process that died inside a call


class Stat(typing.NamedTuple):
    """One look at a queue."""

    depth: int  # ready to get, delayed ones among them
    delayed: int
    in_flight: int  # held by someone and not yet settled
    dead_letters: int
    state: str  # open, draining, stopped or corrupt
    type: str  # the name of the codec; empty when it was made for any
    capacity: int
    capacity_bytes: int
    free_bytes: int
    max_message_bytes: int
    size_bytes: int  # of /dev/shm
    priorities: int
    max_deliveries: int  # 0: messages are never given up
    joinable: bool
    participants: int
    max_participants: int
    uid: int
    mode: int
    unlinked: bool
    created: float  # as time.time()
    totals: Totals


class Participant(typing.NamedTuple):
    """Someone who has the queue open."""

    pid: int  # as its own PID namespace has it
    name: str
    producer: bool
    consumer: bool
    leases: int
    since: float  # as time.time()
    alive: bool  # False for one that died and was not cleared up behind yet
    is_self: bool  # it is the handle that asks


def _text(data):
    return data.decode("utf-8", "replace")


def stat_of(s):
    return Stat(
        depth=s.depth,
        delayed=s.delayed,
        in_flight=s.in_flight,
        dead_letters=s.dead,
        state=_STATES.get(s.state, "unknown"),
        type=_text(s.type_name),
        capacity=s.capacity,
        capacity_bytes=s.capacity_bytes,
        free_bytes=s.free_bytes,
        max_message_bytes=s.max_message_bytes,
        size_bytes=s.size_bytes,
        priorities=s.priorities,
        max_deliveries=s.max_deliveries,
        joinable=s.flags & c.JOINABLE != 0,
        participants=s.participants,
        max_participants=s.max_participants,
        uid=s.owner,
        mode=s.mode,
        unlinked=s.unlinked != 0,
        created=s.created / 1e9,
        totals=Totals(
            put=s.total_put,
            done=s.total_done,
            redelivered=s.total_redelivered,
            expired=s.total_expired,
            dead=s.total_dead,
            dropped=s.total_dropped,
            recoveries=s.recoveries,
        ),
    )


def participant_of(p):
    return Participant(
        pid=p.pid,
        name=_text(p.name),
        producer=p.roles & c.PRODUCER != 0,
        consumer=p.roles & c.CONSUMER != 0,
        leases=p.leases,
        since=p.since / 1e9,
        alive=p.alive != 0,
        is_self=p.self != 0,
    )
