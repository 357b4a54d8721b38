// connection-peer: the other end of an ipckit Connection, or of Python's multiprocessing.connection, in C. It
// is given its end as a descriptor, or connects to a Unix socket by path, and shows the whole protocol:
// messages behind their length, and descriptors beside one byte (SCM_RIGHTS, unix(7)).
//
//   connection-peer FD|PATH echo           sends every message back until the end
//   connection-peer FD|PATH receive-fd     receives a descriptor, writes "from C" to it, answers "written"
//   connection-peer FD|PATH send-fd FILE   opens a file and sends its descriptor
//   connection-peer FD|PATH ping COUNT SIZE    sends messages and waits for each to come back: ns for all
//   connection-peer FD|PATH pump COUNT SIZE    sends messages and waits for one byte
//   connection-peer FD|PATH drain COUNT    receives messages: ns from the first to the last; then sends one
//   byte
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const size_t most = 64 * 1024 * 1024;

_Noreturn static void give_up(const char* call) {
  fprintf(stderr, "connection-peer: %s: %s\n", call, strerror(errno));
  exit(1);
}

static void send_message(int fd, const char* bytes, size_t length) {
  uint32_t header = htonl((uint32_t)length);
  struct iovec parts[2] = {{&header, sizeof header}, {(char*)bytes, length}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  while (parts[0].iov_len + parts[1].iov_len > 0) {
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) give_up("sendmsg");
    for (int part = 0; part < 2; part++) {
      size_t of_this = (size_t)sent < parts[part].iov_len ? (size_t)sent : parts[part].iov_len;
      parts[part].iov_base = (char*)parts[part].iov_base + of_this;
      parts[part].iov_len -= of_this;
      sent -= (ssize_t)of_this;
    }
  }
}

/// False at the end of the stream, which is a good one only before the first byte.
static bool receive_whole(int fd, void* bytes, size_t length) {
  size_t have = 0;
  while (have < length) {
    ssize_t count = recv(fd, (char*)bytes + have, length - have, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) give_up("recv");
    if (count == 0 && have == 0) return false;
    if (count == 0) {
      fprintf(stderr, "connection-peer: the stream ended after %zu of %zu bytes\n", have, length);
      exit(1);
    }
    have += (size_t)count;
  }
  return true;
}

static char* buffer;
static size_t room;

static bool receive_message(int fd, size_t* length) {
  uint32_t header;
  if (!receive_whole(fd, &header, sizeof header)) return false;
  uint64_t announced = ntohl(header);
  if (header == UINT32_MAX) {
    if (!receive_whole(fd, &announced, sizeof announced)) return false;
    announced = be64toh(announced);
  }
  // Before memory is made for it.
  if (announced > most) {
    errno = EMSGSIZE;
    give_up("receive");
  }
  if (announced > room || buffer == NULL) {
    free(buffer);
    room = announced > 4096 ? announced : 4096;
    buffer = malloc(room);
    if (buffer == NULL) give_up("malloc");
  }
  *length = announced;
  return announced == 0 || receive_whole(fd, buffer, announced);
}

static int receive_fd(int fd) {
  char byte;
  struct iovec part = {&byte, 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
  // Not CMSG_SPACE: rounded up, it has room for a second one, which would stay open unseen.
  message.msg_controllen = CMSG_LEN(sizeof(int));
  ssize_t count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (count < 0) give_up("recvmsg");
  struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (count == 0 || rights == NULL || rights->cmsg_type != SCM_RIGHTS) {
    fprintf(stderr, "connection-peer: no descriptor came\n");
    exit(1);
  }
  int received;
  memcpy(&received, CMSG_DATA(rights), sizeof received);
  return received;
}

static void send_fd(int fd, int what) {
  char byte = 1;
  struct iovec part = {&byte, 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {
      .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &what, sizeof what);
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
  if (sendmsg(fd, &message, MSG_NOSIGNAL) != 1) give_up("sendmsg");
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int open_end(const char* name) {
  if (name[0] != '/') return atoi(name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, name, sizeof address.sun_path - 1);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0) give_up("connect");
  return fd;
}

static void echo(int fd) {
  size_t length;
  while (receive_message(fd, &length)) send_message(fd, buffer, length);
}

static void ping(int fd, long count, size_t size) {
  char* bytes = calloc(1, size + 1);
  size_t length;
  int64_t start = now();
  for (long each = 0; each < count; each++) {
    send_message(fd, bytes, size);
    if (!receive_message(fd, &length) || length != size) give_up("ping");
  }
  printf("%lld\n", (long long)(now() - start));
}

static void pump(int fd, long count, size_t size) {
  char* bytes = calloc(1, size + 1);
  for (long each = 0; each < count; each++) send_message(fd, bytes, size);
  char done;
  receive_whole(fd, &done, 1);
}

static void drain(int fd, long count) {
  int64_t start = 0;
  size_t length;
  for (long each = 0; each < count; each++) {
    if (!receive_message(fd, &length)) give_up("drain");
    if (each == 0) start = now();
  }
  printf("%lld\n", (long long)(now() - start));
  if (write(fd, "", 1) != 1) give_up("write");
}

int main(int argc, char* argv[]) {
  if (argc < 3) {
    fprintf(stderr,
            "usage: connection-peer FD|PATH echo | receive-fd | send-fd FILE | ping N SIZE | pump N SIZE | "
            "drain N\n");
    return 2;
  }
  const int fd = open_end(argv[1]);
  const char* what = argv[2];
  const long count = argc > 3 ? atol(argv[3]) : 0;
  const size_t size = argc > 4 ? (size_t)atol(argv[4]) : 0;
  if (strcmp(what, "echo") == 0) {
    echo(fd);
  } else if (strcmp(what, "receive-fd") == 0) {
    const int received = receive_fd(fd);
    if (write(received, "from C", 6) != 6) give_up("write");
    close(received);
    send_message(fd, "written", 7);
  } else if (strcmp(what, "send-fd") == 0 && argc > 3) {
    const int file = open(argv[3], O_RDONLY | O_CLOEXEC);
    if (file < 0) give_up("open");
    send_fd(fd, file);
  } else if (strcmp(what, "ping") == 0) {
    ping(fd, count, size);
  } else if (strcmp(what, "pump") == 0) {
    pump(fd, count, size);
  } else if (strcmp(what, "drain") == 0) {
    drain(fd, count);
  } else {
    return 2;
  }
  return 0;
}
