#include "sys/blocking_calls.h"

#include "events.h"

namespace ipckit::test {
namespace {

using sys::blocking_calls;
using sys::event;

class blocking_calls_test : public testing::Test {
 protected:
  void send(long type, size_t length) {
    const message out{type, {}};
    ASSERT_EQ(made.queue.send(&out, length), 0);
  }

  /// The length of the message that is in the queue, or the negative errno.
  ssize_t receive() {
    message in{};
    return made.queue.receive(&in, sizeof in.text, {}, 0);
  }

  void fill() {
    const message out{1, {}};
    while (made.queue.send(&out, 4096) == 0) {
    }
  }

  static std::vector<char> packed(long type, size_t length) {
    std::vector<char> bytes(sizeof type + length);
    std::memcpy(bytes.data(), &type, sizeof type);
    return bytes;
  }

  static int threads() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
    }
    return -1;
  }

  scoped_sysv_queue made;
  collected_events events;
  blocking_calls calls{events.sink};
};

TEST_F(blocking_calls_test, tells_of_a_message_and_leaves_it_in_the_queue) {
  ASSERT_TRUE(calls.wait_to_receive(7, made.queue, {}).ok());
  EXPECT_FALSE(events.any_within(20ms));
  send(1, 3);
  const event seen = events.next();
  EXPECT_EQ(seen.token, 7);
  EXPECT_EQ(seen.result, -E2BIG);
  EXPECT_EQ(receive(), 3);
}

TEST_F(blocking_calls_test, hands_over_a_message_without_text) {
  ASSERT_TRUE(calls.wait_to_receive(1, made.queue, {}).ok());
  send(42, 0);
  const event seen = events.next();
  EXPECT_EQ(seen.result, 0);
  EXPECT_EQ(seen.taken, 42);
}

TEST_F(blocking_calls_test, respects_the_selector) {
  ASSERT_TRUE(calls.wait_to_receive(1, made.queue, {5, 0}).ok());
  send(4, 1);
  EXPECT_FALSE(events.any_within(20ms));
  send(5, 1);
  EXPECT_EQ(events.next().result, -E2BIG);
}

TEST_F(blocking_calls_test, sends_when_there_is_room) {
  fill();
  ASSERT_TRUE(calls.wait_to_send(3, made.queue, packed(9, 4096)).ok());
  EXPECT_FALSE(events.any_within(20ms));
  EXPECT_EQ(receive(), 4096);
  const event seen = events.next();
  EXPECT_EQ(seen.token, 3);
  EXPECT_EQ(seen.result, 0);
}

TEST_F(blocking_calls_test, ends_a_cancelled_wait_with_exactly_one_event) {
  ASSERT_TRUE(calls.wait_to_receive(1, made.queue, {}).ok());
  ASSERT_TRUE(calls.wait_to_receive(2, made.queue, {}).ok());
  calls.cancel(1);
  const event seen = events.next();
  EXPECT_EQ(seen.token, 1);
  EXPECT_EQ(seen.result, -ECANCELED);
  EXPECT_FALSE(events.any_within(20ms));
  send(1, 1);
  EXPECT_EQ(events.next().token, 2);
}

TEST_F(blocking_calls_test, cancels_a_blocked_send_which_then_has_sent_nothing) {
  fill();
  const auto before = made.queue.status().value().msg_qnum;
  ASSERT_TRUE(calls.wait_to_send(1, made.queue, packed(9, 4096)).ok());
  std::this_thread::sleep_for(10ms);
  calls.cancel(1);
  EXPECT_EQ(events.next().result, -ECANCELED);
  EXPECT_EQ(made.queue.status().value().msg_qnum, before);
}

TEST_F(blocking_calls_test, ignores_a_cancel_of_what_nobody_waits_for) {
  calls.cancel(1);
  EXPECT_FALSE(events.any_within(10ms));
}

TEST_F(blocking_calls_test, reports_the_removal_of_the_queue) {
  ASSERT_TRUE(calls.wait_to_receive(1, made.queue, {}).ok());
  std::this_thread::sleep_for(20ms);
  ASSERT_TRUE(made.queue.remove().ok());
  EXPECT_EQ(events.next().result, -EIDRM);
}

TEST_F(blocking_calls_test, serves_one_wait_after_another_with_one_thread_which_then_goes) {
  std::thread([] {}).join();  // ThreadSanitizer starts one of its own with the first.
  const int before = threads();
  for (int round = 0; round < 20; round++) {
    ASSERT_TRUE(calls.wait_to_receive(round, made.queue, {}).ok());
    send(1, 1);
    EXPECT_EQ(events.next().token, round);
    EXPECT_EQ(receive(), 1);
  }
  EXPECT_LE(threads(), before + 1);
  until([&] { return threads() == before; });
  // And comes again when it is needed.
  ASSERT_TRUE(calls.wait_to_receive(21, made.queue, {}).ok());
  send(1, 1);
  EXPECT_EQ(events.next().token, 21);
}

TEST_F(blocking_calls_test, waits_many_times_at_once) {
  for (int token = 0; token < 50; token++) ASSERT_TRUE(calls.wait_to_receive(token, made.queue, {}).ok());
  send(1, 1);
  std::vector<bool> seen(50);
  for (int count = 0; count < 50; count++) seen[static_cast<size_t>(events.next().token)] = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 50);
}

TEST_F(blocking_calls_test, stops_with_waits_outstanding_and_stops_twice) {
  fill();
  for (int token = 0; token < 20; token++) {
    ASSERT_TRUE(calls.wait_to_receive(token, made.queue, {99, 0}).ok());
    ASSERT_TRUE(calls.wait_to_send(100 + token, made.queue, packed(1, 4096)).ok());
  }
  calls.stop();
  calls.stop();
}

TEST_F(blocking_calls_test, stops_right_after_a_wait_has_begun) {
  for (int round = 0; round < 200; round++) {
    blocking_calls brief(events.sink);
    ASSERT_TRUE(brief.wait_to_receive(1, made.queue, {}).ok());
  }
}

// A message without text is taken by the wait itself: it is in the event, or in the queue, and never in both.
TEST_F(blocking_calls_test, loses_no_message_when_cancels_race_with_sends) {
  std::minstd_rand random(std::random_device{}());
  int cancelled = 0;
  for (int round = 0; round < 3'000; round++) {
    ASSERT_TRUE(calls.wait_to_receive(round, made.queue, {}).ok());
    std::thread sender([&, pause = random() % 60] {
      for (unsigned turn = 0; turn < pause; turn++) std::this_thread::yield();
      send(1, 0);
    });
    for (unsigned turn = random() % 60; turn > 0; turn--) std::this_thread::yield();
    calls.cancel(round);
    const event seen = events.next();
    sender.join();
    ASSERT_EQ(seen.token, round);
    ASSERT_TRUE(seen.result == 0 || seen.result == -ECANCELED) << seen.result;
    ASSERT_EQ(receive(), seen.result == 0 ? -ENOMSG : 0);
    if (seen.result == -ECANCELED) cancelled++;
  }
  // Both ways were tried.
  EXPECT_GT(cancelled, 0);
  EXPECT_LT(cancelled, 3'000);
}

TEST_F(blocking_calls_test, puts_a_message_back_that_was_taken_while_everything_stops) {
  for (int round = 0; round < 500; round++) {
    blocking_calls brief(events.sink);
    ASSERT_TRUE(brief.wait_to_receive(round, made.queue, {}).ok());
    if (round % 2 == 0) std::this_thread::yield();
    std::thread sender([&] { send(3, 0); });
    brief.stop();
    sender.join();
    // Its event may have been put, but nobody has read it.
    std::vector<event> told;
    events.sink.take(told);
    ASSERT_EQ(receive(), 0) << "round " << round;
  }
}

TEST_F(blocking_calls_test, takes_back_what_was_done_and_nobody_was_told_of) {
  std::atomic<int> done{0};
  std::atomic<long> back{0};
  const auto call = [&](long taken) {
    return sys::blocking_call{[&done, taken](const sys::stop_condition&, long* laid) {
                                *laid = taken;
                                done++;
                                return 0;
                              },
                              [&back](long each) { back += each; }};
  };
  ASSERT_TRUE(calls.begin(1, call(1)).ok());
  ASSERT_TRUE(calls.begin(2, call(10)).ok());
  EXPECT_EQ(events.next().result, 0);
  EXPECT_EQ(events.next().result, 0);
  calls.delivered(1);
  calls.stop();
  EXPECT_EQ(done, 2);
  EXPECT_EQ(back, 10);
}

TEST_F(blocking_calls_test, takes_nothing_back_of_a_call_that_was_cancelled) {
  bool back = false;
  ASSERT_TRUE(calls
                  .begin(1, {[](const sys::stop_condition& stop, long*) {
                               while (!stop.holds()) ::usleep(1000);
                               return -EINTR;
                             },
                             [&back](long) { back = true; }})
                  .ok());
  calls.cancel(1);
  EXPECT_EQ(events.next().result, -ECANCELED);
  calls.stop();
  EXPECT_FALSE(back);
}

}  // namespace
}  // namespace ipckit::test
