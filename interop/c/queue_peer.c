// The other side of a queue in shared memory, in C, for tests: it does what it is told on standard input, a
// line at a time, and answers each with a line of JSON.
//
//   queue-peer open|create|join NAME TYPE     (join: create it joinable)
//   queue-peer sizes                          (of the structures in ipckit/queue.h)
//
//   put ID SIZE PRIORITY [MS]   get [MS]   lease [MS [LEASE_MS]]   ack   nack [MS]   reject   extend MS
//   send COUNT SIZE   receive COUNT   done   wait [MS]   shutdown drain|immediate   clear   qsize   close
//
// MS is how long to wait at most, 0 unless told. TYPE is json, raw, text or the name of a struct, whose
// messages are those of `make`. An answer is {"error":"EMPTY"} or what was put or got: its id, its length and
// the FNV-1a digest of its bytes.
#include <errno.h>
#include <inttypes.h>
#include <ipckit/queue.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK "struct{id:i32,px:f64,sym:char[8]}"

struct tick {
  int32_t id;
  double px;
  char sym[8];
};

enum { MOST = 4 << 20 };
static uint8_t data[MOST];
static char line[256];
static const char* type;
static ipckit_queue_t* queue;
static ipckit_message_t leased;

static uint64_t digest(const uint8_t* bytes, size_t length) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}

/// Message `id`, filled up to about `size` bytes. Returns its length.
static size_t make(int id, size_t size) {
  if (strcmp(type, TICK) == 0) {
    struct tick tick;
    memset(&tick, 0, sizeof tick);
    tick.id = id;
    tick.px = id + 0.5;
    memcpy(tick.sym, id % 2 ? "EIGHTLEN" : "żółw\0", id % 2 ? 8 : 7);
    memcpy(data, &tick, sizeof tick);
    return sizeof tick;
  }
  if (strcmp(type, "raw") == 0) {
    const size_t length = size < 4 ? 4 : size;
    const int32_t number = id;
    memcpy(data, &number, 4);
    for (size_t i = 4; i < length; i++) data[i] = (uint8_t)((size_t)id * 31 + i);
    return length;
  }
  const bool text = strcmp(type, "text") == 0;
  char* to = (char*)data;
  size_t at = (size_t)sprintf(to, text ? "#%d żółw 🐧 " : "{\"id\":%d,\"text\":\"żółw 🐧\",\"pad\":\"", id);
  while (at < size) to[at++] = 'x';
  return text ? at : at + (size_t)sprintf(to + at, "\",\"price\":%d.5}", id);
}

static int id_of(const uint8_t* bytes, size_t length) {
  int32_t id = -1;
  if (strcmp(type, TICK) == 0 || strcmp(type, "raw") == 0) {
    if (length >= 4) memcpy(&id, bytes, 4);
    return id;
  }
  char start[64] = {0};
  memcpy(start, bytes, length < sizeof start - 1 ? length : sizeof start - 1);
  if (sscanf(start, strcmp(type, "text") == 0 ? "#%d" : "{\"id\":%d", &id) != 1) return -1;
  return id;
}

static int64_t nanoseconds(int64_t milliseconds) { return milliseconds * 1000000; }

static void answer_error(int64_t error) {
  const char* name = ipckit_error_name((int)error);
  char number[16];
  snprintf(number, sizeof number, "E%d", (int)-error);
  if (*name == 0) name = error == -EAGAIN || error == -ETIMEDOUT ? "AGAIN" : number;
  printf("{\"error\":\"%s\"}\n", name);
}

static void answer(int64_t result) {
  if (result < 0)
    answer_error(result);
  else
    printf("{\"ok\":%" PRId64 "}\n", result);
}

static void describe(int64_t length, const ipckit_message_t* message) {
  if (length < 0) return answer_error(length);
  printf("{\"id\":%d,\"bytes\":%" PRId64 ",\"digest\":\"%016" PRIx64 "\"", id_of(data, (size_t)length),
         length, digest(data, (size_t)length));
  if (message != NULL)
    printf(",\"priority\":%" PRIu32 ",\"deliveries\":%" PRIu32 ",\"redelivered\":%s", message->priority,
           message->delivery_count, message->redelivered ? "true" : "false");
  printf("}\n");
}

static void put(int id, long size, uint32_t priority, long milliseconds) {
  const size_t length = make(id, (size_t)size);
  const int result = ipckit_queue_put(queue, data, length, priority, nanoseconds(milliseconds));
  describe(result < 0 ? result : (int64_t)length, NULL);
}

static void send_many(int count, long size) {
  uint64_t sum = 0;
  int64_t result = 0;
  for (int id = 0; id < count && result == 0; id++) {
    const size_t length = make(id, (size_t)size);
    sum += digest(data, length);
    result = ipckit_queue_put(queue, data, length, 0, IPCKIT_FOREVER);
  }
  if (result < 0) return answer_error(result);
  printf("{\"count\":%d,\"sum\":\"%016" PRIx64 "\"}\n", count, sum);
}

static void receive_many(int count) {
  uint64_t sum = 0;
  bool ordered = true;
  for (int id = 0; id < count; id++) {
    const int64_t length = ipckit_queue_get(queue, data, sizeof data, NULL, IPCKIT_FOREVER);
    if (length < 0) return answer_error(length);
    sum += digest(data, (size_t)length);
    ordered = ordered && id_of(data, (size_t)length) == id;
  }
  printf("{\"count\":%d,\"sum\":\"%016" PRIx64 "\",\"ordered\":%s}\n", count, sum,
         ordered ? "true" : "false");
}

static bool is(const char* word) { return strcmp(line, word) == 0; }

/// `first` to `fourth` are the numbers after the word, 0 where there is none.
static void obey(const char* argument, long first, long second, long third, long fourth) {
  ipckit_queue_stat_t stat;
  ipckit_message_t message;
  if (is("put")) return put((int)first, second, (uint32_t)third, fourth);
  if (is("get"))
    return describe(ipckit_queue_get(queue, data, sizeof data, &message, nanoseconds(first)), &message);
  if (is("lease"))
    return describe(
        ipckit_queue_lease(queue, data, sizeof data, &leased, nanoseconds(second), nanoseconds(first)),
        &leased);
  if (is("ack")) return answer(ipckit_queue_ack(queue, &leased.token));
  if (is("nack")) return answer(ipckit_queue_nack(queue, &leased.token, nanoseconds(first)));
  if (is("reject")) return answer(ipckit_queue_reject(queue, &leased.token));
  if (is("extend")) return answer(ipckit_queue_extend(queue, &leased.token, nanoseconds(first)));
  if (is("send")) return send_many((int)first, second);
  if (is("receive")) return receive_many((int)first);
  if (is("done")) return answer(ipckit_queue_task_done(queue));
  if (is("wait")) return answer(ipckit_queue_join(queue, nanoseconds(first)));
  if (is("shutdown")) return answer(ipckit_queue_shutdown(queue, strcmp(argument, "immediate") == 0));
  if (is("clear")) return answer(ipckit_queue_clear(queue));
  if (is("qsize")) {
    const int result = ipckit_queue_stat(queue, &stat);
    return answer(result < 0 ? result : (int64_t)stat.depth);
  }
  if (is("close")) {
    ipckit_queue_close(queue);
    printf("{\"ok\":0}\n");
    exit(0);
  }
  printf("{\"error\":\"no such command\"}\n");
}

static int print_sizes(void) {
  printf("{\"ipckit_queue_options_t\":%zu,\"ipckit_refusal_t\":%zu,\"ipckit_token_t\":%zu,",
         sizeof(ipckit_queue_options_t), sizeof(ipckit_refusal_t), sizeof(ipckit_token_t));
  printf("\"ipckit_message_t\":%zu,\"ipckit_queue_stat_t\":%zu,\"ipckit_participant_t\":%zu}\n",
         sizeof(ipckit_message_t), sizeof(ipckit_queue_stat_t), sizeof(ipckit_participant_t));
  return 0;
}

int main(int count, char** arguments) {
  if (count == 2 && strcmp(arguments[1], "sizes") == 0) return print_sizes();
  if (count != 4) return fprintf(stderr, "usage: queue-peer open|create|join NAME TYPE | sizes\n"), 2;
  type = arguments[3];
  ipckit_queue_options_t options = {.type_name = type, .fingerprint = ipckit_fingerprint(type)};
  options.participant = "queue-peer";
  options.capacity = 16;
  options.max_message_bytes = 1 << 20;
  options.capacity_bytes = 4 << 20;
  const bool joinable = strcmp(arguments[1], "join") == 0;
  options.flags = joinable ? IPCKIT_QUEUE_JOINABLE : 0;
  const bool creates = joinable || strcmp(arguments[1], "create") == 0;
  const int result =
      (creates ? ipckit_queue_create : ipckit_queue_open)(arguments[2], &options, NULL, &queue);
  answer(result);
  fflush(stdout);
  if (result < 0) return 1;
  char command[256];
  while (fgets(command, sizeof command, stdin) != NULL) {
    char argument[32] = "";
    long numbers[4] = {0};
    sscanf(command, "%255s %31s", line, argument);
    sscanf(command, "%*s %ld %ld %ld %ld", &numbers[0], &numbers[1], &numbers[2], &numbers[3]);
    obey(argument, numbers[0], numbers[1], numbers[2], numbers[3]);
    fflush(stdout);
  }
  ipckit_queue_close(queue);
  return 0;
}
