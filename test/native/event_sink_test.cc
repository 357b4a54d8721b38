#include "sys/event_sink.h"

#include "support.h"

namespace ipckit::test {
namespace {

using sys::event;
using sys::event_sink;

TEST(event_sink, gives_its_events_in_order_and_once) {
  event_sink sink([] {});
  sink.put({1, 10, 0});
  sink.put({2, -EIDRM, 0});
  std::vector<event> taken{{9, 9, 9}};
  sink.take(taken);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].token, 1);
  EXPECT_EQ(taken[1].result, -EIDRM);
  sink.take(taken);
  EXPECT_TRUE(taken.empty());
}

TEST(event_sink, wakes_once_for_all_events_until_they_are_taken) {
  int woken = 0;
  event_sink sink([&] { woken++; });
  std::vector<event> taken;
  sink.put({1, 0, 0});
  sink.put({2, 0, 0});
  EXPECT_EQ(woken, 1);
  sink.take(taken);
  sink.put({3, 0, 0});
  EXPECT_EQ(woken, 2);
}

TEST(event_sink, loses_neither_an_event_nor_a_wake_between_threads) {
  std::atomic<bool> awake{false};
  event_sink sink([&] { awake = true; });
  constexpr int each = 20'000;
  auto put_all = [&](int token) {
    for (int number = 0; number < each; number++) sink.put({token, number, 0});
  };
  std::thread one(put_all, 0);
  std::thread two(put_all, 1);
  int next[2] = {0, 0};
  std::vector<event> taken;
  while (next[0] + next[1] < 2 * each) {
    // Without a wake there is nothing to take: a lost one ends here, by the watchdog.
    while (!awake.exchange(false)) std::this_thread::yield();
    sink.take(taken);
    for (const event& arrived : taken) ASSERT_EQ(arrived.result, next[arrived.token]++);
  }
  one.join();
  two.join();
}

}  // namespace
}  // namespace ipckit::test
