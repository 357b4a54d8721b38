// What mq-peer and msg-peer share: the command line, the loops that send and receive, and the way to fail. Each
// program brings the part that speaks to its kernel queue: the names that begin with own_ and queue_.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TIMEOUT = 3 };

/// The options as bits, so that a program and a mode can each say which ones they take.
enum option_bit {
  OPT_FORMAT = 1 << 0,
  OPT_COUNT = 1 << 1,
  OPT_SEED = 1 << 2,
  OPT_TIMEOUT = 1 << 3,
  OPT_LEDGER = 1 << 4,
  OPT_CREATE = 1 << 5,
  OPT_UNLINK = 1 << 6,
  OPT_QUEUE = 1 << 7,  // from here to OPT_MSGSIZE: mq-peer
  OPT_PRIORITY = 1 << 8,
  OPT_MAXMSG = 1 << 9,
  OPT_MSGSIZE = 1 << 10,
  OPT_KEY = 1 << 11,  // from here to OPT_EXCEPT: msg-peer
  OPT_ID = 1 << 12,
  OPT_TYPE = 1 << 13,
  OPT_EXCEPT = 1 << 14,
  OPT_HELP = 1 << 15,
};

enum mode { MODE_SEND, MODE_RECV, MODE_WORKER, MODE_STOP };

struct options {
  enum mode mode;
  enum format format;
  const char* queue;
  int key;
  int id;  // -1: the key says which queue
  bool create;
  bool unlink;
  long maxmsg;  // 0: as the system has it
  long msgsize;
  uint32_t count;
  uint32_t seed;
  long tag;        // the priority or type to send, the types to receive
  bool cycles;     // `tag` is the first of four that take turns
  bool except;     // any type but `tag`
  int timeout_ms;  // for each message; -1: for ever
  const char* ledger;
};

enum outcome { DONE, TIMED_OUT, STOPPED };

// ---- mq_peer.c and msg_peer.c bring these

extern const char own_name[];
/// "priority" or "type".
extern const char own_tag[];
extern const unsigned own_options;
extern const char own_usage[];

/// Opens the queue, or creates it, and exits when it cannot. A worker asks that SIGTERM end its waits with
/// STOPPED, however closely before the wait the signal comes.
void queue_open(const struct options* options);
/// Sends one message, and waits while the queue is full.
enum outcome queue_send(const struct options* options, const struct message* message);
/// Receives one message, and waits until one is there. It holds none while it waits, so that a peer which is killed
/// then has lost none. The bytes stay valid until the next call.
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
