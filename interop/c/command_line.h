// The command line of mq-peer and msg-peer; interop/python/command_line.py is the same in Python.
#pragma once

#include <stdbool.h>
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
  long maxmsg;  // 0: not given
  long msgsize;
  uint32_t count;
  uint32_t seed;
  long tag;        // the priority or type to send, the types to receive
  bool cycles;     // `tag` is the first of four that take turns
  bool except;     // any type but `tag`
  int timeout_ms;  // for each message; -1: for ever
  const char* ledger;
};

/// Exits with EXIT_USAGE, or after --help with EXIT_OK, instead of returning nonsense.
struct options parse_command_line(int argc, char* argv[]);

// ---- mq_peer.c and msg_peer.c bring these

extern const char own_name[];
/// "priority" or "type".
extern const char own_tag[];
extern const unsigned own_options;
extern const char own_usage[];
