// getopt_long reads the words; what they may be, and which of them go together, is decided here.
#include "command_line.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_usage(FILE* out) {
  fprintf(out,
          "usage: %s send   QUEUE --format F --count N [--seed S] [OPTIONS]\n"
          "       %s recv   QUEUE --format F --count N [OPTIONS]\n"
          "       %s worker QUEUE --format F --ledger FILE [OPTIONS]\n"
          "       %s stop   QUEUE --format F [--count WORKERS] [OPTIONS]\n"
          "F is text, json or struct; OPTIONS are --timeout-ms T, --create, --unlink, and\n%s",
          own_name, own_name, own_name, own_name, own_usage);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void refuse(const char* sentence, ...) {
  va_list arguments;
  va_start(arguments, sentence);
  fprintf(stderr, "%s: ", own_name);
  vfprintf(stderr, sentence, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  print_usage(stderr);
  exit(EXIT_USAGE);
}

/// Decimal, or hexadecimal after 0x; never octal.
static long long parse_number(const char* name, const char* text, long long least, long long most) {
  const char* digits = text + (*text == '-');
  const bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
  char* end;
  errno = 0;
  const long long number = strtoll(text, &end, hexadecimal ? 16 : 10);
  const bool begins_well = *digits >= '0' && *digits <= '9';  // strtoll would also take spaces and a plus
  if (!begins_well || *end != '\0' || errno != 0 || number < least || number > most) {
    refuse("expected a number from %lld to %lld for --%s, received '%s'", least, most, name, text);
  }
  return number;
}

static int parse_word(const char* what, const char* text, const char* const words[], int count) {
  for (int i = 0; i < count; i++) {
    if (strcmp(text, words[i]) == 0) return i;
  }
  refuse("unknown %s '%s'", what, text);
}

/// A key is written as people write it: 0x1234, or signed as /proc/sysvipc/msg shows it.
static int parse_key(const char* text) {
  const int key = (int)(uint32_t)parse_number("key", text, INT32_MIN, UINT32_MAX);
  if (key == 0) refuse("key 0 is IPC_PRIVATE, which no one else can open: expected --id for such a queue");
  return key;
}

static void parse_tag(struct options* options, const char* name, const char* text, long least, long most) {
  options->cycles = options->mode == MODE_SEND && strcmp(text, "cycles") == 0;
  options->tag = options->cycles ? least : (long)parse_number(name, text, least, most);
}

static const struct option long_options[] = {
    {"format", required_argument, NULL, OPT_FORMAT},
    {"count", required_argument, NULL, OPT_COUNT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"timeout-ms", required_argument, NULL, OPT_TIMEOUT},
    {"ledger", required_argument, NULL, OPT_LEDGER},
    {"create", no_argument, NULL, OPT_CREATE},
    {"unlink", no_argument, NULL, OPT_UNLINK},
    {"queue", required_argument, NULL, OPT_QUEUE},
    {"priority", required_argument, NULL, OPT_PRIORITY},
    {"maxmsg", required_argument, NULL, OPT_MAXMSG},
    {"msgsize", required_argument, NULL, OPT_MSGSIZE},
    {"key", required_argument, NULL, OPT_KEY},
    {"id", required_argument, NULL, OPT_ID},
    {"type", required_argument, NULL, OPT_TYPE},
    {"except", no_argument, NULL, OPT_EXCEPT},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const struct {
  const char* name;
  unsigned takes;  // beside what every mode takes
  unsigned needs;
} modes[] = {
    [MODE_SEND] = {"send", OPT_COUNT | OPT_SEED | OPT_PRIORITY | OPT_TYPE, OPT_FORMAT | OPT_COUNT},
    [MODE_RECV] = {"recv", OPT_COUNT | OPT_TYPE | OPT_EXCEPT, OPT_FORMAT | OPT_COUNT},
    [MODE_WORKER] = {"worker", OPT_LEDGER | OPT_TYPE | OPT_EXCEPT, OPT_FORMAT | OPT_LEDGER},
    [MODE_STOP] = {"stop", OPT_COUNT | OPT_PRIORITY | OPT_TYPE, OPT_FORMAT},
};

enum {
  EVERY_MODE = OPT_FORMAT | OPT_TIMEOUT | OPT_CREATE | OPT_UNLINK | OPT_QUEUE | OPT_MAXMSG | OPT_MSGSIZE |
               OPT_KEY | OPT_ID | OPT_HELP,
  EVERY_PROGRAM =
      OPT_FORMAT | OPT_COUNT | OPT_SEED | OPT_TIMEOUT | OPT_LEDGER | OPT_CREATE | OPT_UNLINK | OPT_HELP,
};

static enum mode parse_mode(int argc, char* argv[]) {
  if (argc < 2) refuse("expected send, recv, worker or stop");
  if (strcmp(argv[1], "--help") == 0) {
    print_usage(stdout);
    exit(EXIT_OK);
  }
  const char* const names[] = {modes[0].name, modes[1].name, modes[2].name, modes[3].name};
  return (enum mode)parse_word("mode", argv[1], names, 4);
}

static void parse_option(struct options* options, const struct option* option, const char* text) {
  const char* name = option->name;
  const bool sends = options->mode == MODE_SEND || options->mode == MODE_STOP;
  switch ((enum option_bit)option->val) {
    case OPT_FORMAT:
      options->format = (enum format)parse_word("format", text, format_names, 3);
      break;
    case OPT_COUNT:
      options->count = (uint32_t)parse_number(name, text, 1, INT32_MAX);
      break;
    case OPT_SEED:
      options->seed = (uint32_t)parse_number(name, text, 0, UINT32_MAX);
      break;
    case OPT_TIMEOUT:
      options->timeout_ms = (int)parse_number(name, text, 0, INT_MAX);
      break;
    case OPT_LEDGER:
      options->ledger = text;
      break;
    case OPT_CREATE:
      options->create = true;
      break;
    case OPT_UNLINK:
      options->unlink = true;
      break;
    case OPT_QUEUE:
      options->queue = text;
      break;
    case OPT_PRIORITY:
      parse_tag(options, name, text, 0, 32767);
      break;
    case OPT_MAXMSG:
      options->maxmsg = (long)parse_number(name, text, 1, INT_MAX);
      break;
    case OPT_MSGSIZE:
      options->msgsize = (long)parse_number(name, text, 1, INT_MAX);
      break;
    case OPT_KEY:
      options->key = parse_key(text);
      break;
    case OPT_ID:
      options->id = (int)parse_number(name, text, 0, INT_MAX);
      break;
    case OPT_TYPE:
      parse_tag(options, name, text, sends ? 1 : LONG_MIN, LONG_MAX);
      break;
    case OPT_EXCEPT:
      options->except = true;
      break;
    case OPT_HELP:
      print_usage(stdout);
      exit(EXIT_OK);
  }
}

static void check(const struct options* options, unsigned given) {
  const unsigned target = given & (OPT_QUEUE | OPT_KEY | OPT_ID);
  if (own_options & OPT_QUEUE) {
    if (target == 0) refuse("expected --queue");
  } else if (target != OPT_KEY && target != OPT_ID) {
    refuse("expected either --key or --id");
  }
  for (const struct option* option = long_options; option->name != NULL; option++) {
    if (modes[options->mode].needs & ~given & (unsigned)option->val) refuse("expected --%s", option->name);
  }
  if ((given & OPT_CREATE) && (given & OPT_ID)) refuse("--create needs --key: the kernel chooses the id");
  if ((given & (OPT_MAXMSG | OPT_MSGSIZE)) && !options->create)
    refuse("--maxmsg and --msgsize need --create");
  if (options->except && options->tag <= 0) refuse("--except needs a --type above 0");
}

struct options parse_command_line(int argc, char* argv[]) {
  struct options options = {.mode = parse_mode(argc, argv), .id = -1, .count = 1, .timeout_ms = -1};
  const bool receives = options.mode == MODE_RECV || options.mode == MODE_WORKER;
  options.tag = (own_options & OPT_TYPE) && !receives ? 1 : 0;
  const unsigned allowed = (EVERY_MODE | modes[options.mode].takes) & (EVERY_PROGRAM | own_options);
  unsigned given = 0;
  int index;
  opterr = 0;
  // The mode stands where getopt expects the name of the program.
  for (int found; (found = getopt_long(argc - 1, argv + 1, ":", long_options, &index)) != -1;) {
    if (found == ':') refuse("expected a value after %s", argv[optind]);
    if (found == '?') refuse("unknown option %s", argv[optind]);
    if (!(allowed & (unsigned)found)) refuse("%s takes no --%s", argv[1], long_options[index].name);
    parse_option(&options, &long_options[index], optarg);
    given |= (unsigned)found;
  }
  if (optind < argc - 1) refuse("unexpected '%s'", argv[optind + 1]);
  check(&options, given);
  return options;
}
