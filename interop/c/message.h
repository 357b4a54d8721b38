// The messages that the peers send, and the JSON lines that tell what was sent and received. A message is
// made of its number and the sender's seed alone, so that a receiver can know what must have been sent.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_STRUCT };

/// The names of the formats, in the order of the enumeration.
extern const char* const format_names[3];

struct message {
  const char* bytes;
  size_t size;
  /// The priority of a POSIX message, the type of a System V one.
  long tag;
};

/// No message that we make is longer.
enum { MESSAGE_MAX = 256 };

/// Writes message number `id` into `bytes` and returns its size.
size_t make_message(char bytes[MESSAGE_MAX], enum format format, uint32_t seed, uint32_t id);

/// The message that ends a worker: the text stop, the JSON string "stop", a tick whose id is -1.
size_t make_stop(char bytes[MESSAGE_MAX], enum format format);
bool is_stop(const struct message* message, enum format format);

struct totals {
  uint64_t count;
  uint64_t bytes;
  /// The digests added up, modulo 2^64: the same for sender and receiver in whatever order the messages came.
  uint64_t digest;
};

/// Adds the message to `totals` and returns its line, ended by a newline, to be freed by the caller.
/// `direction` is "sent" or "received", `tag_name` "priority" or "type".
char* message_line(struct totals* totals, const struct message* message, enum format format,
                   const char* direction, const char* tag_name);
char* summary_line(const struct totals* totals, const char* direction);

/// FNV-1a, 64 bits. It finds damage, not forgery.
uint64_t fnv1a64(const char* bytes, size_t size);
