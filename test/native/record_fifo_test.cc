#include "sys/record_fifo.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "support.h"

namespace ipckit::test {
namespace {

using sys::deadline;
using sys::peephole;
using sys::record;
using sys::record_fifo;

/// A FIFO of so many pages.
struct scoped_fifo {
  explicit scoped_fifo(int pages = 16) {
    queue = std::move(
        record_fifo::adopt(std::move(sys::make_fifo(path.c_str(), 0600).value()), pages * 4096, true)
            .value());
  }
  ~scoped_fifo() { ::unlink(path.c_str()); }

  record_fifo another() {
    return std::move(
        record_fifo::adopt(std::move(sys::open_fifo(path.c_str(), O_RDWR, {}).value()), 0, false).value());
  }

  const std::string path =
      "/tmp/ipckit-test-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  record_fifo queue;
};

std::string text_of(size_t length, size_t seed = 0) {
  std::string text(length, ' ');
  for (size_t at = 0; at < length; at++) text[at] = static_cast<char>('a' + (seed + at) % 26);
  return text;
}

int send(record_fifo& queue, const std::string& text) { return queue.send(text.data(), text.size()); }

/// Every message and torn piece that one call gives.
std::vector<std::string> receive(record_fifo& queue, peephole& hole, int max = 1) {
  std::vector<char> buffer(2 << 20);
  std::vector<record> records;
  const int count = queue.receive(hole, buffer.data(), buffer.size(), max, records);
  if (count < 0) return {"errno " + std::to_string(-count)};
  std::vector<std::string> texts;
  for (const record& each : records) {
    texts.push_back((each.torn ? "torn " : "") + std::string(buffer.data() + each.offset, each.length));
  }
  return texts;
}

const std::vector<std::string> nothing_there = {"errno " + std::to_string(EAGAIN)};

TEST(record_fifo, keeps_the_boundaries_of_messages_of_all_sizes) {
  scoped_fifo fifo;
  peephole hole;
  EXPECT_EQ(receive(fifo.queue, hole), nothing_there);
  for (const size_t size : {0, 1, 3, 4, 5, 11, 4084, 4085, 20'000}) {
    ASSERT_EQ(send(fifo.queue, text_of(size)), 0);
    EXPECT_EQ(receive(fifo.queue, hole), std::vector{text_of(size)});
  }
  for (int number = 0; number < 100; number++) ASSERT_EQ(send(fifo.queue, text_of(50, number)), 0);
  EXPECT_EQ(receive(fifo.queue, hole, 60).size(), 60u);
  EXPECT_EQ(receive(fifo.queue, hole, 60).size(), 40u);
}

TEST(record_fifo, takes_the_largest_message_and_no_larger_one) {
  scoped_fifo fifo(4);
  peephole hole;
  EXPECT_EQ(fifo.queue.message_bytes(), 4u * 4096 - 12);
  EXPECT_EQ(send(fifo.queue, text_of(fifo.queue.message_bytes() + 1)), -EMSGSIZE);
  const std::string largest = text_of(fifo.queue.message_bytes());
  EXPECT_EQ(send(fifo.queue, largest), 0);
  EXPECT_EQ(send(fifo.queue, "x"), -EAGAIN);
  EXPECT_EQ(receive(fifo.queue, hole), std::vector{largest});
}

TEST(record_fifo, never_writes_a_part_of_a_message_however_full_it_is) {
  std::mt19937 dice(7);
  for (int round = 0; round < 60; round++) {
    scoped_fifo fifo(1 << dice() % 5);
    peephole hole;
    std::vector<std::string> expected;
    for (int step = 0; step < 60; step++) {
      const size_t most = std::min<size_t>(fifo.queue.message_bytes(), dice() % 3 == 0 ? 20'000 : 200);
      const std::string text = text_of(dice() % (most + 1), dice() % 26);
      const int sent = send(fifo.queue, text);
      ASSERT_TRUE(sent == 0 || sent == -EAGAIN) << sent;
      if (sent == 0) expected.push_back(text);
      if (dice() % 3 == 0 && !expected.empty()) {
        ASSERT_EQ(receive(fifo.queue, hole), std::vector{expected.front()});
        expected.erase(expected.begin());
      }
    }
    for (const std::string& text : expected) ASSERT_EQ(receive(fifo.queue, hole), std::vector{text});
    ASSERT_EQ(receive(fifo.queue, hole), nothing_there);
  }
}

TEST(record_fifo, sends_as_many_of_a_batch_as_there_is_room_for) {
  scoped_fifo fifo(4);
  peephole hole;
  std::vector<char> memory(200 * 72);
  std::vector<sys::outgoing_record> batch;
  for (int at = 0; at < 200; at++) {
    batch.push_back({at * 72 + 8, 56, {}});
    std::memcpy(memory.data() + at * 72 + 8, text_of(56, static_cast<size_t>(at)).data(), 56);
  }
  // Nothing may be written behind the memory.
  EXPECT_EQ(fifo.queue.send_many(memory.data(), 100, batch.data(), 2), -EFAULT);
  EXPECT_EQ(receive(fifo.queue, hole), nothing_there);
  EXPECT_EQ(fifo.queue.send_many(memory.data(), memory.size(), batch.data(), 200), 200);
  const std::vector<std::string> all = receive(fifo.queue, hole, 256);
  ASSERT_EQ(all.size(), 200u);
  for (size_t at = 0; at < all.size(); at++) EXPECT_EQ(all[at], text_of(56, at));
}

TEST(record_fifo, skips_what_is_no_record_and_goes_on) {
  scoped_fifo fifo;
  peephole hole;
  ASSERT_EQ(::write(fifo.queue.descriptor(), "rubbish", 7), 7);
  ASSERT_EQ(send(fifo.queue, "next"), 0);
  EXPECT_EQ(receive(fifo.queue, hole), std::vector<std::string>{"torn rubbish"});
  EXPECT_EQ(receive(fifo.queue, hole), std::vector<std::string>{"next"});
  // Half a record, of which nobody writes the rest.
  ASSERT_EQ(send(fifo.queue, text_of(1000)), 0);
  char half[500];
  ASSERT_EQ(::read(fifo.queue.descriptor(), half, sizeof half), 500);
  ASSERT_EQ(send(fifo.queue, "behind"), 0);
  EXPECT_EQ(receive(fifo.queue, hole, 9).front().substr(0, 5), "torn ");
  EXPECT_EQ(receive(fifo.queue, hole, 9), std::vector<std::string>{"behind"});
}

TEST(record_fifo, shows_a_message_without_taking_it_and_counts_them) {
  scoped_fifo fifo;
  peephole hole;
  ASSERT_EQ(send(fifo.queue, "one"), 0);
  ASSERT_EQ(send(fifo.queue, "three"), 0);
  char buffer[65536];
  record found{};
  ASSERT_EQ(fifo.queue.peek(hole, buffer, sizeof buffer, 1, found), 1);
  EXPECT_EQ(std::string(buffer + found.offset, found.length), "three");
  EXPECT_EQ(fifo.queue.peek(hole, buffer, sizeof buffer, 2, found), 0);
  const auto status = fifo.queue.status(hole).value();
  EXPECT_EQ(status.depth, 2u);
  EXPECT_EQ(status.bytes, 8u);
  EXPECT_FALSE(status.is_shared);
  const record_fifo other = fifo.another();
  EXPECT_TRUE(fifo.queue.status(hole).value().is_shared);
}

TEST(record_fifo, hears_that_its_name_is_gone) {
  scoped_fifo fifo;
  peephole hole;
  ASSERT_EQ(send(fifo.queue, "left"), 0);
  ASSERT_TRUE(fifo.queue.unlink(fifo.path.c_str()).ok());
  EXPECT_TRUE(fifo.queue.look_whether_removed());
  EXPECT_EQ(send(fifo.queue, "x"), -EIDRM);
  EXPECT_EQ(receive(fifo.queue, hole), std::vector<std::string>{"left"});
  EXPECT_EQ(receive(fifo.queue, hole), std::vector{"errno " + std::to_string(EIDRM)});
}

TEST(record_fifo, waits_without_turning_while_somebody_else_has_the_lock) {
  scoped_fifo fifo;
  peephole hole;
  record_fifo other = fifo.another();
  struct flock held {};
  held.l_type = F_WRLCK;
  held.l_len = 1;
  ASSERT_EQ(::fcntl(other.descriptor(), F_OFD_SETLK, &held), 0);
  ASSERT_EQ(send(fifo.queue, "x"), 0);
  EXPECT_EQ(receive(fifo.queue, hole), nothing_there);
  EXPECT_FALSE(fifo.queue.can_be_polled(false));
  EXPECT_EQ(fifo.queue.wait(false, deadline::in_milliseconds(0)), 0);
  held.l_type = F_UNLCK;
  ASSERT_EQ(::fcntl(other.descriptor(), F_OFD_SETLK, &held), 0);
  EXPECT_EQ(receive(fifo.queue, hole), std::vector<std::string>{"x"});
  EXPECT_TRUE(fifo.queue.can_be_polled(false));
}

TEST(record_fifo, tells_its_state_once_somebody_who_reads_has_finished) {
  scoped_fifo fifo;
  peephole hole;
  record_fifo other = fifo.another();
  ASSERT_EQ(send(fifo.queue, "x"), 0);
  struct flock held {};
  held.l_type = F_WRLCK;
  held.l_len = 1;
  ASSERT_EQ(::fcntl(other.descriptor(), F_OFD_SETLK, &held), 0);
  std::thread finishing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    held.l_type = F_UNLCK;
    ::fcntl(other.descriptor(), F_OFD_SETLK, &held);
  });
  const auto status = fifo.queue.status(hole);
  finishing.join();
  ASSERT_TRUE(status.ok()) << status.why().error;
  EXPECT_EQ(status.value().depth, 1);
}

TEST(record_fifo, many_threads_with_handles_of_their_own_mix_nothing) {
  scoped_fifo fifo;
  constexpr int writers = 4;
  constexpr int each = 300;
  std::vector<std::thread> threads;
  threads.reserve(writers);
  for (int number = 0; number < writers; number++) {
    threads.emplace_back([&fifo, number] {
      record_fifo queue = fifo.another();
      for (int at = 0; at < each; at++) {
        const std::string text =
            text_of(static_cast<size_t>(number % 2 == 0 ? 9000 : 30), static_cast<size_t>(at));
        while (send(queue, text) == -EAGAIN) (void)queue.wait(true, deadline::in_milliseconds(100));
      }
    });
  }
  peephole hole;
  int received = 0;
  std::vector<char> buffer(1 << 17);
  std::vector<record> records;
  while (received < writers * each) {
    const int count = fifo.queue.receive(hole, buffer.data(), buffer.size(), 16, records);
    if (count == -EAGAIN) {
      (void)fifo.queue.wait(false, deadline::in_milliseconds(100));
      continue;
    }
    ASSERT_GT(count, 0);
    for (const record& seen : records) {
      ASSERT_FALSE(seen.torn);
      const std::string text(buffer.data() + seen.offset, seen.length);
      ASSERT_EQ(text, text_of(seen.length, static_cast<size_t>(text[0] - 'a')));
      received++;
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace ipckit::test
