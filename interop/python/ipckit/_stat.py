"""What queues, locks and their friends tell of themselves."""

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


class SyncStat(typing.NamedTuple):
    """One look at a lock or one of its friends."""

    kind: str  # lock, rlock, rwlock, semaphore, bounded semaphore, condition, event, barrier, value
    value: int  # semaphore: free permits; event: 1 when set; barrier: waiting; rwlock: readers
    limit: int  # semaphore: bound or first value; barrier: parties
    held: int  # lock: depth of recursion; semaphore: permits held; rwlock: 1 when exclusive
    holder_pid: int  # of the exclusive holder, as its own PID namespace has it; 0 for none
    held_since: float  # as time.time(); 0 for none
    waiters: int
    broken: bool  # barrier
    owner_died: bool  # the next holder will be told
    type: str  # of a value
    bytes: int  # of a value
    size_bytes: int  # of /dev/shm
    participants: int
    max_participants: int
    uid: int
    mode: int
    unlinked: bool
    created: float  # as time.time()
    recoveries: int  # how often someone had to clear up behind a process that died


class Participant(typing.NamedTuple):
    """Someone who has it open."""

    pid: int  # as its own PID namespace has it
    name: str
    producer: bool
    consumer: bool
    leases: int  # of messages, locks or permits
    since: float  # as time.time()
    alive: bool  # False for one that died and was not cleared up behind yet
    is_self: bool  # it is the handle that asks
    waiter: bool  # for a lock, a permit, a notice


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
        waiter=p.roles & c.WAITER != 0,
    )


def sync_stat_of(s):
    return SyncStat(
        kind=c.KINDS[s.kind] if s.kind < len(c.KINDS) else "unknown",
        value=s.value,
        limit=s.limit,
        held=s.held,
        holder_pid=s.holder_pid if s.holder_slot != c.NONE else 0,
        held_since=s.held_since / 1e9 if s.holder_slot != c.NONE else 0,
        waiters=s.waiters,
        broken=s.broken != 0,
        owner_died=s.owner_died != 0,
        type=_text(s.type_name),
        bytes=s.bytes,
        size_bytes=s.size_bytes,
        participants=s.participants,
        max_participants=s.max_participants,
        uid=s.owner,
        mode=s.mode,
        unlinked=s.unlinked != 0,
        created=s.created / 1e9,
        recoveries=s.recoveries,
    )
