"""The structures and functions of libipckit, as include/ipckit/*.h have them."""

from ctypes import (
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)


class QueueOptions(Structure):
    _fields_ = [
        ("directory", c_char_p),
        ("capacity", c_uint32),
        ("dead_capacity", c_uint32),
        ("capacity_bytes", c_uint64),
        ("max_message_bytes", c_uint64),
        ("block_bytes", c_uint32),
        ("copy_outside_bytes", c_uint32),
        ("priorities", c_uint32),
        ("participants", c_uint32),
        ("max_deliveries", c_uint32),
        ("mode", c_uint32),
        ("flags", c_uint32),
        ("prefetch", c_uint32),
        ("fingerprint", c_uint64),
        ("type_name", c_char_p),
        ("participant", c_char_p),
    ]


class Refusal(Structure):
    _fields_ = [
        ("fingerprint", c_uint64),
        ("type_name", c_char * 128),
        ("version", c_uint32),
        ("owner", c_uint32),
        ("mode", c_uint32),
        ("links", c_uint32),
        ("size_bytes", c_uint64),
        ("bytes", c_uint64),
        ("kind", c_uint32),
        ("unused", c_uint32),
    ]


class Token(Structure):
    _fields_ = [("truth", c_uint64), ("seq", c_uint64), ("cell", c_uint32), ("epoch", c_uint32)]


class Message(Structure):
    _fields_ = [
        ("offset", c_uint64),
        ("length", c_uint64),
        ("seq", c_uint64),
        ("priority", c_uint32),
        ("delivery_count", c_uint32),
        ("redelivered", c_uint32),
        ("reason", c_uint32),
        ("token", Token),
    ]


class QueueStat(Structure):
    _fields_ = [
        ("id", c_uint64 * 2),
        ("depth", c_uint64),
        ("delayed", c_uint64),
        ("in_flight", c_uint64),
        ("dead", c_uint64),
        ("total_put", c_uint64),
        ("total_done", c_uint64),
        ("total_redelivered", c_uint64),
        ("total_expired", c_uint64),
        ("total_dead", c_uint64),
        ("total_dropped", c_uint64),
        ("recoveries", c_uint64),
        ("capacity", c_uint64),
        ("capacity_bytes", c_uint64),
        ("free_bytes", c_uint64),
        ("max_message_bytes", c_uint64),
        ("size_bytes", c_uint64),
        ("created", c_uint64),
        ("fingerprint", c_uint64),
        ("type_name", c_char * 128),
        ("dead_capacity", c_uint32),
        ("priorities", c_uint32),
        ("max_deliveries", c_uint32),
        ("state", c_uint32),
        ("flags", c_uint32),
        ("participants", c_uint32),
        ("max_participants", c_uint32),
        ("owner", c_uint32),
        ("mode", c_uint32),
        ("unlinked", c_uint32),
    ]


class ParticipantEntry(Structure):
    _fields_ = [
        ("slot", c_uint32),
        ("pid", c_uint32),
        ("roles", c_uint32),
        ("leases", c_uint32),
        ("since", c_uint64),
        ("alive", c_uint32),
        ("self", c_uint32),
        ("name", c_char * 32),
    ]


class SyncOptions(Structure):
    _fields_ = [
        ("directory", c_char_p),
        ("kind", c_uint32),
        ("value", c_uint32),
        ("bytes", c_uint64),
        ("fingerprint", c_uint64),
        ("type_name", c_char_p),
        ("initial", c_void_p),
        ("participants", c_uint32),
        ("waiters", c_uint32),
        ("mode", c_uint32),
        ("flags", c_uint32),
        ("participant", c_char_p),
    ]


class Wait(Structure):
    _fields_ = [
        ("operation", c_uint32),
        ("count", c_uint32),
        ("agent", c_uint64),
        ("owner_died", c_uint32),
        ("dead_pid", c_uint32),
        ("index", c_uint32),
        ("state", c_uint32),
        ("dead_name", c_char * 32),
        ("own", c_uint64 * 6),
    ]


class SyncStat(Structure):
    _fields_ = [
        ("id", c_uint64 * 2),
        ("created", c_uint64),
        ("size_bytes", c_uint64),
        ("fingerprint", c_uint64),
        ("bytes", c_uint64),
        ("type_name", c_char * 128),
        ("kind", c_uint32),
        ("value", c_uint32),
        ("limit", c_uint32),
        ("held", c_uint32),
        ("holder_slot", c_uint32),
        ("holder_pid", c_uint32),
        ("held_since", c_uint64),
        ("waiters", c_uint32),
        ("broken", c_uint32),
        ("owner_died", c_uint32),
        ("participants", c_uint32),
        ("max_participants", c_uint32),
        ("owner", c_uint32),
        ("mode", c_uint32),
        ("unlinked", c_uint32),
        ("recoveries", c_uint64),
    ]


# The structures by their names in C, so that a test can compare their sizes.
QUEUE_STRUCTURES = {
    "ipckit_queue_options_t": QueueOptions,
    "ipckit_refusal_t": Refusal,
    "ipckit_token_t": Token,
    "ipckit_message_t": Message,
    "ipckit_queue_stat_t": QueueStat,
    "ipckit_participant_t": ParticipantEntry,
}
SYNC_STRUCTURES = {
    "ipckit_sync_options_t": SyncOptions,
    "ipckit_wait_t": Wait,
    "ipckit_sync_stat_t": SyncStat,
}

_open_queue = (c_int, c_char_p, POINTER(QueueOptions), POINTER(Refusal), POINTER(c_void_p))
_take = (c_void_p, c_void_p, c_size_t, POINTER(Message))
_open_sync = (c_int, c_char_p, POINTER(SyncOptions), POINTER(Refusal), POINTER(c_void_p))
_wait = (c_int, c_void_p, POINTER(Wait))
_settle = (c_int, c_void_p, POINTER(Token))
# Result, then arguments.
FUNCTIONS = {
    "ipckit_version": (c_char_p,),
    "ipckit_strerror": (c_char_p, c_int),
    "ipckit_error_name": (c_char_p, c_int),
    "ipckit_fingerprint": (c_uint64, c_char_p),
    "ipckit_queue_create": _open_queue,
    "ipckit_queue_open": _open_queue,
    "ipckit_queue_open_or_create": _open_queue,
    "ipckit_queue_close": (c_int, c_void_p),
    "ipckit_queue_unlink": (c_int, c_char_p, c_char_p),
    "ipckit_queue_put": (c_int, c_void_p, c_void_p, c_size_t, c_uint32, c_int64),
    "ipckit_queue_get": (c_int64, *_take, c_int64),
    "ipckit_queue_lease": (c_int64, *_take, c_int64, c_int64),
    "ipckit_queue_peek": (c_int64, *_take),
    "ipckit_queue_get_dead": (c_int64, *_take),
    "ipckit_queue_ack": _settle,
    "ipckit_queue_reject": _settle,
    "ipckit_queue_nack": (*_settle, c_int64),
    "ipckit_queue_extend": (*_settle, c_int64),
    "ipckit_queue_task_done": (c_int, c_void_p),
    "ipckit_queue_join": (c_int, c_void_p, c_int64),
    "ipckit_queue_shutdown": (c_int, c_void_p, c_int),
    "ipckit_queue_clear": (c_int64, c_void_p),
    "ipckit_queue_stat": (c_int, c_void_p, POINTER(QueueStat)),
    "ipckit_queue_is_unlinked": (c_int, c_void_p),
    "ipckit_queue_participants": (c_int, c_void_p, POINTER(ParticipantEntry), c_size_t),
    "ipckit_sync_create": _open_sync,
    "ipckit_sync_open": _open_sync,
    "ipckit_sync_open_or_create": _open_sync,
    "ipckit_sync_close": (c_int, c_void_p),
    "ipckit_sync_unlink": (c_int, c_char_p, c_char_p),
    "ipckit_sync_is_unlinked": (c_int, c_void_p),
    "ipckit_sync_begin": _wait,
    "ipckit_sync_sleep": (*_wait, c_int64),
    "ipckit_sync_cancel": _wait,
    "ipckit_sync_release": (c_int, c_void_p, c_uint64, c_uint32),
    "ipckit_sync_release_shared": (c_int, c_void_p),
    "ipckit_event_set": (c_int, c_void_p),
    "ipckit_event_clear": (c_int, c_void_p),
    "ipckit_event_is_set": (c_int, c_void_p),
    "ipckit_condition_notify": (c_int, c_void_p, c_uint32),
    "ipckit_barrier_action_done": _wait,
    "ipckit_barrier_abort": (c_int, c_void_p),
    "ipckit_barrier_reset": (c_int, c_void_p),
    "ipckit_value_bytes": (c_void_p, c_void_p, POINTER(c_size_t)),
    "ipckit_sync_look": (c_int, c_char_p, c_char_p, POINTER(SyncStat)),
    "ipckit_sync_holds": (c_int64, c_void_p, c_uint64),
    "ipckit_sync_stat": (c_int, c_void_p, POINTER(SyncStat)),
    "ipckit_sync_participants": (c_int, c_void_p, POINTER(ParticipantEntry), c_size_t),
}
