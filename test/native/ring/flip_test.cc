// Every single bit of the header and of the cells, flipped under a queue that holds some of everything, and
// then every operation by itself: a correct result or a refusal, no crash, no hang, and no word written
// outside of the mapping. All flips take some 20 seconds, and minutes under sanitizers; without an argument a
// sample of them runs, whose seed is printed.
//
//   flip_test [--all]     or with IPCKIT_FLIPS=all in the environment
#include <sys/mman.h>

#include <algorithm>

#include "small_queue.h"
#include "support.h"

extern "C" {
#include "ring/queue.h"
}

static ipckit_queue_options_t small_joinable_queue() {
  ipckit_queue_options_t options = small_queue();
  options.capacity = 8;
  options.flags = IPCKIT_QUEUE_JOINABLE;
  return options;
}

static std::string body(uint64_t seq) {
  std::string text(seq * 83 % kLargest, 0);
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<char>(seq * 31 + i * 7);
  return text;
}

static ipckit_token_t held;

/// Each operation once, named by what it is; its result is checked by refused_or.
struct Operation {
  const char* name;
  int64_t (*run)(ipckit_queue_t*);
};

static char buffer[2 * kLargest];
static ipckit_message_t messages[4];

static const Operation operations[] = {
    {"put", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_try_put(q, buffer, 20, 1)}; }},
    {"put large", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_try_put(q, buffer, 400, 0)}; }},
    {"put_many",
     [](ipckit_queue_t* q) {
       ipckit_slice_t slices[] = {{buffer, 100, 0}, {buffer, 10, 2}};
       return ipckit_queue_put_many(q, slices, 2, 0);
     }},
    {"get", [](ipckit_queue_t* q) { return ipckit_queue_try_get(q, buffer, kLargest, messages); }},
    {"get_many",
     [](ipckit_queue_t* q) { return ipckit_queue_get_many(q, buffer, sizeof buffer, messages, 4, 0); }},
    {"lease", [](ipckit_queue_t* q) { return ipckit_queue_lease(q, buffer, kLargest, messages, 5, 0); }},
    {"lease_many",
     [](ipckit_queue_t* q) { return ipckit_queue_lease_many(q, buffer, sizeof buffer, messages, 4, 0, 0); }},
    {"ack", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_ack(q, &held)}; }},
    {"nack", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_nack(q, &held, 0)}; }},
    {"extend", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_extend(q, &held, kSecond)}; }},
    {"reject", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_reject(q, &held)}; }},
    {"peek", [](ipckit_queue_t* q) { return ipckit_queue_peek(q, buffer, kLargest, messages); }},
    {"get_dead", [](ipckit_queue_t* q) { return ipckit_queue_get_dead(q, buffer, kLargest, messages); }},
    {"stat",
     [](ipckit_queue_t* q) {
       ipckit_queue_stat_t stat;
       return int64_t{ipckit_queue_stat(q, &stat)};
     }},
    {"participants",
     [](ipckit_queue_t* q) {
       ipckit_participant_t people[4];
       return int64_t{ipckit_queue_participants(q, people, 4)};
     }},
    {"sweep", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_sweep(q)}; }},
    {"clear", [](ipckit_queue_t* q) { return ipckit_queue_clear(q); }},
    {"join", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_join(q, 0)}; }},
    {"shutdown", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_shutdown(q, 0)}; }},
    {"arm",
     [](ipckit_queue_t* q) {
       ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
       int64_t bound;
       return int64_t{ipckit_queue_arm(q, 7, 100, words, &bound)};
     }},
    {"verify", [](ipckit_queue_t* q) { return int64_t{ipckit_queue_verify(q)}; }},
    {"recover",
     [](ipckit_queue_t* q) {
       int64_t end = 0;
       return int64_t{ring_recover(q, &end)};
     }},
};

static bool is_refusal(int64_t result) {
  for (int64_t one : {int64_t{IPCKIT_E_CORRUPT}, int64_t{IPCKIT_E_HELD}, int64_t{IPCKIT_E_SHUTDOWN},
                      int64_t{IPCKIT_E_STALE}, int64_t{-EAGAIN}, int64_t{-EMSGSIZE}, int64_t{-ETIMEDOUT}}) {
    if (result == one) return true;
  }
  return false;
}

/// A queue between two guards with what a flip may touch, put back in a moment.
class Flipped {
 public:
  Flipped() : queue_(small_joinable_queue()) {
    q_ = queue_;
    for (uint64_t seq = 1; seq <= 8; seq++) EXPECT_EQ(put(q_, body(seq), seq % 3), 0);
    ipckit_message_t message;
    lease(q_, &message);
    ipckit_queue_reject(q_, &message.token);
    lease(q_, &message, 3600 * kSecond);
    ipckit_queue_nack(q_, &message.token, 0);
    lease(q_, &message);
    ipckit_queue_nack(q_, &message.token, 3600 * kSecond);
    lease(q_, &message);
    lease(q_, &message, 3600 * kSecond);
    held = message.token;
    EXPECT_EQ(ipckit_queue_verify(q_), 0);
    move_between_guards();
    sound_.assign(bytes(), bytes() + q_->map.bytes);
  }
  ~Flipped() { restore(); }
  ipckit_queue_t* queue() const { return q_; }
  uint8_t* bytes() const { return reinterpret_cast<uint8_t*>(q_->h); }
  size_t size() const { return sound_.size(); }
  void restore() {
    memcpy(bytes(), sound_.data(), sound_.size());
    q_->leases = 2;
    q_->tasks.head = q_->tasks.count = 0;
  }
  void flip(size_t bit) { bytes()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8); }
  std::string path() const { return queue_.path(); }

 private:
  /// Whatever lies before and after the mapping faults. The mapping moves, so its addresses are made anew.
  void move_between_guards() {
    const size_t guard = 1 << 20, size = q_->map.bytes;
    auto* whole = static_cast<uint8_t*>(
        mmap(nullptr, size + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    ASSERT_NE(whole, MAP_FAILED);
    uint8_t* before = bytes();
    ASSERT_EQ(mremap(before, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, whole + guard), whole + guard);
    const ptrdiff_t by = whole + guard - before;
    auto moved = [by](auto*& pointer) {
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(
          reinterpret_cast<uint8_t*>(pointer) + by);
    };
    moved(q_->map.start);
    moved(q_->h);
    moved(q_->people.table);
    moved(q_->cells);
    moved(q_->rings);
    moved(q_->free);
    moved(q_->heaps);
    moved(q_->free_blocks);
    moved(q_->links);
    moved(q_->marks);
    moved(q_->blocks);
  }

  Queue queue_;
  ipckit_queue_t* q_ = nullptr;
  std::vector<uint8_t> sound_;
};

static bool all_of_them() {
  const char* wanted = getenv("IPCKIT_FLIPS");
  if (wanted && strcmp(wanted, "all") == 0) return true;
  for (const std::string& argument : testing::internal::GetArgvs()) {
    if (argument == "--all") return true;
  }
  return false;
}

/// Processor time of this thread, since others may have the processor.
static int64_t spent() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

TEST(Flips, OfEveryBitOfTheHeaderAndACellLeaveEachOperationACorrectResultOrARefusal) {
  const bool all = all_of_them();
  std::random_device device;
  const unsigned seed = device();
  std::mt19937 random(seed);
  Flipped flipped;
  ipckit_queue_t* q = flipped.queue();
  std::vector<size_t> bits;
  for (size_t bit = 0; bit < sizeof(ipckit_layout_header_t) * 8; bit++) bits.push_back(bit);
  // Free ones, ready ones, one that is leased for a time and whose token we hold, and dead letters.
  const size_t cells = q->g.cells_at * 8;
  for (size_t bit = 0; bit < q->g.cells * sizeof(ipckit_layout_cell_t) * 8; bit++)
    bits.push_back(cells + bit);
  if (!all) {
    std::shuffle(bits.begin(), bits.end(), random);
    bits.resize(bits.size() / 12);
  }
  size_t refused = 0, wrong_bytes = 0;
  int64_t slowest = 0;
  for (size_t bit : bits) {
    for (const Operation& operation : operations) {
      flipped.restore();
      flipped.flip(bit);
      messages[0].length = 0;
      const int64_t started = spent();
      const int64_t result = operation.run(q);
      slowest = std::max(slowest, spent() - started);
      if (result < 0) {
        ASSERT_TRUE(is_refusal(result)) << operation.name << " after bit " << bit << ": " << result;
        refused++;
      } else if (strcmp(operation.name, "get") == 0 || strcmp(operation.name, "peek") == 0) {
        ASSERT_LE(result, static_cast<int64_t>(kLargest));
        ASSERT_EQ(result, static_cast<int64_t>(messages[0].length));
        // A payload, its length or its number that was flipped cannot be told from what was put. Anything
        // else delivers what it should.
        wrong_bytes += std::string(buffer, static_cast<size_t>(result)) != body(messages[0].seq);
      } else if (strcmp(operation.name, "verify") == 0) {
        ASSERT_EQ(result, 0);
      }
    }
  }
  printf(
      "seed %u, %zu of the bits, %zu operations, %zu refused, %zu with other bytes than were put, slowest "
      "%.3f s\n",
      seed, bits.size(), bits.size() * std::size(operations), refused, wrong_bytes,
      static_cast<double>(slowest) / kSecond);
  EXPECT_LT(slowest, 2 * kSecond) << "the promise of the queue, and no measure of speed";
  // Only bits of the cell that is next can do that: of its bytes in use, of its length, block and number. Two
  // operations look at them.
  EXPECT_LE(wrong_bytes, 2U * 8 * (IPCKIT_LAYOUT_INLINE + 16));
  if (all) {
    EXPECT_GT(wrong_bytes, 0U) << "or the bytes were not looked at";
  }
}

TEST(Flips, OfEveryBitOfTheIdentityAreRefusedByWhoeverOpensTheFile) {
  Flipped flipped;
  const size_t step = all_of_them() ? 1 : 7;
  const std::string name = flipped.path().substr(strlen("/dev/shm/ipckit."));
  for (size_t bit = 0; bit < sizeof(ipckit_layout_header_t) * 8; bit += step) {
    flipped.restore();
    flipped.flip(bit);
    ipckit_queue_t* opened = nullptr;
    const int result = ipckit_queue_open(name.c_str(), nullptr, nullptr, &opened);
    if (result == 0) {
      // Nothing of the identity but the minor version, or a word that no opener needs.
      EXPECT_TRUE(bit / 8 >= sizeof(ipckit_layout_identity_t) || bit / 8 == 8 || bit / 8 == 9)
          << "bit " << bit;
      EXPECT_EQ(ipckit_queue_close(opened), 0);
    } else {
      ASSERT_LT(result, -10000) << "bit " << bit << ": one of our own refusals";
    }
  }
  flipped.restore();
}
