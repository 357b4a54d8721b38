#include "sys/interrupt.h"

#include <poll.h>

#include "support.h"

namespace ipckit::test {
namespace {

using sys::termination_watch;
using sys::thread_alarm;

/// Sleeps until a signal comes; how long that was.
steady::duration sleep_until_interrupted() {
  const auto start = steady::now();
  EXPECT_EQ(::poll(nullptr, 0, -1), -1);
  EXPECT_EQ(errno, EINTR);
  return steady::now() - start;
}

TEST(thread_alarm, interrupts_the_thread_that_attached_it) {
  thread_alarm alarm;
  ASSERT_EQ(alarm.attach(), 0);
  alarm.start(30'000'000);
  EXPECT_GE(sleep_until_interrupted(), 30ms);
}

TEST(thread_alarm, interrupts_again_and_again_until_it_is_stopped) {
  thread_alarm alarm;
  ASSERT_EQ(alarm.attach(), 0);
  alarm.start(0);
  for (int round = 0; round < 5; round++) sleep_until_interrupted();
  alarm.stop();
  EXPECT_EQ(::poll(nullptr, 0, 50), 0);
}

TEST(thread_alarm, can_be_started_from_another_thread_and_disturbs_no_other) {
  thread_alarm alarm;
  std::atomic<bool> attached{false};
  std::atomic<bool> started{false};
  std::thread sleeper([&] {
    ASSERT_EQ(alarm.attach(), 0);
    attached = true;
    until([&] { return started.load(); });
    sleep_until_interrupted();
  });
  until([&] { return attached.load(); });
  alarm.start(5'000'000);
  EXPECT_EQ(::poll(nullptr, 0, 50), 0);
  started = true;
  sleeper.join();
}

TEST(thread_alarm, reaches_a_thread_that_was_made_with_every_signal_blocked) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread sleeper([] {
    thread_alarm alarm;
    ASSERT_EQ(alarm.attach(), 0);
    alarm.start(1'000'000);
    sleep_until_interrupted();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  sleeper.join();
}

TEST(thread_alarm, does_nothing_before_it_is_attached) {
  thread_alarm alarm;
  alarm.start(0);
  alarm.stop();
  EXPECT_EQ(::poll(nullptr, 0, 5), 0);
}

TEST(thread_alarm, takes_no_signal_that_somebody_handles) {
  // What the host has installed stays as it is.
  struct sigaction hosts {};
  hosts.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGRTMIN + 1, &hosts, nullptr), 0);
  thread_alarm alarm;
  ASSERT_EQ(alarm.attach(), 0);
  alarm.start(0);
  sleep_until_interrupted();
  struct sigaction now {};
  ::sigaction(SIGRTMIN + 1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, hosts.sa_handler);
}

volatile sig_atomic_t hosts_handler_ran = 0;

void install(int number, int flags) {
  hosts_handler_ran = 0;
  struct sigaction action {};
  action.sa_handler = [](int signal) { hosts_handler_ran = signal; };
  action.sa_flags = flags;
  ::sigaction(number, &action, nullptr);
}

TEST(termination_watch, notes_a_signal_and_lets_the_handler_of_the_host_run) {
  for (const int number : {SIGINT, SIGTERM}) {
    install(number, SA_RESTART);
    const termination_watch watch;
    EXPECT_EQ(watch.signal(), 0);
    ::raise(number);
    EXPECT_EQ(watch.signal(), number);
    EXPECT_EQ(hosts_handler_ran, number);
  }
}

TEST(termination_watch, makes_the_signal_interrupt_system_calls_of_a_host_that_restarts_them) {
  install(SIGINT, SA_RESTART);
  const termination_watch watch;
  std::thread user([main = ::pthread_self(), id = this_thread_id()] {
    until([&] { return sleeps_in(::getpid(), id, SYS_poll) || sleeps_in(::getpid(), id, SYS_ppoll); });
    ::pthread_kill(main, SIGINT);
  });
  sleep_until_interrupted();
  user.join();
  EXPECT_EQ(watch.signal(), SIGINT);
}

TEST(termination_watch, leaves_everything_as_it_was) {
  install(SIGINT, SA_RESTART);
  struct sigaction before {};
  ::sigaction(SIGINT, nullptr, &before);
  { const termination_watch watch; }
  struct sigaction after {};
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
  EXPECT_EQ(after.sa_flags, before.sa_flags);
}

TEST(termination_watch, starts_anew_each_time) {
  install(SIGINT, 0);
  {
    const termination_watch watch;
    ::raise(SIGINT);
  }
  const termination_watch watch;
  EXPECT_EQ(watch.signal(), 0);
}

TEST(termination_watch, leaves_signals_alone_that_nobody_handles) {
  child_process victim([] {
    ::signal(SIGINT, SIG_DFL);
    const termination_watch watch;
    ::raise(SIGINT);
  });
  const int status = victim.end();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(termination_watch, lets_a_handler_that_raises_the_signal_again_end_the_process) {
  child_process victim([] {
    struct sigaction once {};
    once.sa_handler = [](int number) { ::raise(number); };
    once.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &once, nullptr);
    const termination_watch watch;
    ::raise(SIGINT);
    ::_exit(1);
  });
  const int status = victim.end();
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(termination_watch, does_nothing_off_the_main_thread) {
  install(SIGINT, SA_RESTART);
  std::thread([] {
    const termination_watch watch;
    ::raise(SIGINT);
    EXPECT_EQ(watch.signal(), 0);
  }).join();
  EXPECT_EQ(hosts_handler_ran, SIGINT);
}

}  // namespace
}  // namespace ipckit::test
