// cc -o daemon examples/with-c/daemon.c && ./daemon
// Sends ticks until its queue is removed: ipcrm -Q 0x1234
#include <stdio.h>
#include <sys/msg.h>
#include <unistd.h>

struct {
  long type;
  int id;
  double px;
  char sym[8];
} tick = {.type = 5, .sym = "ACME"};

int main(void) {
  const int queue = msgget(0x1234, IPC_CREAT | 0600);
  do {
    usleep(100000);
    tick.px = 100 + ++tick.id / 8.0;
  } while (msgsnd(queue, &tick, sizeof tick - sizeof tick.type, 0) == 0);
  perror("msgsnd");
}
