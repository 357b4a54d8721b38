// Mapped memory: what is left of it when it is retired, and when the file below it goes.
#include "sys/mapping.h"

#include <sys/mman.h>
#include <sys/shm.h>

#include <thread>
#include <vector>

#include "support.h"
#include "sys/posix_memory.h"
#include "sys/shared_atomic.h"
#include "sys/threads.h"

namespace ipckit::sys {
namespace {

constexpr size_t page = 4096;

/// Memory without a name.
struct scratch {
  explicit scratch(size_t size = 4 * page)
      : file(std::move(posix_memory::make_anonymous("test", static_cast<int64_t>(size)).value())),
        pages(std::move(mapping::of_file(file.get(), size, true).value())) {}
  fd file;
  std::unique_ptr<mapping> pages;
};

TEST(mapping, shows_the_same_bytes_as_another_one) {
  const scratch memory;
  const auto other = std::move(mapping::of_file(memory.file.get(), 4 * page, false).value());
  memory.pages->data()[3 * page + 1] = 'x';
  EXPECT_EQ(other->data()[3 * page + 1], 'x');
  EXPECT_TRUE(memory.pages->writable());
  EXPECT_FALSE(other->writable());
  EXPECT_FALSE(memory.pages->lost());
}

TEST(mapping, of_shared_memory_outlives_the_first_mapping_and_begins_anywhere) {
  scratch memory;
  char* const at = memory.pages->data() + page + 128;
  const auto again = std::move(mapping::of_shared(at, page).value());
  at[5] = 'x';
  EXPECT_EQ(again->data()[5], 'x');
  EXPECT_EQ(again->size(), page);
  again->data()[page - 1] = 'y';
  EXPECT_EQ(at[page - 1], 'y');
  memory.pages.reset();
  EXPECT_EQ(again->data()[5], 'x');
  again->retire();
  EXPECT_EQ(again->data()[5], 0);
  EXPECT_FALSE(again->lost());
}

TEST(mapping, of_a_closed_descriptor_fails_and_names_the_call) {
  const auto failed = mapping::of_file(-1, page, true);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.why().error, EBADF);
  EXPECT_STREQ(failed.why().syscall, "mmap");
}

TEST(mapping, that_is_retired_shows_zeros_and_leaves_the_memory_to_others) {
  const scratch memory;
  const auto other = std::move(mapping::of_file(memory.file.get(), 4 * page, true).value());
  memory.pages->data()[0] = 'x';
  memory.pages->retire();
  EXPECT_EQ(memory.pages->data()[0], 0);
  memory.pages->data()[0] = 'y';
  EXPECT_EQ(other->data()[0], 'x');
}

TEST(mapping, that_is_read_only_can_be_written_to_without_harm_when_it_is_retired) {
  const scratch memory;
  const auto other = std::move(mapping::of_file(memory.file.get(), 4 * page, false).value());
  other->retire();
  other->data()[0] = 'y';
  EXPECT_EQ(memory.pages->data()[0], 0);
}

TEST(mapping, whose_file_is_truncated_shows_zeros_and_knows_it) {
  const scratch memory;
  memory.pages->data()[0] = 'x';
  ASSERT_EQ(::ftruncate(memory.file.get(), 0), 0);
  EXPECT_FALSE(memory.pages->lost());
  EXPECT_EQ(memory.pages->data()[0], 0);
  EXPECT_TRUE(memory.pages->lost());
  memory.pages->data()[3 * page] = 'y';
  EXPECT_EQ(memory.pages->data()[3 * page], 'y');
  // Nobody else's.
  ASSERT_EQ(::ftruncate(memory.file.get(), 4 * page), 0);
  EXPECT_EQ(mapping::of_file(memory.file.get(), 4 * page, true).value()->data()[3 * page], 0);
}

TEST(mapping, whose_file_shrinks_is_lost_at_the_first_touch_behind_its_end) {
  const scratch memory;
  memory.pages->data()[0] = 'x';
  ASSERT_EQ(::ftruncate(memory.file.get(), page), 0);
  EXPECT_EQ(memory.pages->data()[0], 'x');
  EXPECT_FALSE(memory.pages->lost());
  memory.pages->data()[page] = 'y';
  EXPECT_TRUE(memory.pages->lost());
  EXPECT_EQ(memory.pages->data()[0], 0);
}

TEST(mapping, that_is_lost_does_not_take_its_neighbours_along) {
  std::vector<scratch> all(1000);
  for (const scratch& each : all) each.pages->data()[0] = 'x';
  for (size_t at = 0; at < all.size(); at += 2) ASSERT_EQ(::ftruncate(all[at].file.get(), 0), 0);
  for (size_t at = 0; at < all.size(); at++) {
    EXPECT_EQ(all[at].pages->data()[0], at % 2 == 0 ? 0 : 'x');
    EXPECT_EQ(all[at].pages->lost(), at % 2 == 0);
  }
}

TEST(mapping, uses_its_place_in_the_registry_again_without_the_old_verdict) {
  for (int turn = 0; turn < 100; turn++) {
    const scratch memory;
    EXPECT_FALSE(memory.pages->lost());
    ASSERT_EQ(::ftruncate(memory.file.get(), 0), 0);
    memory.pages->data()[0] = 'x';
    EXPECT_TRUE(memory.pages->lost());
  }
}

TEST(mapping, that_is_lost_to_a_thread_of_ours_shows_it_zeros) {
  const scratch memory;
  ASSERT_EQ(ftruncate(memory.file.get(), 0), 0);
  const auto look = [](void* byte) -> void* {
    return *static_cast<volatile char*>(byte) == 0 ? byte : nullptr;
  };
  char* const byte = memory.pages->data();
  const auto thread = start_thread(look, byte);
  ASSERT_TRUE(thread.ok());
  void* zero = nullptr;
  pthread_join(thread.value(), &zero);
  EXPECT_EQ(zero, byte);
  EXPECT_TRUE(memory.pages->lost());
}

TEST(mapping, can_be_lost_to_many_threads_at_once_while_others_come_and_go) {
  std::atomic<bool> over{false};
  std::thread coming_and_going([&] {
    while (!over) {
      const scratch passing;
      passing.pages->data()[0] = 'x';
    }
  });
  for (int turn = 0; turn < 50; turn++) {
    const scratch memory;
    ASSERT_EQ(::ftruncate(memory.file.get(), 0), 0);
    std::vector<std::thread> readers;
    std::atomic<int> zeros{0};
    readers.reserve(4);
    for (int reader = 0; reader < 4; reader++) {
      readers.emplace_back([&, reader] {
        volatile const char* at = memory.pages->data() + reader * page;
        if (*at == 0 && memory.pages->lost()) zeros++;
      });
    }
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(zeros, 4);
  }
  over = true;
  coming_and_going.join();
}

TEST(mapping, leaves_faults_elsewhere_to_who_handled_them_before) {
  const test::child_process child([] {
    // In the order of a host: its handler first.
    struct sigaction host {};
    host.sa_handler = [](int) { ::_exit(42); };
    ::sigaction(SIGBUS, &host, nullptr);
    const scratch memory;
    const fd file = std::move(posix_memory::make_anonymous("foreign", page).value());
    auto* foreign =
        static_cast<volatile char*>(::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
    if (::ftruncate(file.get(), 0) == 0) foreign[0] = 'x';
  });
  EXPECT_EQ(WEXITSTATUS(const_cast<test::child_process&>(child).end()), 42);
}

#ifndef __SANITIZE_THREAD__
TEST(mapping, lets_a_fault_elsewhere_end_the_process_when_nobody_handled_it) {
  test::child_process child([] {
    struct sigaction none {};
    none.sa_handler = SIG_DFL;
    ::sigaction(SIGBUS, &none, nullptr);
    const scratch memory;
    const fd file = std::move(posix_memory::make_anonymous("foreign", page).value());
    auto* foreign =
        static_cast<volatile char*>(::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
    if (::ftruncate(file.get(), 0) == 0) foreign[0] = 'x';
  });
  const int status = child.end();
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGBUS);
}
#endif

TEST(mapping, of_a_segment_counts_as_attached_until_it_is_retired) {
  const int id = ::shmget(IPC_PRIVATE, 100, 0600);
  ASSERT_GE(id, 0);
  const auto attached = [id] {
    shmid_ds status{};
    return ::shmctl(id, IPC_STAT, &status) == 0 ? static_cast<int>(status.shm_nattch) : -1;
  };
  auto one = std::move(mapping::of_segment(id, true).value());
  auto other = std::move(mapping::of_segment(id, false).value());
  EXPECT_EQ(one->size(), 100U);
  one->data()[99] = 'x';
  EXPECT_EQ(other->data()[99], 'x');
  EXPECT_EQ(attached(), 2);
  one->retire();
  EXPECT_EQ(attached(), 1);
  EXPECT_EQ(one->data()[99], 0);
  one.reset();
  EXPECT_EQ(attached(), 1);
  ASSERT_EQ(::shmctl(id, IPC_RMID, nullptr), 0);
  EXPECT_EQ(other->data()[99], 'x');
  other.reset();
  EXPECT_EQ(attached(), -1);
}

TEST(mapping, of_a_segment_that_is_not_there_fails_and_names_the_call) {
  const auto failed = mapping::of_segment(-1, true);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.why().error, EINVAL);
  EXPECT_STREQ(failed.why().syscall, "shmat");
}

TEST(shared_atomic, gives_what_was_there_before) {
  alignas(8) uint64_t word = 5;
  EXPECT_EQ(operate<uint64_t>(&word, atomic_operation::load, 0, 0), 5U);
  EXPECT_EQ(operate<uint64_t>(&word, atomic_operation::add, ~uint64_t{0}, 0), 5U);
  EXPECT_EQ(operate<uint64_t>(&word, atomic_operation::exchange, 9, 0), 4U);
  EXPECT_EQ(operate<uint64_t>(&word, atomic_operation::compare_exchange, 1, 8), 9U);
  EXPECT_EQ(operate<uint64_t>(&word, atomic_operation::compare_exchange, 1, 9), 9U);
  EXPECT_EQ(operate<uint64_t>(&word, atomic_operation::store, 3, 0), 3U);
  EXPECT_EQ(word, 3U);
}

TEST(shared_atomic, loses_no_count_of_two_processes) {
  const scratch memory;
  const auto count = [&] {
    for (int turn = 0; turn < 100'000; turn++) {
      operate<uint32_t>(memory.pages->data(), atomic_operation::add, 1, 0);
    }
  };
  test::child_process child(count);
  count();
  EXPECT_EQ(child.end(), 0);
  EXPECT_EQ(operate<uint32_t>(memory.pages->data(), atomic_operation::load, 0, 0), 200'000U);
}

}  // namespace
}  // namespace ipckit::sys
