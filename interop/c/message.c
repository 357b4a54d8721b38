// Makes the messages and describes them. The receiver has no JSON parser and needs none: it prints the JSON
// it got.
#include "message.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tick.h"

const char* const format_names[3] = {"text", "json", "struct"};

// One to four bytes per character, left to right and right to left.
static const char* const greetings[] = {"grüße", "żółw", "привет", "日本語", "שלום", "🐧🚀"};
// Empty to full: eight bytes leave no room for a NUL.
static const char* const symbols[] = {"ACME", "EIGHTLEN", "日経", ""};

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void put_tick(char bytes[MESSAGE_MAX], uint32_t seed, uint32_t id) {
  const uint64_t n = (uint64_t)seed + id;
  const char* symbol = symbols[n % LENGTH(symbols)];
  struct ipckit_tick tick;
  memset(&tick, 0, sizeof tick);  // the padding too: it is part of the digest
  tick.id = (int32_t)id;
  tick.px = 100 + (double)(n % 1000) / 8;
  memcpy(tick.sym, symbol, strlen(symbol));
  tick.at = UINT64_C(1700000000000000000) + seed * UINT64_C(1000000000) + id;
  tick.flag = (uint8_t)(n % 256);
  tick.pos[0] = (float)(id % 1000) / 2;
  tick.pos[1] = -1 - (float)(seed % 1000) / 4;
  memcpy(bytes, &tick, sizeof tick);
}

size_t make_message(char bytes[MESSAGE_MAX], enum format format, uint32_t seed, uint32_t id) {
  const uint64_t n = (uint64_t)seed + id;
  const char* greeting = greetings[n % LENGTH(greetings)];
  switch (format) {
    case FORMAT_TEXT:
      return (size_t)snprintf(bytes, MESSAGE_MAX, "hello from c #%" PRIu32 " %s", id, greeting);
    case FORMAT_JSON:
      return (size_t)snprintf(bytes, MESSAGE_MAX,
                              "{\"id\":%" PRIu32 ",\"from\":\"c\",\"text\":\"%s\",\"price\":%g}", id,
                              greeting, (double)(n % 400) / 4);
    case FORMAT_STRUCT:
      put_tick(bytes, seed, id);
      return sizeof(struct ipckit_tick);
  }
  abort();
}

size_t make_stop(char bytes[MESSAGE_MAX], enum format format) {
  if (format == FORMAT_STRUCT) {
    const struct ipckit_tick tick = {.id = -1};
    memset(bytes, 0, sizeof tick);
    memcpy(bytes, &tick.id, sizeof tick.id);
    return sizeof tick;
  }
  return (size_t)snprintf(bytes, MESSAGE_MAX, "%s", format == FORMAT_TEXT ? "stop" : "\"stop\"");
}

bool is_stop(const struct message* message, enum format format) {
  char stop[MESSAGE_MAX];
  const size_t size = make_stop(stop, format);
  // Of a tick the id alone decides.
  return message->size == size &&
         memcmp(message->bytes, stop, format == FORMAT_STRUCT ? sizeof(int32_t) : size) == 0;
}

uint64_t fnv1a64(const char* bytes, size_t size) {
  uint64_t digest = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < size; i++) digest = (digest ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
  return digest;
}

/// The number that follows the first `mark` in the message: its id, when a peer of ours made it.
static bool number_after(const struct message* message, const char* mark, int64_t* number) {
  const char* end = message->bytes + message->size;
  const char* at = memmem(message->bytes, message->size, mark, strlen(mark));
  if (at == NULL) return false;
  at += strlen(mark);
  while (at < end && *at == ' ') at++;
  const bool negative = at < end && *at == '-';
  if (negative) at++;
  int digits = 0;
  int64_t value = 0;
  // Eighteen digits always fit.
  for (; at < end && *at >= '0' && *at <= '9' && digits < 18; at++, digits++)
    value = value * 10 + (*at - '0');
  *number = negative ? -value : value;
  return digits > 0;
}

/// The length of the UTF-8 sequence at `at`, or 0 when it is none (RFC 3629: no surrogates, nothing
/// overlong).
static size_t sequence_length(const unsigned char* at, size_t left) {
  const unsigned char first = at[0];
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || left < length) return 0;
  for (size_t i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
  }
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return at[1] < low || at[1] > high ? 0 : length;
}

static bool is_utf8(const char* bytes, size_t size) {
  for (size_t i = 0; i < size;) {
    const size_t length = sequence_length((const unsigned char*)bytes + i, size - i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

static void print_string(FILE* out, const char* bytes, size_t size) {
  if (!is_utf8(bytes, size)) {
    fputs("null", out);
    return;
  }
  fputc('"', out);
  for (size_t i = 0; i < size; i++) {
    const unsigned char byte = (unsigned char)bytes[i];
    if (byte == '"' || byte == '\\') fputc('\\', out);
    if (byte < 0x20) {
      fprintf(out, "\\u%04x", byte);
    } else {
      fputc(byte, out);
    }
  }
  fputc('"', out);
}

static void print_number(FILE* out, double number) {
  if (isfinite(number)) {
    fprintf(out, "%.17g", number);  // 17 digits name every double, and every float as a double
  } else {
    fputs("null", out);
  }
}

static void print_json(FILE* out, const struct message* message) {
  if (message->size == 0 || !is_utf8(message->bytes, message->size)) {
    fputs("null", out);
    return;
  }
  // In JSON a control character is white space or an error, and a line break would end our line.
  for (size_t i = 0; i < message->size; i++) {
    const unsigned char byte = (unsigned char)message->bytes[i];
    fputc(byte < 0x20 ? ' ' : byte, out);
  }
}

static void print_tick(FILE* out, const struct message* message) {
  struct ipckit_tick tick;
  if (message->size != sizeof tick) {
    fputs("null", out);
    return;
  }
  memcpy(&tick, message->bytes, sizeof tick);
  fprintf(out, "{\"id\":%" PRId32 ",\"px\":", tick.id);
  print_number(out, tick.px);
  fputs(",\"sym\":", out);
  print_string(out, tick.sym, strnlen(tick.sym, sizeof tick.sym));
  // As a string, since a reader in JavaScript would round the number.
  fprintf(out, ",\"at\":\"%" PRIu64 "\",\"flag\":%u,\"pos\":[", tick.at, tick.flag);
  print_number(out, tick.pos[0]);
  fputc(',', out);
  print_number(out, tick.pos[1]);
  fputs("]}", out);
}

static bool find_id(const struct message* message, enum format format, int64_t* id) {
  if (format == FORMAT_TEXT) return number_after(message, "#", id);
  if (format == FORMAT_JSON) return number_after(message, "\"id\":", id);
  struct ipckit_tick tick;
  if (message->size != sizeof tick) return false;
  memcpy(&tick, message->bytes, sizeof tick);
  *id = tick.id;
  return true;
}

static void print_id(FILE* out, const struct message* message, enum format format) {
  int64_t id;
  if (find_id(message, format, &id)) {
    fprintf(out, "%" PRId64, id);
  } else {
    fputs("null", out);
  }
}

/// A stream into memory. It fails only when memory is short, and then nothing sensible is left to do.
static FILE* open_line(char** line, size_t* size) {
  FILE* out = open_memstream(line, size);
  if (out == NULL) abort();
  return out;
}

char* message_line(struct totals* totals, const struct message* message, enum format format,
                   const char* direction, const char* tag_name) {
  const uint64_t digest = fnv1a64(message->bytes, message->size);
  totals->count++;
  totals->bytes += message->size;
  totals->digest += digest;

  char* line;
  size_t size;
  FILE* out = open_line(&line, &size);
  fprintf(out, "{\"direction\":\"%s\",\"id\":", direction);
  print_id(out, message, format);
  fprintf(out, ",\"%s\":%ld,\"format\":\"%s\",", tag_name, message->tag, format_names[format]);
  switch (format) {
    case FORMAT_TEXT:
      fputs("\"text\":", out);
      print_string(out, message->bytes, message->size);
      break;
    case FORMAT_JSON:
      fputs("\"json\":", out);
      print_json(out, message);
      break;
    case FORMAT_STRUCT:
      fputs("\"tick\":", out);
      print_tick(out, message);
      break;
  }
  fprintf(out, ",\"bytes\":%zu,\"fnv1a64\":\"%016" PRIx64 "\"}\n", message->size, digest);
  if (fclose(out) != 0) abort();
  return line;
}

char* summary_line(const struct totals* totals, const char* direction) {
  char* line;
  size_t size;
  FILE* out = open_line(&line, &size);
  fprintf(out,
          "{\"summary\":\"%s\",\"count\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"fnv1a64_sum\":\"%016" PRIx64
          "\"}\n",
          direction, totals->count, totals->bytes, totals->digest);
  if (fclose(out) != 0) abort();
  return line;
}
