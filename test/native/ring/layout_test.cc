// Where everything lies in a queue of version 1.0. Whoever moves a field, or gives one another size, makes
// another layout: a new IPCKIT_LAYOUT_VERSION with a table of its own here, and a new golden file
// (test/interop/golden).
#include <cstddef>

#include "support.h"

extern "C" {
#include "ring/queue.h"
}

struct Place {
  const char* name;
  size_t offset, size, expected_offset, expected_size;
};

#define PLACE(type, field, offset, size) \
  Place { #type "." #field, offsetof(type, field), sizeof(type::field), offset, size }
#define PARTICIPANT(...) PLACE(ipckit_layout_participant_t, __VA_ARGS__)
#define CELL(...) PLACE(ipckit_layout_cell_t, __VA_ARGS__)
#define START(...) PLACE(ipckit_layout_start_t, __VA_ARGS__)
#define IDENTITY(...) PLACE(ipckit_layout_identity_t, __VA_ARGS__)
#define WAIT(...) PLACE(ipckit_layout_wait_t, __VA_ARGS__)
#define HEADER(...) PLACE(ipckit_layout_header_t, __VA_ARGS__)

TEST(Layout, OfVersion1Point0IsWhereItWas) {
  ASSERT_EQ(IPCKIT_LAYOUT_VERSION, 0x00010000U) << "the table below is that of 1.0";
  const Place places[] = {
      PARTICIPANT(word, 0, 4),
      PARTICIPANT(pid, 4, 4),
      PARTICIPANT(roles, 8, 4),
      PARTICIPANT(leases, 12, 4),
      PARTICIPANT(since, 16, 8),
      PARTICIPANT(name, 24, 32),
      CELL(truth, 0, 8),
      CELL(seq, 8, 8),
      CELL(ready_at, 16, 8),
      CELL(until, 24, 8),
      CELL(length, 32, 4),
      CELL(block, 36, 4),
      CELL(heap_index, 40, 4),
      CELL(priority, 44, 1),
      CELL(reason, 45, 1),
      CELL(payload, 48, 80),
      START(magic, 0, 8),
      START(version, 8, 4),
      START(byte_order, 12, 4),
      START(id, 16, 16),
      START(total_bytes, 32, 8),
      IDENTITY(start, 0, 40),
      IDENTITY(max_message_bytes, 40, 8),
      IDENTITY(capacity_bytes, 48, 8),
      IDENTITY(capacity, 56, 4),
      IDENTITY(dead_capacity, 60, 4),
      IDENTITY(cells, 64, 4),
      IDENTITY(priorities, 68, 4),
      IDENTITY(participants, 72, 4),
      IDENTITY(blocks, 76, 4),
      IDENTITY(block_bytes, 80, 4),
      IDENTITY(copy_outside_bytes, 84, 4),
      IDENTITY(max_deliveries, 88, 4),
      IDENTITY(flags, 92, 4),
      IDENTITY(created, 96, 8),
      IDENTITY(fingerprint, 104, 8),
      IDENTITY(type_name, 112, 128),
      IDENTITY(checksum, 240, 8),
      WAIT(event, 0, 4),
      WAIT(armed, 4, 4),
      WAIT(armed_large, 8, 4),
      HEADER(identity, 0, 512),
      HEADER(state, 512, 4),
      HEADER(recovery_lock, 640, 4),
      HEADER(recoveries, 648, 8),
      HEADER(swept, 656, 8),
      HEADER(producer_lock, 768, 4),
      HEADER(writing, 772, 4),
      HEADER(free_head, 776, 4),
      HEADER(block_head, 780, 4),
      HEADER(next_seq, 784, 8),
      HEADER(done_seen, 792, 8),
      HEADER(free_seen, 800, 4),
      HEADER(block_seen, 804, 4),
      HEADER(tail, 896, 4),
      HEADER(tails, 1024, 64),
      HEADER(consumer_lock, 1152, 4),
      HEADER(tail_seen, 1156, 4),
      HEADER(heads, 1160, 64),
      HEADER(done, 1280, 8),
      HEADER(free_tail, 1288, 4),
      HEADER(block_tail, 1292, 4),
      HEADER(heap_counts, 1408, 16),
      HEADER(taken, 1424, 4),
      HEADER(deaths, 1432, 8),
      HEADER(redeliveries, 1440, 8),
      HEADER(expiries, 1448, 8),
      HEADER(dropped, 1456, 8),
      HEADER(items, 1536, 128),
      HEADER(space, 1664, 128),
      HEADER(tasks, 1792, 128),
  };
  for (const Place& place : places) {
    EXPECT_EQ(place.offset, place.expected_offset) << place.name;
    EXPECT_EQ(place.size, place.expected_size) << place.name;
  }
  EXPECT_EQ(sizeof(ipckit_layout_participant_t), 128U);
  EXPECT_EQ(sizeof(ipckit_layout_cell_t), 128U);
  EXPECT_EQ(sizeof(ipckit_layout_identity_t), 512U);
  EXPECT_EQ(sizeof(ipckit_layout_wait_t), 128U);
  EXPECT_EQ(sizeof(ipckit_layout_header_t), 4096U);
}

// The sections follow from the identity, so how they do is part of the layout, too.
TEST(Layout, OfVersion1Point0HasItsSectionsWhereTheyWere) {
  ring_geometry g = {};
  g.capacity = 8;
  g.dead_capacity = 2;
  g.cells = 10;
  g.priorities = 3;
  g.participants = 2;
  g.blocks = 9;
  g.block_bytes = 256;
  g.copy_outside_bytes = 4096;
  g.max_message_bytes = 600;
  g.capacity_bytes = 2048;
  ASSERT_TRUE(ring_geometry_derive(&g));
  EXPECT_EQ(g.ring, 16U);
  EXPECT_EQ(g.block_ring, 16U);
  EXPECT_EQ(g.people_at, 4096U);
  EXPECT_EQ(g.cells_at, 4352U);
  EXPECT_EQ(g.rings_at, 5632U);
  EXPECT_EQ(g.free_at, 5888U);
  EXPECT_EQ(g.heaps_at, 6016U);
  EXPECT_EQ(g.free_blocks_at, 6272U);
  EXPECT_EQ(g.links_at, 6400U);
  EXPECT_EQ(g.marks_at, 6528U);
  EXPECT_EQ(g.blocks_at, 8192U);
  EXPECT_EQ(g.total_bytes, 12288U);
}

TEST(Layout, OfVersion1Point0HasTheTruthWordThatItHad) {
  EXPECT_EQ(ring_truth(IPCKIT_CELL_TAKEN, 5, 3, 0x987654321), 0x8028003987654321U);
  EXPECT_EQ(IPCKIT_LAYOUT_MAGIC, 0x71746b6370690d0aULL);
  EXPECT_EQ(IPCKIT_LAYOUT_LOCKS, 0x4000000000000000LL);
  const unsigned cells[] = {IPCKIT_CELL_FREE, IPCKIT_CELL_WRITING, IPCKIT_CELL_READY, IPCKIT_CELL_TAKEN,
                            IPCKIT_CELL_DEAD};
  for (unsigned i = 0; i < 5; i++) EXPECT_EQ(cells[i], i + 1);
  const unsigned states[] = {IPCKIT_STATE_OPEN, IPCKIT_STATE_DRAIN, IPCKIT_STATE_STOPPED,
                             IPCKIT_STATE_CORRUPT};
  for (unsigned i = 0; i < 4; i++) EXPECT_EQ(states[i], i + 1);
}
