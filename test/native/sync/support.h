// What the tests of the synchronisation objects share: objects that go away, and the operations in a word.
#ifndef IPCKIT_TEST_SYNC_SUPPORT_H
#define IPCKIT_TEST_SYNC_SUPPORT_H

#include <chrono>
#include <memory>
#include <thread>

#include "../children.h"
#include "ipckit/layout.h"
#include "ipckit/sync.h"

/// An object that is unlinked and closed with its scope.
class Sync {
 public:
  explicit Sync(uint32_t kind, uint32_t value = 0, ipckit_sync_options_t options = {})
      : name_(random_name()) {
    options.kind = kind;
    options.value = value;
    const int result = ipckit_sync_create(name_.c_str(), &options, nullptr, &sync_);
    EXPECT_EQ(result, 0) << ipckit_strerror(result);
  }
  Sync(const Sync&) = delete;
  Sync& operator=(const Sync&) = delete;
  ~Sync() {
    close();
    ipckit_sync_unlink(name_.c_str(), nullptr);
  }
  void close() {
    if (sync_) ipckit_sync_close(sync_);
    sync_ = nullptr;
  }
  operator ipckit_sync_t*() const { return sync_; }
  const std::string& name() const { return name_; }
  std::string path() const { return "/dev/shm/ipckit." + name_.substr(1); }

 private:
  std::string name_;
  ipckit_sync_t* sync_ = nullptr;
};

/// A further handle.
class Guest {
 public:
  explicit Guest(const std::string& name, uint32_t flags = 0) {
    ipckit_sync_options_t options = {};
    options.flags = flags;
    options.participant = "guest";
    const int result = ipckit_sync_open(name.c_str(), &options, nullptr, &sync_);
    EXPECT_EQ(result, 0) << ipckit_strerror(result);
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() { close(); }
  void close() {
    if (sync_) ipckit_sync_close(sync_);
    sync_ = nullptr;
  }
  operator ipckit_sync_t*() const { return sync_; }

 private:
  ipckit_sync_t* sync_ = nullptr;
};

/// In a child, which ends when it cannot.
inline ipckit_sync_t* open_in_child(const std::string& name) {
  ipckit_sync_options_t options = {};
  options.participant = "child";
  ipckit_sync_t* sync = nullptr;
  if (ipckit_sync_open(name.c_str(), &options, nullptr, &sync) != 0) _exit(99);
  return sync;
}

inline ipckit_wait_t a_wait(uint32_t operation, uint32_t count = 0, uint64_t agent = 0) {
  ipckit_wait_t wait = {};
  wait.operation = operation;
  wait.count = count;
  wait.agent = agent;
  return wait;
}

inline int wait_for(ipckit_sync_t* sync, uint32_t operation, int64_t timeout = kPatience, uint32_t count = 0,
                    uint64_t agent = 0) {
  ipckit_wait_t wait = a_wait(operation, count, agent);
  return ipckit_sync_wait(sync, &wait, timeout);
}

inline int acquire(ipckit_sync_t* sync, int64_t timeout = kPatience, uint32_t count = 0, uint64_t agent = 0) {
  return wait_for(sync, IPCKIT_ACQUIRE, timeout, count, agent);
}
inline int acquire_shared(ipckit_sync_t* sync, int64_t timeout = kPatience) {
  return wait_for(sync, IPCKIT_ACQUIRE_SHARED, timeout);
}
inline int release(ipckit_sync_t* sync, uint32_t count = 0, uint64_t agent = 0) {
  return ipckit_sync_release(sync, agent, count);
}

/// Acquires, and tells of whom it was told that he died: his pid, or 0.
inline uint32_t acquire_from_dead(ipckit_sync_t* sync, uint32_t operation = IPCKIT_ACQUIRE,
                                  int64_t timeout = kPatience) {
  ipckit_wait_t wait = a_wait(operation);
  const int result = ipckit_sync_wait(sync, &wait, timeout);
  EXPECT_EQ(result, 0) << ipckit_strerror(result);
  EXPECT_EQ(wait.owner_died != 0, wait.dead_pid != 0);
  return wait.dead_pid;
}

inline ipckit_sync_stat_t stat_of(ipckit_sync_t* sync) {
  ipckit_sync_stat_t stat;
  EXPECT_EQ(ipckit_sync_stat(sync, &stat), 0);
  return stat;
}

/// Until so many wait.
inline void await_waiters(ipckit_sync_t* sync, uint32_t count) {
  for (int turn = 0; stat_of(sync).waiters != count; turn++) {
    ASSERT_LT(turn, 30000) << stat_of(sync).waiters << " wait and not " << count;
    usleep(1000);
  }
}

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  }

 private:
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

/// Kills a child and tells how long `go_on` took from then. The promise is 250 ms; what is asserted is the
/// hard bound, which a busy machine does not break.
inline void expect_soon_after_death(Child& child, const char* what, const std::function<void()>& go_on) {
  Stopwatch watch;
  child.signal(SIGKILL);
  go_on();
  const double took = watch.seconds();
  printf("%s: %.1f ms after the SIGKILL\n", what, took * 1000);
  EXPECT_LT(took, 2);
  child.join();
}

#endif
