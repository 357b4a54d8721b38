// cc -o daemon examples/existing-daemon/daemon.c && ./daemon
// Tells where users are at home until its queue is removed: ipckit rm 'sysv:/etc/passwd?proj=1'
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>

int main(void) {
  struct {
    long type;
    struct {
      int pid;
      char name[32];
    } text;
  } request;
  struct {
    long type;
    char text[256];
  } answer;
  const int queue = msgget(ftok("/etc/passwd", 1), IPC_CREAT | 0600);
  while (msgrcv(queue, &request, sizeof request.text, 1, 0) != -1) {
    request.text.name[31] = '\0';  // a name of 32 bytes comes without one
    const struct passwd* user = getpwnam(request.text.name);
    answer.type = request.text.pid;
    snprintf(answer.text, sizeof answer.text, "%s", user == NULL ? "no such user" : user->pw_dir);
    msgsnd(queue, &answer, strlen(answer.text), 0);
  }
  perror("msgrcv");
}
