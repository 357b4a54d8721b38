// What each call of the queue does, from one process or with threads; queue_processes_test.cc has the others.
#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "support.h"

TEST(PutAndGet, MessagesArriveInOrderWithTheirBytes) {
  Queue queue;
  for (int i = 0; i < 100; i++) ASSERT_EQ(put(queue, "message " + std::to_string(i)), 0);
  for (int i = 0; i < 100; i++) ASSERT_EQ(get(queue), "message " + std::to_string(i));
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(PutAndGet, EverySizeAroundTheBordersKeepsItsBytes) {
  ipckit_queue_options_t options = {};
  options.max_message_bytes = 100000;
  options.copy_outside_bytes = 5000;
  Queue queue(options);
  for (size_t size : {0, 1, 79, 80, 81, 255, 256, 257, 4095, 4096, 4097, 5000, 5001, 8192, 99999, 100000}) {
    std::string text(size, 0);
    for (size_t i = 0; i < size; i++) text[i] = static_cast<char>(i * 7 + size);
    ASSERT_EQ(put(queue, text), 0) << size;
    ipckit_message_t message;
    ASSERT_EQ(get(queue, 0, &message), text) << size;
    EXPECT_EQ(message.length, size);
    ASSERT_EQ(ipckit_queue_verify(queue), 0) << size;
  }
}

TEST(PutAndGet, OneByteAboveTheLargestMessageIsRefused) {
  ipckit_queue_options_t options = {};
  options.max_message_bytes = 1000;
  Queue queue(options);
  EXPECT_EQ(put(queue, std::string(1000, 'x')), 0);
  EXPECT_EQ(put(queue, std::string(1001, 'x')), -EMSGSIZE);
  EXPECT_EQ(stat_of(queue).depth, 1U);
}

TEST(PutAndGet, TryGivesEagainOnEmptyAndOnFull) {
  ipckit_queue_options_t options = {};
  options.capacity = 3;
  Queue queue(options);
  char buffer[8];
  EXPECT_EQ(ipckit_queue_try_get(queue, buffer, sizeof buffer, nullptr), -EAGAIN);
  for (int i = 0; i < 3; i++) EXPECT_EQ(ipckit_queue_try_put(queue, "x", 1, 0), 0);
  EXPECT_EQ(ipckit_queue_try_put(queue, "x", 1, 0), -EAGAIN);
  EXPECT_EQ(ipckit_queue_try_get(queue, buffer, sizeof buffer, nullptr), 1);
  EXPECT_EQ(ipckit_queue_try_put(queue, "x", 1, 0), 0);
}

TEST(PutAndGet, WaitsEndWithTimeout) {
  ipckit_queue_options_t options = {};
  options.capacity = 1;
  Queue queue(options);
  char buffer[8];
  EXPECT_EQ(ipckit_queue_get(queue, buffer, sizeof buffer, nullptr, 20 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(put(queue, "x"), 0);
  EXPECT_EQ(put(queue, "x", 0, 20 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(put(queue, "x", 0, -1), -EINVAL);
}

TEST(PutAndGet, AShortBufferLeavesTheMessageAndTellsItsLength) {
  Queue queue;
  ASSERT_EQ(put(queue, "twelve bytes"), 0);
  char buffer[11];
  ipckit_message_t message;
  EXPECT_EQ(ipckit_queue_try_get(queue, buffer, sizeof buffer, &message), -EMSGSIZE);
  EXPECT_EQ(message.length, 12U);
  EXPECT_EQ(get(queue, 0), "twelve bytes");
}

TEST(PutAndGet, BytesLimitTheQueueToo) {
  ipckit_queue_options_t options = {};
  options.capacity = 100;
  options.capacity_bytes = 4096;
  options.max_message_bytes = 4096;
  options.block_bytes = 256;
  Queue queue(options);
  for (int i = 0; i < 4; i++)
    ASSERT_EQ(ipckit_queue_try_put(queue, std::string(1024, 'x').data(), 1024, 0), 0);
  EXPECT_EQ(ipckit_queue_try_put(queue, std::string(1024, 'x').data(), 1024, 0), -EAGAIN);
  EXPECT_EQ(ipckit_queue_try_put(queue, "small ones need no block", 24, 0), 0);
  EXPECT_EQ(get(queue, 0).size(), 1024U);
  EXPECT_EQ(ipckit_queue_try_put(queue, std::string(1025, 'x').data(), 1025, 0), -EAGAIN);
  EXPECT_EQ(ipckit_queue_try_put(queue, std::string(1024, 'x').data(), 1024, 0), 0);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(PutAndGet, WrapsAroundManyTimes) {
  ipckit_queue_options_t options = {};
  options.capacity = 5;
  options.capacity_bytes = 2560;
  options.max_message_bytes = 500;
  Queue queue(options);
  for (int i = 0; i < 1000; i++) {
    std::string text(i % 400, static_cast<char>('a' + i % 26));
    ASSERT_EQ(put(queue, text, 0, 0), 0);
    ASSERT_EQ(put(queue, text + "!", 0, 0), 0);
    ASSERT_EQ(get(queue, 0), text);
    ASSERT_EQ(get(queue, 0), text + "!");
  }
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Priorities, TheHighestGoesFirstAndEachKeepsItsOrder) {
  Queue queue;
  for (int i = 0; i < 30; i++) ASSERT_EQ(put(queue, std::to_string(i), i % 10), 0);
  for (int priority = 9; priority >= 0; priority--) {
    for (int round = 0; round < 3; round++) {
      ipckit_message_t message;
      ASSERT_EQ(get(queue, 0, &message), std::to_string(round * 10 + priority));
      EXPECT_EQ(message.priority, static_cast<uint32_t>(priority));
    }
  }
  EXPECT_EQ(put(queue, "x", 10), -EINVAL);
}

TEST(Batches, PutManyTakesWhatFitsAndGetManyWhatIsThere) {
  ipckit_queue_options_t options = {};
  options.capacity = 10;
  Queue queue(options);
  std::vector<std::string> texts;
  std::vector<ipckit_slice_t> slices;
  for (int i = 0; i < 15; i++) texts.push_back("number " + std::to_string(i));
  for (auto& text : texts) slices.push_back({text.data(), text.size(), 0});
  EXPECT_EQ(ipckit_queue_put_many(queue, slices.data(), slices.size(), 0), 10);
  EXPECT_EQ(ipckit_queue_put_many(queue, slices.data(), slices.size(), 0), -EAGAIN);
  char slab[1000];
  ipckit_message_t messages[20];
  ASSERT_EQ(ipckit_queue_get_many(queue, slab, sizeof slab, messages, 4, 0), 4);
  ASSERT_EQ(ipckit_queue_get_many(queue, slab, sizeof slab, messages, 20, 0), 6);
  for (int i = 0; i < 6; i++) {
    EXPECT_EQ(messages[i].offset % 8, 0U);
    EXPECT_EQ(std::string(slab + messages[i].offset, messages[i].length), texts[4 + i]);
  }
  EXPECT_EQ(ipckit_queue_get_many(queue, slab, sizeof slab, messages, 20, 0), -EAGAIN);
}

TEST(Batches, ASlabThatIsFullEndsTheBatchAndLosesNothing) {
  Queue queue;
  for (int i = 0; i < 5; i++) ASSERT_EQ(put(queue, std::string(30, static_cast<char>('a' + i))), 0);
  char slab[70];
  ipckit_message_t messages[5];
  ASSERT_EQ(ipckit_queue_get_many(queue, slab, sizeof slab, messages, 5, 0), 2);
  ASSERT_EQ(ipckit_queue_get_many(queue, slab, 29, messages, 5, 0), -EMSGSIZE);
  EXPECT_EQ(messages[0].length, 30U);
  EXPECT_EQ(get(queue, 0), std::string(30, 'c'));
}

TEST(Batches, LargeMessagesGoOneByOne) {
  ipckit_queue_options_t options = {};
  options.max_message_bytes = 20000;
  Queue queue(options);
  std::string small(10, 's'), large(10000, 'l');
  ipckit_slice_t slices[] = {{small.data(), 10, 0}, {large.data(), 10000, 0}, {small.data(), 10, 0}};
  EXPECT_EQ(ipckit_queue_put_many(queue, slices, 3, 0), 1);
  EXPECT_EQ(ipckit_queue_put_many(queue, slices + 1, 2, 0), 1);
  EXPECT_EQ(ipckit_queue_put_many(queue, slices + 2, 1, 0), 1);
  EXPECT_EQ(get(queue), small);
  EXPECT_EQ(get(queue), large);
  EXPECT_EQ(get(queue), small);
}

TEST(Leases, AnAcknowledgedMessageIsGone) {
  Queue queue;
  put(queue, "job");
  ipckit_message_t message;
  ASSERT_EQ(lease(queue, &message), "job");
  EXPECT_EQ(message.delivery_count, 1U);
  EXPECT_EQ(message.redelivered, 0U);
  EXPECT_EQ(stat_of(queue).in_flight, 1U);
  EXPECT_EQ(stat_of(queue).depth, 0U);
  EXPECT_EQ(ipckit_queue_ack(queue, &message.token), 0);
  EXPECT_EQ(ipckit_queue_ack(queue, &message.token), IPCKIT_E_STALE);
  EXPECT_EQ(stat_of(queue).in_flight, 0U);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Leases, AReturnedMessageComesBackAtItsPlaceAndSaysSo) {
  Queue queue;
  for (const char* text : {"one", "two", "three"}) put(queue, text);
  ipckit_message_t first, second, again;
  ASSERT_EQ(lease(queue, &first), "one");
  ASSERT_EQ(lease(queue, &second), "two");
  EXPECT_EQ(ipckit_queue_nack(queue, &second.token, 0), 0);
  EXPECT_EQ(ipckit_queue_nack(queue, &first.token, 0), 0);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
  ASSERT_EQ(lease(queue, &again), "one");
  EXPECT_EQ(again.delivery_count, 2U);
  EXPECT_EQ(again.redelivered, 1U);
  EXPECT_EQ(get(queue), "two");
  EXPECT_EQ(get(queue), "three");
}

TEST(Leases, TokensOfAnEarlierDeliveryAreStaleAndChangeNothing) {
  Queue queue;
  put(queue, "job");
  ipckit_message_t first, second;
  ASSERT_EQ(lease(queue, &first), "job");
  ASSERT_EQ(ipckit_queue_nack(queue, &first.token, 0), 0);
  ASSERT_EQ(lease(queue, &second), "job");
  EXPECT_EQ(ipckit_queue_ack(queue, &first.token), IPCKIT_E_STALE);
  EXPECT_EQ(ipckit_queue_nack(queue, &first.token, 0), IPCKIT_E_STALE);
  EXPECT_EQ(ipckit_queue_extend(queue, &first.token, kSecond), IPCKIT_E_STALE);
  EXPECT_EQ(ipckit_queue_reject(queue, &first.token), IPCKIT_E_STALE);
  EXPECT_EQ(stat_of(queue).in_flight, 1U);
  EXPECT_EQ(ipckit_queue_ack(queue, &second.token), 0);
}

TEST(Leases, TokensOfAnotherHandleAndInventedOnesAreStale) {
  Queue queue;
  Guest guest(queue.name());
  put(queue, "job");
  ipckit_message_t message;
  ASSERT_EQ(lease(queue, &message), "job");
  EXPECT_EQ(ipckit_queue_ack(guest, &message.token), IPCKIT_E_STALE);
  ipckit_token_t invented = message.token;
  invented.cell = 0xffffffff;
  EXPECT_EQ(ipckit_queue_ack(queue, &invented), IPCKIT_E_STALE);
  invented = {};
  EXPECT_EQ(ipckit_queue_ack(queue, &invented), IPCKIT_E_STALE);
  EXPECT_EQ(ipckit_queue_ack(queue, &message.token), 0);
}

TEST(Leases, ALeaseThatRunsOutIsDeliveredAgain) {
  Queue queue;
  put(queue, "job");
  ipckit_message_t first, second;
  ASSERT_EQ(lease(queue, &first, 30 * kMillisecond), "job");
  EXPECT_EQ(get(queue, 0), "<Resource temporarily unavailable>");
  ASSERT_EQ(lease(queue, &second), "job");
  EXPECT_EQ(second.delivery_count, 2U);
  EXPECT_EQ(ipckit_queue_ack(queue, &first.token), IPCKIT_E_STALE);
  EXPECT_EQ(ipckit_queue_ack(queue, &second.token), 0);
  EXPECT_EQ(stat_of(queue).total_expired, 1U);
}

TEST(Leases, ExtendMovesTheEnd) {
  Queue queue;
  put(queue, "job");
  ipckit_message_t message;
  ASSERT_EQ(lease(queue, &message, 20 * kMillisecond), "job");
  ASSERT_EQ(ipckit_queue_extend(queue, &message.token, 0), 0);
  EXPECT_EQ(get(queue, 60 * kMillisecond), "<Connection timed out>");
  ASSERT_EQ(ipckit_queue_extend(queue, &message.token, 10 * kMillisecond), 0);
  EXPECT_EQ(get(queue), "job");
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Leases, ADelayedReturnIsNotDeliveredBeforeItsTime) {
  Queue queue;
  put(queue, "later");
  put(queue, "now");
  ipckit_message_t message;
  ASSERT_EQ(lease(queue, &message), "later");
  const auto returned = std::chrono::steady_clock::now();
  ASSERT_EQ(ipckit_queue_nack(queue, &message.token, 40 * kMillisecond), 0);
  EXPECT_EQ(stat_of(queue).delayed, 1U);
  std::string got;
  for (int turn = 0; turn < 2; turn++) {
    const std::string text = get(queue);
    got += text;
    if (text == "later") {
      EXPECT_GE(std::chrono::steady_clock::now() - returned, std::chrono::milliseconds(40));
    }
  }
  // The other way round only when somebody kept us from running.
  EXPECT_TRUE(got == "nowlater" || got == "laternow") << got;
}

TEST(Leases, ManyWithTimesEndInTheOrderOfTheirTimes) {
  ipckit_queue_options_t options = {};
  options.capacity = 200;
  Queue queue(options);
  std::mt19937 random(7);
  for (int i = 0; i < 200; i++) put(queue, std::to_string(i));
  std::vector<ipckit_message_t> messages(200);
  for (auto& message : messages) lease(queue, &message, 3600 * kSecond);
  std::shuffle(messages.begin(), messages.end(), random);
  for (int i = 0; i < 50; i++) ASSERT_EQ(ipckit_queue_ack(queue, &messages[i].token), 0);
  for (int i = 50; i < 100; i++) ASSERT_EQ(ipckit_queue_nack(queue, &messages[i].token, 0), 0);
  for (int i = 100; i < 150; i++) ASSERT_EQ(ipckit_queue_nack(queue, &messages[i].token, 3600 * kSecond), 0);
  for (int i = 150; i < 200; i++)
    ASSERT_EQ(ipckit_queue_extend(queue, &messages[i].token, 1 + random() % 1000), 0);
  ASSERT_EQ(ipckit_queue_verify(queue), 0);
  std::vector<int> got;
  for (int i = 0; i < 100; i++) got.push_back(std::stoi(get(queue)));
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end())) << "those that came back keep their order";
  EXPECT_EQ(stat_of(queue).delayed, 50U);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Leases, ThePrefetchLimitIsPerHandle) {
  ipckit_queue_options_t options = {};
  Queue queue;
  options.prefetch = 2;
  Guest guest(queue.name(), options);
  for (int i = 0; i < 5; i++) put(queue, "x");
  ipckit_message_t messages[5];
  char slab[100];
  ASSERT_EQ(ipckit_queue_lease_many(guest, slab, sizeof slab, messages, 5, 0, 0), 2);
  EXPECT_EQ(ipckit_queue_lease_many(guest, slab, sizeof slab, messages + 2, 3, 0, 0), IPCKIT_E_PREFETCH);
  EXPECT_EQ(ipckit_queue_ack(guest, &messages[0].token), 0);
  EXPECT_EQ(ipckit_queue_lease_many(guest, slab, sizeof slab, messages + 2, 3, 0, 0), 1);
  EXPECT_EQ(ipckit_queue_lease_many(queue, slab, sizeof slab, messages + 3, 2, 0, 0), 2);
}

TEST(Leases, ThePrefetchLimitForgetsLeasesThatRanOut) {
  ipckit_queue_options_t options = {};
  Queue queue;
  options.prefetch = 1;
  Guest guest(queue.name(), options);
  put(queue, "x");
  ipckit_message_t message;
  ASSERT_EQ(lease(guest, &message, 10 * kMillisecond), "x");
  ASSERT_EQ(get(queue), "x");
  put(queue, "y");
  EXPECT_EQ(lease(guest, &message), "y");
}

TEST(Leases, ClosingTheHandleGivesBackWhatItHeld) {
  Queue queue;
  put(queue, "small");
  put(queue, std::string(8000, 'l'));
  {
    Guest guest(queue.name());
    ipckit_message_t message;
    lease(guest, &message);
    lease(guest, &message);
    EXPECT_EQ(stat_of(queue).in_flight, 2U);
  }
  ipckit_message_t message;
  EXPECT_EQ(get(queue, 0, &message), "small");
  EXPECT_EQ(message.delivery_count, 2U);
  EXPECT_EQ(get(queue, 0).size(), 8000U);
}

TEST(Leases, AckManyPassesOverStaleOnes) {
  Queue queue;
  for (int i = 0; i < 10; i++) put(queue, "x");
  ipckit_message_t messages[10];
  char slab[1000];
  ASSERT_EQ(ipckit_queue_lease_many(queue, slab, sizeof slab, messages, 10, 0, 0), 10);
  ipckit_token_t tokens[10];
  for (int i = 0; i < 10; i++) tokens[i] = messages[i].token;
  EXPECT_EQ(ipckit_queue_ack(queue, &tokens[3]), 0);
  EXPECT_EQ(ipckit_queue_ack_many(queue, tokens, 10), 9);
  EXPECT_EQ(ipckit_queue_ack_many(queue, tokens, 10), 0);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(DeadLetters, RejectedAndTooOftenDeliveredMessagesAreKeptWithTheirReason) {
  ipckit_queue_options_t options = {};
  options.dead_capacity = 5;
  options.max_deliveries = 2;
  Queue queue(options);
  put(queue, "poison");
  put(queue, "refused");
  ipckit_message_t message;
  ASSERT_EQ(lease(queue, &message), "poison");
  ASSERT_EQ(ipckit_queue_nack(queue, &message.token, 0), 0);
  ASSERT_EQ(lease(queue, &message), "poison");
  ASSERT_EQ(ipckit_queue_nack(queue, &message.token, 0), 0);
  ASSERT_EQ(lease(queue, &message), "refused");
  ASSERT_EQ(ipckit_queue_reject(queue, &message.token), 0);
  EXPECT_EQ(stat_of(queue).dead, 2U);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
  char buffer[100];
  ASSERT_EQ(ipckit_queue_get_dead(queue, buffer, 2, &message), -EMSGSIZE);
  ASSERT_EQ(ipckit_queue_get_dead(queue, buffer, sizeof buffer, &message), 6);
  EXPECT_EQ(message.reason, IPCKIT_DEAD_DELIVERIES);
  EXPECT_EQ(message.delivery_count, 2U);
  ASSERT_EQ(ipckit_queue_get_dead(queue, buffer, sizeof buffer, &message), 7);
  EXPECT_EQ(message.reason, IPCKIT_DEAD_REJECTED);
  EXPECT_EQ(ipckit_queue_get_dead(queue, buffer, sizeof buffer, &message), -EAGAIN);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(DeadLetters, TheOldestGoesWhenThereAreTooManyAndNeverHoldsUpTheQueue) {
  ipckit_queue_options_t options = {};
  options.capacity = 2;
  options.dead_capacity = 2;
  Queue queue(options);
  for (int i = 0; i < 5; i++) {
    ipckit_message_t message;
    ASSERT_EQ(put(queue, std::to_string(i), 0, 0), 0);
    ASSERT_EQ(lease(queue, &message), std::to_string(i));
    ASSERT_EQ(ipckit_queue_reject(queue, &message.token), 0);
  }
  EXPECT_EQ(stat_of(queue).total_dropped, 3U);
  char buffer[10];
  ASSERT_EQ(ipckit_queue_get_dead(queue, buffer, sizeof buffer, nullptr), 1);
  EXPECT_EQ(buffer[0], '3');
  EXPECT_EQ(put(queue, "a", 0, 0), 0);
  EXPECT_EQ(put(queue, "b", 0, 0), 0);
  EXPECT_EQ(put(queue, "c", 0, 0), -EAGAIN);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Peek, ShowsTheNextMessageAndLeavesIt) {
  Queue queue;
  char buffer[10];
  ipckit_message_t message;
  EXPECT_EQ(ipckit_queue_peek(queue, buffer, sizeof buffer, &message), -EAGAIN);
  put(queue, "low");
  put(queue, "high", 5);
  EXPECT_EQ(ipckit_queue_peek(queue, buffer, sizeof buffer, &message), 4);
  EXPECT_EQ(message.priority, 5U);
  EXPECT_EQ(ipckit_queue_peek(queue, buffer, 1, &message), -EMSGSIZE);
  EXPECT_EQ(get(queue), "high");
  EXPECT_EQ(get(queue), "low");
}

TEST(Joinable, JoinWaitsUntilEveryTaskIsDone) {
  ipckit_queue_options_t options = {};
  options.flags = IPCKIT_QUEUE_JOINABLE;
  Queue queue(options);
  EXPECT_EQ(ipckit_queue_join(queue, 0), 0);
  EXPECT_EQ(ipckit_queue_task_done(queue), IPCKIT_E_TASKS);
  put(queue, "a");
  put(queue, "b");
  EXPECT_EQ(ipckit_queue_join(queue, 10 * kMillisecond), -ETIMEDOUT);
  get(queue);
  get(queue);
  EXPECT_EQ(ipckit_queue_join(queue, 0), -EAGAIN);
  std::thread worker([&] {
    ipckit_queue_task_done(queue);
    usleep(20000);
    ipckit_queue_task_done(queue);
  });
  EXPECT_EQ(ipckit_queue_join(queue, kPatience), 0);
  worker.join();
  EXPECT_EQ(ipckit_queue_task_done(queue), IPCKIT_E_TASKS);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Joinable, OtherQueuesKnowNoTasksButCanBeJoined) {
  Queue queue;
  EXPECT_EQ(ipckit_queue_task_done(queue), -ENOTSUP);
  put(queue, "a");
  EXPECT_EQ(ipckit_queue_join(queue, 0), -EAGAIN);
  get(queue);
  EXPECT_EQ(ipckit_queue_join(queue, 0), 0);
}

TEST(Shutdown, DrainRefusesPutsAndGivesOutWhatIsThere) {
  Queue queue;
  put(queue, "last");
  EXPECT_EQ(ipckit_queue_shutdown(queue, 0), 0);
  EXPECT_EQ(put(queue, "x"), IPCKIT_E_SHUTDOWN);
  EXPECT_EQ(get(queue), "last");
  char buffer[8];
  EXPECT_EQ(ipckit_queue_get(queue, buffer, sizeof buffer, nullptr, kPatience), IPCKIT_E_SHUTDOWN);
}

TEST(Shutdown, DrainWaitsForDelayedMessages) {
  Queue queue;
  put(queue, "job");
  ipckit_message_t message;
  lease(queue, &message);
  ipckit_queue_nack(queue, &message.token, 30 * kMillisecond);
  ipckit_queue_shutdown(queue, 0);
  EXPECT_EQ(get(queue), "job");
  char buffer[8];
  EXPECT_EQ(ipckit_queue_get(queue, buffer, sizeof buffer, nullptr, kPatience), IPCKIT_E_SHUTDOWN);
}

TEST(Shutdown, ImmediateRefusesGetsTooAndAcknowledgementsStayPossible) {
  Queue queue;
  put(queue, "a");
  put(queue, "b");
  ipckit_message_t message;
  lease(queue, &message);
  EXPECT_EQ(ipckit_queue_shutdown(queue, 1), 0);
  char buffer[8];
  EXPECT_EQ(ipckit_queue_get(queue, buffer, sizeof buffer, nullptr, kPatience), IPCKIT_E_SHUTDOWN);
  EXPECT_EQ(ipckit_queue_join(queue, kPatience), IPCKIT_E_SHUTDOWN);
  EXPECT_EQ(ipckit_queue_ack(queue, &message.token), 0);
  EXPECT_EQ(ipckit_queue_shutdown(queue, 0), 0);
  EXPECT_EQ(stat_of(queue).state, IPCKIT_STATE_STOPPED) << "it does not go back to draining";
}

TEST(Shutdown, WakesEveryWaiter) {
  ipckit_queue_options_t options = {};
  options.capacity = 1;
  Queue empty(options), full(options);
  put(full, "x");
  std::vector<std::thread> waiters;
  std::atomic<int> ended = 0;
  for (int i = 0; i < 4; i++) {
    waiters.emplace_back([&] {
      char buffer[8];
      if (ipckit_queue_get(empty, buffer, sizeof buffer, nullptr, IPCKIT_FOREVER) == IPCKIT_E_SHUTDOWN)
        ended++;
    });
    waiters.emplace_back([&] {
      if (put(full, "y", 0, IPCKIT_FOREVER) == IPCKIT_E_SHUTDOWN) ended++;
    });
  }
  usleep(50000);
  ipckit_queue_shutdown(empty, 0);
  ipckit_queue_shutdown(full, 0);
  for (auto& waiter : waiters) waiter.join();
  EXPECT_EQ(ended, 8);
}

TEST(Clear, RemovesWhatNobodyHolds) {
  Queue queue;
  for (int i = 0; i < 5; i++) put(queue, std::string(500, 'x'), i);
  ipckit_message_t message;
  lease(queue, &message);
  EXPECT_EQ(ipckit_queue_clear(queue), 4);
  EXPECT_EQ(stat_of(queue).depth, 0U);
  EXPECT_EQ(stat_of(queue).in_flight, 1U);
  EXPECT_EQ(ipckit_queue_ack(queue, &message.token), 0);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
  EXPECT_EQ(stat_of(queue).free_bytes, 8U << 20);
}

TEST(Stat, CountsAndNamesTheParticipants) {
  ipckit_queue_options_t options = {};
  options.capacity = 7;
  options.participant = "creator";
  options.type_name = "json<Job>";
  options.fingerprint = 42;
  Queue queue(options);
  options.participant = "a name that is longer than its room allows";
  Guest guest(queue.name(), options);
  put(queue, "x");
  put(queue, "y");
  get(guest);
  ipckit_queue_stat_t stat = stat_of(queue);
  EXPECT_EQ(stat.capacity, 7U);
  EXPECT_EQ(stat.depth, 1U);
  EXPECT_EQ(stat.total_put, 2U);
  EXPECT_EQ(stat.total_done, 1U);
  EXPECT_EQ(stat.participants, 2U);
  EXPECT_EQ(stat.mode, 0600U);
  EXPECT_EQ(stat.owner, geteuid());
  EXPECT_STREQ(stat.type_name, "json<Job>");
  ipckit_participant_t people[3];
  ASSERT_EQ(ipckit_queue_participants(queue, people, 3), 2);
  EXPECT_STREQ(people[0].name, "creator");
  EXPECT_EQ(people[0].self, 1U);
  EXPECT_EQ(people[0].roles, IPCKIT_ROLE_PRODUCER);
  EXPECT_STREQ(people[1].name, "a name that is longer than its ");
  EXPECT_EQ(people[1].roles, IPCKIT_ROLE_CONSUMER);
  EXPECT_EQ(people[1].pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(people[1].alive, 1U);
  EXPECT_EQ(stat.unlinked, 0U);
  ASSERT_EQ(ipckit_queue_unlink(queue.name().c_str(), nullptr), 0);
  EXPECT_EQ(stat_of(queue).unlinked, 1U);
  EXPECT_EQ(put(guest, "those who are attached go on"), 0);
}

TEST(Waiting, ArmTellsToTryOrWhatToWaitFor) {
  ipckit_queue_options_t options = {};
  options.capacity = 1;
  Queue queue(options);
  ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
  int64_t bound = 0;
  EXPECT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_SPACE, 1, words, &bound), 0);
  ASSERT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 1, words, &bound), 1);
  EXPECT_EQ(__atomic_load_n(words[0].address, __ATOMIC_SEQ_CST), words[0].expected);
  EXPECT_GT(bound, 0);
  EXPECT_LE(bound, kSecond);
  put(queue, "x");
  EXPECT_NE(__atomic_load_n(words[0].address, __ATOMIC_SEQ_CST), words[0].expected)
      << "an armed waiter is told";
  EXPECT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 1, words, &bound), 0);
  ASSERT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_SPACE | IPCKIT_WAIT_TASKS, 1, words, &bound), 2);
  get(queue);
  EXPECT_NE(__atomic_load_n(words[0].address, __ATOMIC_SEQ_CST), words[0].expected);
  EXPECT_NE(__atomic_load_n(words[1].address, __ATOMIC_SEQ_CST), words[1].expected);
  EXPECT_EQ(ipckit_queue_arm(queue, 0, 1, words, &bound), -EINVAL);
  EXPECT_EQ(ipckit_queue_arm(queue, 8, 1, words, &bound), -EINVAL);
}

TEST(Waiting, PollTellsWhatCameWithoutSleeping) {
  ipckit_queue_options_t options = {};
  options.capacity = 4;
  Queue queue(options);
  EXPECT_LE(ipckit_queue_poll(queue, IPCKIT_WAIT_ITEMS, 0, 100'000), 0)
      << "nothing came, or looking does not pay";
  EXPECT_EQ(ipckit_queue_poll(queue, IPCKIT_WAIT_SPACE, 1, 100'000), 1);
  put(queue, "a");
  EXPECT_EQ(ipckit_queue_poll(queue, IPCKIT_WAIT_ITEMS, 0, 0), 1);
  for (int at = 1; at < 4; at++) put(queue, "a");
  EXPECT_LE(ipckit_queue_poll(queue, IPCKIT_WAIT_SPACE, 1, 100'000), 0);
  EXPECT_EQ(ipckit_queue_poll(queue, 0, 1, 0), -EINVAL);
  EXPECT_EQ(ipckit_queue_poll(queue, IPCKIT_WAIT_TASKS, 1, 0), -EINVAL);
  EXPECT_EQ(ipckit_queue_poll(queue, IPCKIT_WAIT_ITEMS, 1, -1), -EINVAL);
}

TEST(Waiting, PollingThatBringsNothingEndsAndIsTriedAgain) {
  ipckit_queue_options_t options = {};
  options.capacity = 4;
  Queue queue(options);
  int looked = 0, refused = 0, turns = 0;
  while (looked < 8 || refused < 100) {
    ASSERT_LT(turns++, 10'000) << looked << " times looked, " << refused << " times not";
    const int result = ipckit_queue_poll(queue, IPCKIT_WAIT_ITEMS, 0, 1'000'000'000);
    (result == -EBUSY ? refused : looked)++;
  }
  EXPECT_GT(refused, looked * 10);
  put(queue, "a");
  while (ipckit_queue_poll(queue, IPCKIT_WAIT_ITEMS, 0, 0) != 1) ASSERT_LT(turns++, 20'000);
}

TEST(Waiting, ArmSaysToTryWhenALeaseHasRunOutOrADelayHasPassed) {
  Queue queue;
  put(queue, "x");
  ipckit_message_t message;
  char buffer[8];
  ASSERT_EQ(ipckit_queue_lease(queue, buffer, sizeof buffer, &message, kSecond / 50, 0), 1);
  ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
  int64_t bound = 0;
  ASSERT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 0, words, &bound), 1);
  EXPECT_LE(bound, kSecond / 50) << "nobody wakes who waits for it";
  usleep(30'000);
  EXPECT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 0, words, &bound), 0);
  ASSERT_EQ(ipckit_queue_lease(queue, buffer, sizeof buffer, &message, 0, 0), 1);
  ASSERT_EQ(ipckit_queue_nack(queue, &message.token, kSecond / 50), 0);
  ASSERT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 0, words, &bound), 1);
  usleep(30'000);
  EXPECT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 0, words, &bound), 0);
}

TEST(Waiting, ArmLooksForAsManyBytesAsAreWanted) {
  ipckit_queue_options_t options = {};
  options.capacity = 10;
  options.capacity_bytes = 1024;
  options.max_message_bytes = 1024;
  options.block_bytes = 256;
  Queue queue(options);
  put(queue, std::string(600, 'x'));
  ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
  int64_t bound = 0;
  EXPECT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_SPACE, 256, words, &bound), 0);
  ASSERT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_SPACE, 257, words, &bound), 1);
  get(queue);
  EXPECT_NE(__atomic_load_n(words[0].address, __ATOMIC_SEQ_CST), words[0].expected);
}

TEST(Waiting, TheBoundEndsWhenADelayedMessageIsDue) {
  Queue queue;
  put(queue, "x");
  ipckit_message_t message;
  lease(queue, &message, 5 * kMillisecond);
  ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
  int64_t bound = 0;
  ASSERT_EQ(ipckit_queue_arm(queue, IPCKIT_WAIT_ITEMS, 1, words, &bound), 1);
  EXPECT_LE(bound, 5 * kMillisecond);
}

TEST(Threads, OneHandleServesProducersAndConsumersAtOnce) {
  ipckit_queue_options_t options = {};
  options.capacity = 16;
  options.max_message_bytes = 300;
  options.copy_outside_bytes = 200;
  Queue queue(options);
  constexpr int kThreads = 3, kEach = 3000;
  std::atomic<int> received = 0;
  std::atomic<uint64_t> sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; i++) {
        std::string text = std::to_string(t * kEach + i);
        text.resize(i % 3 == 0 ? 250 : i % 3 == 1 ? 100 : 20);
        ASSERT_EQ(put(queue, text), 0);
      }
    });
    threads.emplace_back([&] {
      std::vector<char> buffer(300);
      while (true) {
        ipckit_message_t message;
        int64_t n = ipckit_queue_lease(queue, buffer.data(), buffer.size(), &message, 0, IPCKIT_FOREVER);
        if (n == IPCKIT_E_SHUTDOWN) return;
        ASSERT_GE(n, 0);
        sum += std::stoull(buffer.data());
        received++;
        ASSERT_EQ(ipckit_queue_ack(queue, &message.token), 0);
      }
    });
  }
  for (int t = 0; t < kThreads; t++) threads[2 * t].join();
  EXPECT_EQ(ipckit_queue_join(queue, kPatience), 0);
  EXPECT_EQ(ipckit_queue_shutdown(queue, 0), 0);
  for (int t = 0; t < kThreads; t++) threads[2 * t + 1].join();
  constexpr uint64_t kAll = kThreads * kEach;
  EXPECT_EQ(received, static_cast<int>(kAll));
  EXPECT_EQ(sum, kAll * (kAll - 1) / 2);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}
