// What all kinds share: creating, opening and refusing; files of others, cut short, scribbled over; and who
// is attached.
#include <fcntl.h>
#include <sys/stat.h>

#include "ipckit/queue.h"
#include "support.h"

extern "C" {
#include "sync/sync.h"
}

constexpr uint32_t kKinds[] = {IPCKIT_KIND_LOCK,
                               IPCKIT_KIND_RLOCK,
                               IPCKIT_KIND_RWLOCK,
                               IPCKIT_KIND_SEMAPHORE,
                               IPCKIT_KIND_BOUNDED_SEMAPHORE,
                               IPCKIT_KIND_CONDITION,
                               IPCKIT_KIND_EVENT,
                               IPCKIT_KIND_BARRIER,
                               IPCKIT_KIND_VALUE};

static ipckit_sync_options_t options_of(uint32_t kind) {
  ipckit_sync_options_t options = {};
  options.kind = kind;
  if (kind == IPCKIT_KIND_VALUE) options.bytes = 64;
  return options;
}

/// Waits in whatever way the kind has.
static int any_wait(ipckit_sync_t* sync, uint32_t kind, int64_t timeout) {
  const uint32_t operation = kind == IPCKIT_KIND_EVENT     ? IPCKIT_WAIT_EVENT
                             : kind == IPCKIT_KIND_BARRIER ? IPCKIT_WAIT_BARRIER
                                                           : IPCKIT_ACQUIRE;
  return wait_for(sync, operation, timeout);
}

static int open_result(const std::string& name, ipckit_sync_options_t options = {},
                       ipckit_refusal_t* refusal = nullptr) {
  ipckit_sync_t* sync = nullptr;
  const int result = ipckit_sync_open(name.c_str(), &options, refusal, &sync);
  if (result == 0) ipckit_sync_close(sync);
  return result;
}

static int create_result(ipckit_sync_options_t options) {
  const std::string name = random_name();
  ipckit_sync_t* sync = nullptr;
  const int result = ipckit_sync_create(name.c_str(), &options, nullptr, &sync);
  if (result == 0) ipckit_sync_close(sync);
  ipckit_sync_unlink(name.c_str(), nullptr);
  return result;
}

TEST(Objects, AreCreatedOpenedAndUnlinked) {
  for (uint32_t kind : kKinds) {
    const std::string name = random_name();
    ipckit_sync_options_t options = options_of(kind);
    options.value = 2;
    ipckit_sync_t *first = nullptr, *second = nullptr;
    EXPECT_EQ(open_result(name), -ENOENT);
    EXPECT_EQ(ipckit_sync_open_or_create(name.c_str(), &options, nullptr, &first), 1);
    EXPECT_EQ(ipckit_sync_open_or_create(name.c_str(), &options, nullptr, &second), 0);
    ipckit_sync_t* third = nullptr;
    EXPECT_EQ(ipckit_sync_create(name.c_str(), &options, nullptr, &third), -EEXIST);
    EXPECT_EQ(stat_of(second).kind, kind);
    EXPECT_EQ(stat_of(second).participants, 2U);
    EXPECT_EQ(ipckit_sync_is_unlinked(first), 0);
    EXPECT_EQ(ipckit_sync_unlink(name.c_str(), nullptr), 0);
    EXPECT_EQ(ipckit_sync_unlink(name.c_str(), nullptr), -ENOENT);
    EXPECT_EQ(ipckit_sync_is_unlinked(first), 1);
    EXPECT_EQ(ipckit_sync_verify(first), 0);
    EXPECT_EQ(ipckit_sync_close(first), 0);
    EXPECT_EQ(stat_of(second).participants, 1U);
    EXPECT_EQ(ipckit_sync_close(second), 0);
  }
  EXPECT_EQ(ipckit_sync_close(nullptr), -EFAULT);
}

TEST(Objects, AnotherKindUnderTheNameIsRefusedAndNamed) {
  for (uint32_t kind : kKinds) {
    Sync sync(kind, 2, options_of(kind));
    ipckit_refusal_t refusal;
    for (uint32_t other : kKinds) {
      EXPECT_EQ(open_result(sync.name(), options_of(other), &refusal), other == kind ? 0 : IPCKIT_E_KIND);
      EXPECT_EQ(refusal.kind, kind);
    }
    EXPECT_EQ(open_result(sync.name()), 0) << "0 takes any";
    ipckit_queue_t* queue = nullptr;
    EXPECT_EQ(ipckit_queue_open(sync.name().c_str(), nullptr, &refusal, &queue), IPCKIT_E_KIND);
    EXPECT_EQ(refusal.kind, kind);
    EXPECT_EQ(ipckit_queue_open_or_create(sync.name().c_str(), nullptr, &refusal, &queue), IPCKIT_E_KIND);
  }
}

TEST(Objects, AQueueUnderTheNameIsRefusedAndLookedAt) {
  const std::string name = random_name();
  ipckit_queue_options_t options = {};
  options.type_name = "orders";
  ipckit_queue_t* queue = nullptr;
  ASSERT_EQ(ipckit_queue_create(name.c_str(), &options, nullptr, &queue), 0);
  ipckit_refusal_t refusal;
  EXPECT_EQ(open_result(name, {}, &refusal), IPCKIT_E_KIND);
  EXPECT_EQ(refusal.kind, IPCKIT_KIND_QUEUE);
  ipckit_sync_stat_t stat;
  EXPECT_EQ(ipckit_sync_look(name.c_str(), nullptr, &stat), 0);
  EXPECT_EQ(stat.kind, IPCKIT_KIND_QUEUE);
  EXPECT_STREQ(stat.type_name, "orders");
  ipckit_queue_close(queue);
  ipckit_queue_unlink(name.c_str(), nullptr);
  EXPECT_EQ(ipckit_sync_look(name.c_str(), nullptr, &stat), -ENOENT);
}

TEST(Objects, OptionsOutOfRangeAreRefused) {
  using options = ipckit_sync_options_t;
  auto with = [](uint32_t kind, auto change) {
    options o = options_of(kind);
    change(o);
    return create_result(o);
  };
  EXPECT_EQ(with(0, [](options&) {}), -EINVAL);
  EXPECT_EQ(with(10, [](options&) {}), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_BARRIER, [](options&) {}), -EINVAL) << "of no parties";
  EXPECT_EQ(with(IPCKIT_KIND_BARRIER, [](options& o) { o.value = 1025; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_BARRIER, [](options& o) { o.value = 1024; }), 0);
  EXPECT_EQ(with(IPCKIT_KIND_BARRIER, [](options& o) { o.value = 3, o.waiters = 2; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_SEMAPHORE, [](options& o) { o.value = 0x80000000U; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_SEMAPHORE, [](options& o) { o.value = 0x7fffffffU; }), 0);
  EXPECT_EQ(with(IPCKIT_KIND_SEMAPHORE, [](options& o) { o.waiters = 1025; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_VALUE, [](options& o) { o.bytes = 0; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_VALUE, [](options& o) { o.bytes = (1ULL << 40) + 1; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_LOCK, [](options& o) { o.participants = 1; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_LOCK, [](options& o) { o.participants = 1025; }), -EINVAL);
  EXPECT_EQ(with(IPCKIT_KIND_LOCK, [](options& o) { o.participants = 2; }), 0);
}

TEST(Objects, NamesAreChecked) {
  ipckit_sync_options_t options = options_of(IPCKIT_KIND_LOCK);
  ipckit_sync_t* sync = nullptr;
  for (const char* name : {"", "/", "a/b", "/a/b", "//"}) {
    EXPECT_EQ(ipckit_sync_create(name, &options, nullptr, &sync), -EINVAL) << name;
    EXPECT_EQ(ipckit_sync_open(name, &options, nullptr, &sync), -EINVAL) << name;
    EXPECT_EQ(ipckit_sync_unlink(name, nullptr), -EINVAL) << name;
  }
  EXPECT_EQ(ipckit_sync_create(std::string(201, 'x').c_str(), &options, nullptr, &sync), -ENAMETOOLONG);
  EXPECT_EQ(ipckit_sync_open(nullptr, &options, nullptr, &sync), -EFAULT);
  EXPECT_EQ(ipckit_sync_open("x", &options, nullptr, nullptr), -EFAULT);
}

TEST(Objects, WhateverElseStandsAtTheNameIsRefused) {
  const std::string name = random_name(), path = "/dev/shm/ipckit." + name.substr(1);
  ipckit_sync_stat_t stat;
  auto both = [&](int expected, const char* what) {
    EXPECT_EQ(open_result(name), expected) << what;
    EXPECT_EQ(ipckit_sync_look(name.c_str(), nullptr, &stat), expected) << what;
    remove(path.c_str());
  };
  mkdir(path.c_str(), 0700);
  both(IPCKIT_E_NOT_REGULAR, "a directory");
  mkfifo(path.c_str(), 0600);
  both(IPCKIT_E_NOT_REGULAR, "a FIFO");
  ASSERT_EQ(symlink("/dev/shm/elsewhere", path.c_str()), 0);
  both(IPCKIT_E_NOT_REGULAR, "a symbolic link");
  for (const size_t size : {0, 100, 4096, 100000}) {
    const int fd = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    const std::string bytes(size, 'x');
    ASSERT_EQ(write(fd, bytes.data(), size), static_cast<ssize_t>(size));
    close(fd);
    both(IPCKIT_E_NOT_A_QUEUE, "a file of somebody");
  }
}

TEST(Objects, FilesThatOthersCouldWriteAreRefusedUnlessAsked) {
  Sync lock(IPCKIT_KIND_LOCK);
  ipckit_refusal_t refusal;
  ASSERT_EQ(chmod(lock.path().c_str(), 0666), 0);
  EXPECT_EQ(open_result(lock.name(), {}, &refusal), IPCKIT_E_MODE);
  EXPECT_EQ(refusal.mode, 0666U);
  ipckit_sync_options_t options = {};
  options.flags = IPCKIT_SYNC_ANY_MODE;
  EXPECT_EQ(open_result(lock.name(), options), 0);
  ASSERT_EQ(chmod(lock.path().c_str(), 0600), 0);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(lock.path().c_str(), 12345, 12345), 0);
    EXPECT_EQ(open_result(lock.name(), {}, &refusal), IPCKIT_E_OWNER);
    EXPECT_EQ(refusal.owner, 12345U);
    options.flags = IPCKIT_SYNC_ANY_OWNER;
    EXPECT_EQ(open_result(lock.name(), options), 0);
    ASSERT_EQ(chown(lock.path().c_str(), 0, 0), 0);
  }
  const std::string second = lock.path() + ".second";
  ASSERT_EQ(link(lock.path().c_str(), second.c_str()), 0);
  EXPECT_EQ(open_result(lock.name()), IPCKIT_E_LINKS);
  remove(second.c_str());
  EXPECT_EQ(open_result(lock.name()), 0);
}

static void overwrite(const std::string& path, off_t at, const void* bytes, size_t size) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(pwrite(fd, bytes, size, at), static_cast<ssize_t>(size));
  close(fd);
}

TEST(Objects, ADamagedIdentityIsRefused) {
  for (size_t at = 0; at < 216; at += 3) {
    if (at == 9) continue;  // of the version, where files of a later one are read too
    Sync sync(IPCKIT_KIND_BARRIER, 2);
    const uint8_t noise = 0xa5;
    const auto* bytes = reinterpret_cast<const uint8_t*>(static_cast<ipckit_sync_t*>(sync)->h);
    if (bytes[at] == noise) continue;
    overwrite(sync.path(), static_cast<off_t>(at), &noise, 1);
    EXPECT_LT(open_result(sync.name()), 0) << at;
  }
  Sync sync(IPCKIT_KIND_LOCK);
  const uint32_t version = 2 << 16;
  overwrite(sync.path(), offsetof(ipckit_layout_start_t, version), &version, sizeof version);
  EXPECT_EQ(open_result(sync.name()), IPCKIT_E_VERSION);
}

TEST(Objects, AFileOfAnotherSizeIsRefused) {
  for (uint32_t kind : kKinds) {
    Sync sync(kind, 2, options_of(kind));
    struct stat file;
    ASSERT_EQ(stat(sync.path().c_str(), &file), 0);
    ASSERT_EQ(truncate(sync.path().c_str(), file.st_size + 4096), 0);
    EXPECT_EQ(open_result(sync.name()), IPCKIT_E_SIZE);
    ASSERT_EQ(truncate(sync.path().c_str(), file.st_size), 0);
    EXPECT_EQ(open_result(sync.name()), 0);
  }
}

TEST(Objects, ATruncationIsAnErrorAndNoSignalAlsoForWhoWaits) {
  for (uint32_t kind : kKinds) {
    Sync sync(kind, kind == IPCKIT_KIND_BARRIER ? 3 : 0, options_of(kind));
    Guest guest(sync.name());
    if (sync_has_mutex(kind) || kind == IPCKIT_KIND_RWLOCK) {
      ASSERT_EQ(acquire(guest, 0), 0);
    }
    Child waiter([&] {
      ipckit_sync_t* mine = open_in_child(sync.name());
      return any_wait(mine, kind, kPatience) == IPCKIT_E_CORRUPT ? 0 : 1;
    });
    await_waiters(sync, 1);
    ASSERT_EQ(truncate(sync.path().c_str(), 0), 0);
    EXPECT_EQ(waiter.join(), 0) << kind;
    EXPECT_EQ(any_wait(sync, kind, 0), IPCKIT_E_CORRUPT) << kind;
    ipckit_sync_stat_t stat;
    EXPECT_EQ(ipckit_sync_stat(guest, &stat), IPCKIT_E_CORRUPT);
    EXPECT_EQ(ipckit_sync_sweep(guest), IPCKIT_E_CORRUPT);
  }
}

TEST(Objects, NoScribblingCrashesOrHangsItsVictims) {
  const unsigned seed = std::random_device{}();
  printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (uint32_t kind : kKinds) {
    for (int round = 0; round < 150; round++) {
      ipckit_sync_options_t options = options_of(kind);
      options.participants = 4;
      Sync sync(kind, 2, options);
      ipckit_sync_t* s = sync;
      ipckit_wait_t waits[2] = {a_wait(IPCKIT_ACQUIRE), a_wait(IPCKIT_ACQUIRE)};
      for (auto& wait : waits) {
        if (kind == IPCKIT_KIND_EVENT) wait.operation = IPCKIT_WAIT_EVENT;
        if (kind == IPCKIT_KIND_BARRIER) wait.operation = IPCKIT_WAIT_BARRIER;
        if (kind == IPCKIT_KIND_CONDITION) wait.operation = IPCKIT_WAIT_CONDITION;
        ipckit_sync_begin(sync, &wait);
      }
      // Everything but the identity; a living owner's word in a lock is waited for, as it must be.
      auto* words = reinterpret_cast<uint32_t*>(s->h) + 128;
      const size_t count = (s->g.waiters_at + 4 * sizeof(ipckit_layout_waiter_t)) / 4 - 128;
      const size_t ours = s->g.people_at / 4 - 128 + s->people.slot * 32U;
      for (int n = 0; n < 20; n++) {
        const size_t at = n < 10 ? random() % 250 : random() % std::min(count, s->map.bytes / 4 - 128);
        if (at == ours) continue;  // who scribbles over our place has us refused, which says nothing
        __atomic_store_n(&words[at], random() % 4 ? random() % 8 : random(), __ATOMIC_RELAXED);
      }
      __atomic_store_n(&s->h->state, IPCKIT_STATE_OPEN, __ATOMIC_RELAXED);
      __atomic_store_n(&s->h->guard, 0, __ATOMIC_RELAXED);
      Stopwatch watch;
      for (auto& wait : waits) ipckit_sync_try(sync, &wait);
      any_wait(sync, kind, 1 * kMillisecond);
      release(sync);
      ipckit_sync_release_shared(sync);
      ipckit_event_set(sync);
      ipckit_event_clear(sync);
      ipckit_condition_notify(sync, 1);
      ipckit_barrier_abort(sync);
      ipckit_barrier_reset(sync);
      ipckit_sync_sweep(sync);
      ipckit_sync_verify(sync);
      ipckit_sync_stat_t stat;
      ipckit_sync_stat(sync, &stat);
      ipckit_sync_look(sync.name().c_str(), nullptr, &stat);
      for (auto& wait : waits) ipckit_sync_cancel(sync, &wait);
      ASSERT_LT(watch.seconds(), 20) << "kind " << kind << " round " << round;
    }
  }
}

TEST(Objects, AGuardOfALivingOwnerIsNotWaitedForLong) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 1);
  Guest guest(semaphore.name());
  ipckit_sync_t* mine = semaphore;
  mine->h->guard = static_cast<ipckit_sync_t*>(guest)->people.tag;
  Stopwatch watch;
  EXPECT_EQ(acquire(semaphore), IPCKIT_E_HELD);
  EXPECT_LT(watch.seconds(), 2);
  ipckit_sync_stat_t stat;
  EXPECT_EQ(ipckit_sync_stat(semaphore, &stat), 0) << "who looks for the reason is told something";
  mine->h->guard = 0;
  EXPECT_EQ(acquire(semaphore), 0);
}

TEST(Objects, AGuardOfTheDeadIsTakenOver) {
  for (uint32_t kind : kKinds) {
    Sync sync(kind, 2, options_of(kind));
    Child child([&] {
      ipckit_sync_t* mine = open_in_child(sync.name());
      sync_wakes wakes;
      if (sync_enter(mine, &wakes) != 0) return 1;
      raise(SIGKILL);
      return 0;
    });
    EXPECT_EQ(child.join(), 128 + SIGKILL);
    EXPECT_EQ(ipckit_sync_verify(sync), 0);
    EXPECT_GE(stat_of(sync).recoveries, 1U);
    EXPECT_EQ(stat_of(sync).participants, 1U);
  }
}

TEST(Objects, APlaceForAParticipantIsFreeAgainAfterADeath) {
  ipckit_sync_options_t options = {};
  options.participants = 3;
  Sync lock(IPCKIT_KIND_LOCK, 0, options);
  for (int i = 0; i < 10; i++) {
    Child child([&] {
      open_in_child(lock.name());
      open_in_child(lock.name());
      ipckit_sync_t* more = nullptr;
      if (ipckit_sync_open(lock.name().c_str(), nullptr, nullptr, &more) != IPCKIT_E_PARTICIPANTS) return 1;
      raise(SIGKILL);
      return 0;
    });
    ASSERT_EQ(child.join(), 128 + SIGKILL);
  }
}
