// The other side of a lock or one of its friends, in C, for tests: it does what it is told on standard input,
// a line at a time, and answers each with a line of JSON.
//
//   sync-peer open|create KIND NAME [NUMBER]   (NUMBER: permits, parties, first i32 of a value, i32s of an
//   array) sync-peer sizes                            (of the structures in ipckit/sync.h)
//
//   acquire [MS]   release   shared [MS]   unshare   free                     locks, semaphores, condition,
//   values wait [MS]   notify COUNT   set   clear   isset   abort   reset   broken   condition, event,
//   barrier get AT   put AT NUMBER   add TIMES                                        values: add adds 1
//   under the lock waiting   holder   close
//
// KIND is lock, rlock, rwlock, semaphore, bounded, condition, event, barrier, value or array. MS is how long
// to wait at most; without it, for ever. An answer is {"error":"TIMEOUT"} or {"ok":NUMBER}; acquire and
// shared tell with "died" which process died while it held the lock, 0 for none.
#include <errno.h>
#include <inttypes.h>
#include <ipckit/sync.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char* const kinds[] = {"queue",   "lock",      "rlock", "rwlock",  "semaphore",
                                    "bounded", "condition", "event", "barrier", "value"};
static ipckit_sync_t* object;
static uint32_t kind;
static char line[256];

static int answer(const char* more, int64_t result) {
  if (result >= 0)
    printf("{\"ok\":%" PRId64 "%s}\n", result, more);
  else if (result == -ETIMEDOUT || result == -EAGAIN)
    printf("{\"error\":\"TIMEOUT\"}\n");
  else
    printf("{\"error\":\"%s\"}\n", ipckit_error_name((int)result));
  fflush(stdout);
  return result < 0;
}

static int open_object(bool create, const char* word, const char* name, const char* number) {
  char type[32] = "i32";
  ipckit_sync_options_t options = {.participant = "c", .type_name = type};
  int32_t initial = 0;
  const bool array = strcmp(word, "array") == 0;
  for (uint32_t i = 1; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(array ? "value" : word, kinds[i]) == 0) options.kind = kind = i;
  }
  if (kind == IPCKIT_KIND_VALUE) {
    const long length = array ? strtol(number, NULL, 10) : 1;
    if (array) snprintf(type, sizeof type, "i32[%ld]", length);
    options.fingerprint = ipckit_fingerprint(type);
    options.bytes = (uint64_t)length * sizeof initial;
    if (!array) {
      initial = (int32_t)strtol(number, NULL, 10);
      options.initial = &initial;
    }
  } else {
    options.value = (uint32_t)strtoul(number, NULL, 10);
  }
  ipckit_refusal_t refusal;
  return create ? ipckit_sync_create(name, &options, &refusal, &object)
                : ipckit_sync_open(name, &options, &refusal, &object);
}

static int64_t nanoseconds(const char* word) {
  return word == NULL ? IPCKIT_FOREVER : strtoll(word, NULL, 10) * 1000000;
}

static int acquire(uint32_t operation, const char* timeout) {
  ipckit_wait_t wait = {.operation = operation};
  const int result = ipckit_sync_wait(object, &wait, nanoseconds(timeout));
  char died[32];
  snprintf(died, sizeof died, ",\"died\":%u", wait.owner_died ? wait.dead_pid : 0);
  return answer(died, result < 0 ? result : 1);
}

static int64_t wait_for(const char* timeout) {
  if (kind == IPCKIT_KIND_CONDITION) return ipckit_condition_wait(object, 0, nanoseconds(timeout), NULL);
  ipckit_wait_t wait = {.operation = IPCKIT_WAIT_EVENT};
  if (kind == IPCKIT_KIND_BARRIER) wait.operation = IPCKIT_WAIT_BARRIER;
  int result = ipckit_sync_wait(object, &wait, nanoseconds(timeout));
  if (result == IPCKIT_BARRIER_ACTION) result = ipckit_barrier_action_done(object, &wait);
  // Who waits too long at a barrier has broken it.
  if (result == -ETIMEDOUT && kind == IPCKIT_KIND_BARRIER) result = IPCKIT_E_BROKEN;
  return result < 0 ? result : (int64_t)wait.index;
}

static int64_t add(long times) {
  int32_t* numbers = ipckit_value_bytes(object, NULL);
  for (long i = 0; i < times; i++) {
    ipckit_wait_t wait = {.operation = IPCKIT_ACQUIRE};
    const int result = ipckit_sync_wait(object, &wait, IPCKIT_FOREVER);
    if (result < 0) return result;
    numbers[0]++;
    ipckit_sync_release(object, 0, 1);
  }
  return numbers[0];
}

static int64_t look(const char* what) {
  ipckit_sync_stat_t stat;
  const int result = ipckit_sync_stat(object, &stat);
  if (result < 0) return result;
  if (strcmp(what, "broken") == 0) return stat.broken;
  if (strcmp(what, "holder") == 0) return stat.held == 0 ? 0 : stat.holder_pid;
  if (strcmp(what, "free") == 0) return stat.value;
  return kind == IPCKIT_KIND_BARRIER ? stat.value : stat.waiters;
}

static int act(const char* word, const char* first, const char* second) {
  const long number = first == NULL ? 0 : strtol(first, NULL, 10);
#define IS(name) (strcmp(word, name) == 0)
  if (IS("acquire")) return acquire(IPCKIT_ACQUIRE, first);
  if (IS("shared")) return acquire(IPCKIT_ACQUIRE_SHARED, first);
  if (IS("release")) return answer("", ipckit_sync_release(object, 0, 1));
  if (IS("unshare")) return answer("", ipckit_sync_release_shared(object));
  if (IS("wait")) return answer("", wait_for(first));
  if (IS("notify")) return answer("", ipckit_condition_notify(object, (uint32_t)number) < 0 ? -EINVAL : 0);
  if (IS("set")) return answer("", ipckit_event_set(object));
  if (IS("clear")) return answer("", ipckit_event_clear(object));
  if (IS("isset")) return answer("", ipckit_event_is_set(object));
  if (IS("abort")) return answer("", ipckit_barrier_abort(object));
  if (IS("reset")) return answer("", ipckit_barrier_reset(object));
  if (IS("add")) return answer("", add(number));
  if (IS("get")) {
    // Not by answer, for which numbers below 0 are errors.
    printf("{\"ok\":%d}\n", ((int32_t*)ipckit_value_bytes(object, NULL))[number]);
    return fflush(stdout);
  }
  if (IS("put")) {
    ((int32_t*)ipckit_value_bytes(object, NULL))[number] = (int32_t)strtol(second, NULL, 10);
    return answer("", 0);
  }
  return answer("", look(word));
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "sizes") == 0) {
    printf("{\"ipckit_sync_options_t\":%zu,\"ipckit_wait_t\":%zu,\"ipckit_sync_stat_t\":%zu}\n",
           sizeof(ipckit_sync_options_t), sizeof(ipckit_wait_t), sizeof(ipckit_sync_stat_t));
    return 0;
  }
  if (argc < 4) {
    fprintf(stderr, "usage: %s open|create KIND NAME [NUMBER]\n", argv[0]);
    return 2;
  }
  const bool create = strcmp(argv[1], "create") == 0;
  const int opened = open_object(create, argv[2], argv[3], argc > 4 ? argv[4] : "0");
  if (answer("", opened)) return 1;
  while (fgets(line, sizeof line, stdin) != NULL) {
    const char* word = strtok(line, " \n");
    const char* first = strtok(NULL, " \n");
    const char* second = strtok(NULL, " \n");
    if (word == NULL) continue;
    if (strcmp(word, "close") == 0) return answer("", ipckit_sync_close(object));
    act(word, first, second);
  }
  ipckit_sync_close(object);
  return 0;
}
