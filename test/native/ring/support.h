// What the tests of the queue share: queues that go away, and messages as text.
#ifndef IPCKIT_TEST_RING_SUPPORT_H
#define IPCKIT_TEST_RING_SUPPORT_H

#include <cstring>
#include <string>
#include <vector>

#include "../children.h"
#include "ipckit/layout.h"
#include "ipckit/queue.h"

/// A queue that is unlinked and closed with its scope.
class Queue {
 public:
  explicit Queue(ipckit_queue_options_t options = {}) : name_(random_name()) {
    result_ = ipckit_queue_create(name_.c_str(), &options, nullptr, &queue_);
    EXPECT_EQ(result_, 0) << ipckit_strerror(result_);
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    close();
    ipckit_queue_unlink(name_.c_str(), nullptr);
  }
  void close() {
    if (queue_) ipckit_queue_close(queue_);
    queue_ = nullptr;
  }
  operator ipckit_queue_t*() const { return queue_; }
  const std::string& name() const { return name_; }
  std::string path() const { return "/dev/shm/ipckit." + name_.substr(1); }

 private:
  std::string name_;
  ipckit_queue_t* queue_ = nullptr;
  int result_ = 0;
};

/// A further handle.
class Guest {
 public:
  explicit Guest(const std::string& name, ipckit_queue_options_t options = {}) {
    int result = ipckit_queue_open(name.c_str(), &options, nullptr, &queue_);
    EXPECT_EQ(result, 0) << ipckit_strerror(result);
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() { close(); }
  void close() {
    if (queue_) ipckit_queue_close(queue_);
    queue_ = nullptr;
  }
  operator ipckit_queue_t*() const { return queue_; }

 private:
  ipckit_queue_t* queue_ = nullptr;
};

/// In a child, which ends when it cannot.
inline ipckit_queue_t* open_in_child(const std::string& name) {
  ipckit_queue_t* queue = nullptr;
  if (ipckit_queue_open(name.c_str(), nullptr, nullptr, &queue) != 0) _exit(99);
  return queue;
}

inline int put(ipckit_queue_t* queue, const std::string& text, uint32_t priority = 0,
               int64_t timeout = kPatience) {
  return ipckit_queue_put(queue, text.data(), text.size(), priority, timeout);
}

/// The text, or the name of the error in angle brackets.
inline std::string get(ipckit_queue_t* queue, int64_t timeout = kPatience,
                       ipckit_message_t* message = nullptr) {
  std::string buffer(1 << 20, 0);
  int64_t length = ipckit_queue_get(queue, buffer.data(), buffer.size(), message, timeout);
  return length < 0 ? "<" + std::string(ipckit_strerror(static_cast<int>(length))) + ">"
                    : buffer.substr(0, length);
}

inline std::string lease(ipckit_queue_t* queue, ipckit_message_t* message, int64_t lease_ns = 0,
                         int64_t timeout = kPatience) {
  std::string buffer(1 << 20, 0);
  int64_t length = ipckit_queue_lease(queue, buffer.data(), buffer.size(), message, lease_ns, timeout);
  return length < 0 ? "<" + std::string(ipckit_strerror(static_cast<int>(length))) + ">"
                    : buffer.substr(0, length);
}

/// In a child: waits for what never comes. Returns 0 when the wait ends with that error.
inline int wait_until_refused(const std::string& name, const Signpost& ready, int error) {
  ipckit_queue_t* mine = open_in_child(name);
  char buffer[8];
  ready.reached();
  return ipckit_queue_get(mine, buffer, sizeof buffer, nullptr, IPCKIT_FOREVER) == error ? 0 : 1;
}

inline ipckit_queue_stat_t stat_of(ipckit_queue_t* queue) {
  ipckit_queue_stat_t stat;
  EXPECT_EQ(ipckit_queue_stat(queue, &stat), 0);
  return stat;
}

#endif
