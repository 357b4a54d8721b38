// Values: bytes with a lock of their own.
#include "support.h"

static ipckit_sync_options_t value_options(uint64_t bytes, const char* type = nullptr,
                                           const void* initial = nullptr) {
  ipckit_sync_options_t options = {};
  options.kind = IPCKIT_KIND_VALUE;
  options.bytes = bytes;
  options.type_name = type;
  options.fingerprint = type ? ipckit_fingerprint(type) : 0;
  options.initial = initial;
  return options;
}

TEST(Value, BytesAreSharedAndBeginAsTold) {
  const int64_t initial[3] = {1, -2, 3};
  Sync value(IPCKIT_KIND_VALUE, 0, value_options(sizeof initial, "i64[3]", initial));
  size_t length = 0;
  auto* mine = static_cast<int64_t*>(ipckit_value_bytes(value, &length));
  EXPECT_EQ(length, sizeof initial);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(mine) % 128, 0U);
  EXPECT_EQ(mine[1], -2);
  Child child([&] {
    auto* bytes = static_cast<int64_t*>(ipckit_value_bytes(open_in_child(value.name()), nullptr));
    if (bytes[2] != 3) return 1;
    __atomic_fetch_add(&bytes[0], 41, __ATOMIC_SEQ_CST);
    return 0;
  });
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(mine[0], 42);
  EXPECT_STREQ(stat_of(value).type_name, "i64[3]");
  EXPECT_EQ(stat_of(value).bytes, sizeof initial);
}

TEST(Value, WithoutAnInitialItIsZero) {
  Sync value(IPCKIT_KIND_VALUE, 0, value_options(100000));
  size_t length = 0;
  const auto* bytes = static_cast<const uint8_t*>(ipckit_value_bytes(value, &length));
  for (size_t i = 0; i < length; i++) ASSERT_EQ(bytes[i], 0);
}

TEST(Value, TheLockIsRecursiveAndKeepsAdditionsWhole) {
  Sync value(IPCKIT_KIND_VALUE, 0, value_options(8));
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 4; i++) {
    children.push_back(std::make_unique<Child>([&] {
      ipckit_sync_t* mine = open_in_child(value.name());
      auto* number = static_cast<volatile int64_t*>(ipckit_value_bytes(mine, nullptr));
      for (int n = 0; n < 2000; n++) {
        acquire(mine);
        acquire(mine);
        *number = *number + 1;
        release(mine, 2);
      }
      return 0;
    }));
  }
  for (auto& child : children) EXPECT_EQ(child->join(), 0);
  EXPECT_EQ(*static_cast<int64_t*>(ipckit_value_bytes(value, nullptr)), 8000);
}

TEST(Value, AnotherSizeOrTypeIsRefusedWithWhatWasFound) {
  Sync value(IPCKIT_KIND_VALUE, 0, value_options(8, "f64"));
  auto refused = [&](ipckit_sync_options_t options, ipckit_refusal_t* refusal) {
    ipckit_sync_t* sync = nullptr;
    const int result = ipckit_sync_open(value.name().c_str(), &options, refusal, &sync);
    if (result == 0) ipckit_sync_close(sync);
    return result;
  };
  ipckit_refusal_t refusal;
  EXPECT_EQ(refused(value_options(8, "f64"), &refusal), 0);
  EXPECT_EQ(refused(value_options(0), &refusal), 0);
  EXPECT_EQ(refused(value_options(16, "f64"), &refusal), IPCKIT_E_TYPE);
  EXPECT_EQ(refusal.bytes, 8U);
  EXPECT_EQ(refused(value_options(8, "i64"), &refusal), IPCKIT_E_TYPE);
  EXPECT_STREQ(refusal.type_name, "f64");
}

TEST(Value, AHolderThatDiesIsToldOf) {
  Sync value(IPCKIT_KIND_VALUE, 0, value_options(8));
  const uint32_t pid = child_dies_after([&] { acquire(open_in_child(value.name()), 0, 2); });
  EXPECT_EQ(acquire_from_dead(value), pid);
}
