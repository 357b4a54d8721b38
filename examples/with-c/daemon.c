// cc -o daemon examples/with-c/daemon.c && ./daemon
// Sends ticks until its queue is removed: ipcrm -Q 0x1234
#include <stdio.h>
#include <sys/msg.h>
#include <unistd.h>

struct tick {
  int id;
  double px;
  char sym[8];
};

int main(void) {
  struct {
    long type;
    struct tick tick;
  } message = {.type = 5, .tick = {.sym = "ACME"}};
  const int queue = msgget(0x1234, IPC_CREAT | 0600);
  do {
    usleep(100000);
    message.tick.px = 100 + ++message.tick.id / 8.0;
  } while (msgsnd(queue, &message, sizeof message.tick, 0) == 0);
  perror("msgsnd");
}
