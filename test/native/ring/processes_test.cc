// Several processes: waits, wakes, deaths, stops, forks, and who is attached.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <thread>

#include "support.h"

extern "C" {
#include "ring/queue.h"
}

/// In a child, for as long as it lives.
static void lease_in_child(const std::string& name) {
  ipckit_message_t message;
  lease(open_in_child(name), &message);
}

TEST(Processes, AGetWaitsForWhatAnotherProcessPutsLater) {
  Queue queue;
  Child child([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    usleep(30000);
    return put(mine, "from another process");
  });
  EXPECT_EQ(get(queue), "from another process");
  EXPECT_EQ(child.join(), 0);
}

TEST(Processes, APutWaitsForRoom) {
  ipckit_queue_options_t options = {};
  options.capacity = 1;
  Queue queue(options);
  put(queue, "first");
  Child child([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    usleep(30000);
    return get(mine) == "first" ? 0 : 1;
  });
  EXPECT_EQ(put(queue, "second"), 0);
  EXPECT_EQ(child.join(), 0);
}

TEST(Processes, ALargePutWaitsForBytes) {
  ipckit_queue_options_t options = {};
  options.capacity = 100;
  options.capacity_bytes = 10000;
  options.max_message_bytes = 10000;
  Queue queue(options);
  for (int i = 0; i < 9; i++) ASSERT_EQ(put(queue, std::string(1024, 'x')), 0);
  Child child([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    for (int i = 0; i < 9; i++) {
      usleep(2000);
      if (get(mine).size() != 1024) return 1;
    }
    return get(mine).size() == 9000 ? 0 : 2;
  });
  EXPECT_EQ(put(queue, std::string(9000, 'y')), 0);
  EXPECT_EQ(child.join(), 0);
}

TEST(Processes, ShutdownWakesThemAll) {
  Queue queue;
  std::vector<std::unique_ptr<Child>> children;
  Signpost ready;
  for (int i = 0; i < 5; i++) {
    children.push_back(
        std::make_unique<Child>([&] { return wait_until_refused(queue.name(), ready, IPCKIT_E_SHUTDOWN); }));
  }
  for (int i = 0; i < 5; i++) ready.await();
  usleep(20000);
  EXPECT_EQ(ipckit_queue_shutdown(queue, 0), 0);
  for (auto& child : children) EXPECT_EQ(child->join(), 0);
}

TEST(Deaths, WhatAKilledHolderHadComesBackToAWaiterByItself) {
  Queue queue;
  put(queue, "job");
  Resident child([&] { lease_in_child(queue.name()); });
  EXPECT_EQ(get(queue, 0), "<Resource temporarily unavailable>");
  std::thread killer([&] {
    usleep(20000);
    child.signal(SIGKILL);
  });
  ipckit_message_t message;
  EXPECT_EQ(get(queue, kPatience, &message), "job");
  EXPECT_EQ(message.delivery_count, 2U);
  EXPECT_EQ(message.redelivered, 1U);
  killer.join();
  EXPECT_EQ(child.join(), 128 + SIGKILL);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Deaths, AConsumerThatOnlyPollsFindsItToo) {
  Queue queue;
  put(queue, "job");
  child_dies_after([&] { lease_in_child(queue.name()); });
  std::string got;
  while ((got = get(queue, 0)) != "job") usleep(5000);
}

TEST(Deaths, LocksOfTheDeadAreTakenOver) {
  for (int which = 0; which < 4; which++) {
    Queue queue;
    put(queue, "kept");
    Child child([&] {
      ipckit_queue_t* mine = open_in_child(queue.name());
      int64_t end = 0;
      if (which == 0 && ring_enter_producers(mine) < 0) return 1;
      if (which == 1 && ring_enter_consumers(mine) < 0) return 1;
      if (which >= 2 && ring_enter_both(mine) < 0) return 1;
      if (which == 3 && ring_lock(&mine->h->recovery_lock, &mine->people, &end) != 0) return 1;
      raise(SIGKILL);
      return 0;
    });
    EXPECT_EQ(child.join(), 128 + SIGKILL);
    EXPECT_EQ(put(queue, "new"), 0);
    EXPECT_EQ(get(queue), "kept");
    EXPECT_EQ(get(queue), "new");
    EXPECT_EQ(stat_of(queue).recoveries, 1U);
    EXPECT_EQ(ipckit_queue_verify(queue), 0);
  }
}

TEST(Deaths, JoinEndsWhenTheTasksOfTheDeadWereDoneByOthers) {
  ipckit_queue_options_t options = {};
  options.flags = IPCKIT_QUEUE_JOINABLE;
  Queue queue(options);
  put(queue, "task");
  child_dies_after([&] { get(open_in_child(queue.name())); });
  std::thread worker([&] {
    Guest guest(queue.name());
    EXPECT_EQ(get(guest), "task");
    EXPECT_EQ(ipckit_queue_task_done(guest), 0);
  });
  EXPECT_EQ(ipckit_queue_join(queue, kPatience), 0);
  worker.join();
}

TEST(Deaths, AWakeUpThatADyingWaiterSwallowedReachesAnother) {
  for (int round = 0; round < 5; round++) {
    Queue queue;
    Signpost ready;
    auto waiter = [&] {
      ipckit_queue_t* mine = open_in_child(queue.name());
      ready.reached();
      return get(mine, IPCKIT_FOREVER) == "one" ? 0 : 1;
    };
    Child first(waiter);
    ready.await();
    usleep(20000);
    Child second(waiter);
    ready.await();
    usleep(20000);
    first.stop();  // it cannot take what it is woken for
    EXPECT_EQ(put(queue, "one"), 0);
    first.signal(SIGKILL);
    EXPECT_EQ(second.join(), 0);
  }
}

TEST(Stops, AStoppedHolderKeepsItsLeaseAndNobodyWaitsForIt) {
  Queue queue;
  put(queue, "held");
  put(queue, "next");
  Resident child([&] { lease_in_child(queue.name()); });
  child.stop();
  EXPECT_EQ(get(queue), "next");
  EXPECT_EQ(get(queue, 250 * kMillisecond), "<Connection timed out>");
  EXPECT_EQ(stat_of(queue).in_flight, 1U);
  child.signal(SIGKILL);
  EXPECT_EQ(get(queue), "held");
}

TEST(Stops, ALockWhoseOwnerIsStoppedIsReportedAndHarmless) {
  Queue queue;
  Resident child([&] {
    if (ring_enter_producers(open_in_child(queue.name())) < 0) leave(1);
  });
  child.stop();
  EXPECT_EQ(put(queue, "x"), IPCKIT_E_HELD);
  EXPECT_EQ(get(queue, 0), "<Resource temporarily unavailable>") << "the other side goes on";
  child.signal(SIGKILL);
  EXPECT_EQ(put(queue, "x"), 0);
}

TEST(Stops, AWaiterThatWasStoppedTakesALockThatIsFreeWhenItGoesOn) {
  Queue queue;
  Signpost holding, release, waiting;
  Child holder([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    if (ring_enter_producers(mine) < 0) return 1;
    holding.reached();
    release.await();
    return ring_leave_producers(mine, 0) == 0 ? ipckit_queue_close(mine) : 2;
  });
  holding.await();
  Child waiter([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    waiting.reached();
    return put(mine, "x") == 0 ? 0 : 1;
  });
  waiting.await();
  usleep(50000);
  waiter.stop();
  usleep(700000);  // longer than it would have waited
  release.reached();
  EXPECT_EQ(holder.join(), 0);
  waiter.signal(SIGCONT);
  EXPECT_EQ(waiter.join(), 0);
  EXPECT_EQ(get(queue), "x");
}

TEST(Forks, TheChildIsRefusedAndTheParentsDeathIsSeenWhileTheChildLives) {
  Queue queue;
  put(queue, "job");
  Signpost over;
  Child parent([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    ipckit_message_t message;
    lease(mine, &message);
    if (fork() == 0) {
      char buffer[8];
      int code = ipckit_queue_try_put(mine, "x", 1, 0) != IPCKIT_E_FORKED           ? 1
                 : ipckit_queue_ack(mine, &message.token) != IPCKIT_E_FORKED        ? 2
                 : ipckit_queue_get(mine, buffer, 8, nullptr, 0) != IPCKIT_E_FORKED ? 3
                 : ipckit_queue_close(mine) != 0                                    ? 4
                                                                                    : 0;
      if (code == 0) over.reached();
      sleep(2);  // longer than the parent lives
      leave(code);
    }
    pause();
    return 0;
  });
  over.await();
  EXPECT_EQ(stat_of(queue).in_flight, 1U) << "closing in the child gives nothing back";
  EXPECT_EQ(ipckit_queue_sweep(queue), 0);
  parent.signal(SIGKILL);
  EXPECT_EQ(parent.join(), 128 + SIGKILL);
  EXPECT_EQ(get(queue), "job");
}

TEST(Forks, AChildThatNeverHeardOfTheQueueDoesNotKeepItsParentAlive) {
  Queue queue;
  put(queue, "job");
  Resident parent([&] {
    lease_in_child(queue.name());
    if (fork() == 0) {
      sleep(2);
      _exit(0);
    }
  });
  parent.signal(SIGKILL);
  EXPECT_EQ(parent.join(), 128 + SIGKILL);
  EXPECT_EQ(get(queue, kSecond), "job");
}

TEST(Forks, AChildMayOpenTheQueueItself) {
  Queue queue;
  Child child([&] { return put(open_in_child(queue.name()), "child"); });
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(get(queue), "child");
}

TEST(Namespaces, EqualPidsAreDifferentParticipantsWhoseDeathsAreSeen) {
  if (geteuid() != 0) GTEST_SKIP() << "only root makes PID namespaces";
  Queue queue;
  put(queue, "first");
  put(queue, "second");
  Signpost holding;
  // Each is process 1 of its namespace, as two containers of a pod are.
  auto in_namespace = [&] {
    return stay_in_namespace([&] {
      lease_in_child(queue.name());
      holding.reached();
    });
  };
  Child first(in_namespace);
  holding.await();
  Child second(in_namespace);
  holding.await();
  ipckit_participant_t people[4];
  ASSERT_EQ(ipckit_queue_participants(queue, people, 4), 3);
  EXPECT_EQ(people[1].pid, 1U);
  EXPECT_EQ(people[2].pid, 1U);
  EXPECT_EQ(ipckit_queue_sweep(queue), 0) << "both are alive";
  first.signal(SIGTERM);
  EXPECT_EQ(first.join(), 0);
  EXPECT_EQ(get(queue), "first");
  EXPECT_EQ(get(queue, 0), "<Resource temporarily unavailable>") << "the other one lives on";
  second.signal(SIGTERM);
  EXPECT_EQ(second.join(), 0);
  EXPECT_EQ(get(queue), "second");
}

TEST(Participants, AsManyAsThereArePlacesAndPlacesOfTheDeadAreFree) {
  ipckit_queue_options_t options = {};
  options.participants = 3;
  Queue queue(options);
  Guest second(queue.name());
  put(queue, "job");
  Resident child([&] { lease_in_child(queue.name()); });
  ipckit_queue_t* refused = nullptr;
  EXPECT_EQ(ipckit_queue_open(queue.name().c_str(), nullptr, nullptr, &refused), IPCKIT_E_PARTICIPANTS);
  child.signal(SIGKILL);
  EXPECT_EQ(child.join(), 128 + SIGKILL);
  Guest third(queue.name());
  EXPECT_EQ(get(third, 0), "job") << "what the last one in that place held was given back";
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Participants, TwoHundredAndFiftySixAtOnce) {
  Queue queue;
  std::vector<std::unique_ptr<Guest>> guests;
  for (int i = 0; i < 255; i++) guests.push_back(std::make_unique<Guest>(queue.name()));
  ipckit_queue_t* refused = nullptr;
  EXPECT_EQ(ipckit_queue_open(queue.name().c_str(), nullptr, nullptr, &refused), IPCKIT_E_PARTICIPANTS);
  EXPECT_EQ(stat_of(queue).participants, 256U);
  for (auto& guest : guests) ASSERT_EQ(put(*guest, "x"), 0);
  EXPECT_EQ(stat_of(queue).depth, 255U);
  guests.clear();
  EXPECT_EQ(stat_of(queue).participants, 1U);
}

TEST(Participants, ADescriptorClosedUnderUsMakesNobodyLookDead) {
  Queue queue;
  Guest guest(queue.name());
  put(queue, "mine");
  put(queue, "theirs");
  ipckit_message_t mine, theirs;
  lease(guest, &mine);
  lease(queue, &theirs);
  ipckit_queue_t* handle = guest;
  // A program that closes what it does not know, and opens something else.
  const int number = handle->people.fd;
  const int other = open("/dev/null", O_RDWR | O_CLOEXEC);
  ASSERT_EQ(dup2(other, number), number);
  EXPECT_EQ(ipckit_queue_sweep(guest), 0);
  EXPECT_EQ(ipckit_queue_sweep(queue), 0) << "the mapping keeps the lock";
  EXPECT_EQ(ipckit_queue_ack(guest, &mine.token), 0);
  EXPECT_EQ(ipckit_queue_ack(queue, &theirs.token), 0);
  close(other);
}
