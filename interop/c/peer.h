// What mq-peer and msg-peer share: the loops that send and receive, deadlines, and the way to fail. Each
// program brings the part that speaks to its kernel queue.
#pragma once

#include <stdint.h>

#include "command_line.h"
#include "message.h"

enum outcome { DONE, TIMED_OUT, STOPPED };

// ---- mq_peer.c and msg_peer.c bring these

/// Opens the queue, or creates it, and exits when it cannot. For a worker it makes SIGTERM end a wait with
/// STOPPED, however shortly before the wait the signal comes.
void queue_open(const struct options* options);
/// Sends one message, and waits while the queue is full.
enum outcome queue_send(const struct options* options, const struct message* message);
/// Receives one message, and waits until one is there. It holds none while it waits, so that a peer which is
/// killed then has lost none. The bytes stay valid until the next call.
enum outcome queue_receive(const struct options* options, struct message* message);
/// Removes the queue for everyone.
void queue_unlink(const struct options* options);

// ---- peer.c brings these

/// Says which system call failed on what and why, by errno, and exits.
_Noreturn void fail(const char* call, const char* subject);

/// Where a wait ends, in milliseconds of a clock that no one sets; -1 is never.
int64_t deadline_after(int timeout_ms);
/// What is left, never below 0; -1 when the deadline is never.
int time_left_ms(int64_t deadline);
