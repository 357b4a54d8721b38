// RWLock: several readers or one writer.
#include "support.h"

TEST(RWLock, SeveralReadOrOneWrites) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Guest guest(lock.name());
  EXPECT_EQ(acquire_shared(lock, 0), 0);
  EXPECT_EQ(acquire_shared(guest, 0), 0);
  EXPECT_EQ(acquire_shared(guest, 0), 0);
  EXPECT_EQ(stat_of(lock).value, 3U);
  EXPECT_EQ(ipckit_sync_holds(guest, 0), 4);
  EXPECT_EQ(acquire(guest, 0), -EAGAIN);
  EXPECT_EQ(ipckit_sync_release_shared(lock), 0);
  EXPECT_EQ(ipckit_sync_release_shared(guest), 0);
  EXPECT_EQ(acquire(guest, 20 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(ipckit_sync_release_shared(guest), 0);
  EXPECT_EQ(acquire(guest, 0), 0);
  EXPECT_EQ(ipckit_sync_holds(guest, 0), 1);
  EXPECT_EQ(stat_of(lock).held, 1U);
  EXPECT_EQ(stat_of(lock).holder_pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(acquire_shared(lock, 0), -EAGAIN);
  EXPECT_EQ(acquire(lock, 0), -EAGAIN);
  EXPECT_EQ(release(guest), 0);
  EXPECT_EQ(ipckit_sync_verify(lock), 0);
}

TEST(RWLock, AReleaseOfWhatIsNotHeldIsRefused) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Guest guest(lock.name());
  EXPECT_EQ(release(lock), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(ipckit_sync_release_shared(lock), IPCKIT_E_NOT_HELD);
  ASSERT_EQ(acquire(lock, 0), 0);
  EXPECT_EQ(release(guest), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(ipckit_sync_release_shared(lock), IPCKIT_E_NOT_HELD) << "held the other way";
  EXPECT_EQ(release(lock), 0);
  EXPECT_EQ(release(lock), IPCKIT_E_NOT_HELD);
  ASSERT_EQ(acquire_shared(lock, 0), 0);
  EXPECT_EQ(release(lock), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(ipckit_sync_release_shared(guest), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(ipckit_sync_release_shared(lock), 0);
  EXPECT_EQ(acquire(lock, 0, 2), -EINVAL) << "it has no levels";
}

TEST(RWLock, WhoWaitsToWriteKeepsOutLaterReaders) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Guest guest(lock.name());
  ASSERT_EQ(acquire_shared(lock, 0), 0);
  std::thread writer([&] {
    EXPECT_EQ(acquire(guest), 0);
    usleep(10000);
    EXPECT_EQ(release(guest), 0);
  });
  await_waiters(lock, 1);
  Guest late(lock.name());
  EXPECT_EQ(acquire_shared(late, 0), -EAGAIN);
  EXPECT_EQ(ipckit_sync_release_shared(lock), 0);
  EXPECT_EQ(acquire_shared(late), 0) << "and not for ever";
  writer.join();
}

TEST(RWLock, AStoppedWriterThatWaitsDoesNotKeepReadersOut) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  ASSERT_EQ(acquire_shared(lock, 0), 0);
  Child writer([&] { return acquire(open_in_child(lock.name())); });
  await_waiters(lock, 1);
  usleep(20000);
  writer.stop();
  Guest reader(lock.name());
  EXPECT_EQ(acquire_shared(reader), 0);
}

TEST(RWLock, ReadersAndWritersAllGetTheirs) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  std::atomic<bool> over{false};
  std::atomic<int64_t> reads{0}, writes{0};
  std::atomic<int> reading{0}, writing{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; i++) {
    threads.emplace_back([&, i] {
      Guest guest(lock.name());
      while (!over) {
        if (i < 4) {
          ASSERT_EQ(acquire_shared(guest), 0);
          reading++;
          ASSERT_EQ(writing, 0);
          std::this_thread::yield();
          reading--;
          reads++;
          ASSERT_EQ(ipckit_sync_release_shared(guest), 0);
        } else {
          ASSERT_EQ(acquire(guest), 0);
          ASSERT_EQ(writing++, 0);
          ASSERT_EQ(reading, 0);
          std::this_thread::yield();
          writing--;
          writes++;
          ASSERT_EQ(release(guest), 0);
        }
      }
    });
  }
  while (reads < 500 || writes < 500) usleep(1000);
  over = true;
  for (auto& thread : threads) thread.join();
  printf("%ld reads by 4 and %ld writes by 2\n", static_cast<long>(reads), static_cast<long>(writes));
  EXPECT_EQ(ipckit_sync_verify(lock), 0);
}

TEST(RWLock, ADeadReaderIsSubtracted) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Resident child([&] {
    ipckit_sync_t* mine = open_in_child(lock.name());
    acquire_shared(mine);
    acquire_shared(mine);
  });
  uint32_t told = 1;
  std::thread writer([&] { told = acquire_from_dead(lock); });
  await_waiters(lock, 1);
  expect_soon_after_death(child, "a writer goes on", [&] { writer.join(); });
  EXPECT_EQ(told, 0U) << "who reads leaves nothing half done";
  EXPECT_EQ(ipckit_sync_verify(lock), 0);
}

TEST(RWLock, TheNextReaderOrWriterIsToldOfADeadWriter) {
  for (uint32_t operation : {IPCKIT_ACQUIRE, IPCKIT_ACQUIRE_SHARED}) {
    Sync lock(IPCKIT_KIND_RWLOCK);
    Resident child([&] { acquire(open_in_child(lock.name())); });
    const auto pid = static_cast<uint32_t>(child.pid());
    uint32_t told = 0;
    std::thread next([&] { told = acquire_from_dead(lock, operation); });
    await_waiters(lock, 1);
    expect_soon_after_death(child, "the next one goes on", [&] { next.join(); });
    EXPECT_EQ(told, pid);
    Guest second(lock.name());
    if (operation == IPCKIT_ACQUIRE_SHARED) {
      EXPECT_EQ(acquire_from_dead(second, operation), 0U) << "told once";
      EXPECT_EQ(ipckit_sync_release_shared(lock), 0);
    } else {
      EXPECT_EQ(release(lock), 0);
      EXPECT_EQ(acquire_from_dead(second), 0U);
    }
    EXPECT_EQ(ipckit_sync_verify(lock), 0);
  }
}

TEST(RWLock, AReaderThatDiesAfterItWasToldPassesItOn) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  for (uint32_t operation : {IPCKIT_ACQUIRE, IPCKIT_ACQUIRE_SHARED}) {
    child_dies_after([&] { wait_for(open_in_child(lock.name()), operation); });
  }
  EXPECT_NE(acquire_from_dead(lock), 0U);
  EXPECT_EQ(ipckit_sync_verify(lock), 0);
}

TEST(RWLock, ClosingGivesBothBackInPeace) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Guest reader(lock.name());
  ASSERT_EQ(acquire_shared(reader), 0);
  reader.close();
  Guest writer(lock.name());
  ASSERT_EQ(acquire(writer, 0), 0);
  writer.close();
  EXPECT_EQ(acquire_from_dead(lock, IPCKIT_ACQUIRE, 0), 0U);
}

TEST(RWLock, AStoppedHolderKeepsIt) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Resident child([&] { acquire(open_in_child(lock.name())); });
  child.stop();
  EXPECT_EQ(acquire_shared(lock, 400 * kMillisecond), -ETIMEDOUT);
}
