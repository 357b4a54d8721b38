// The tasks of a joinable queue: tokens of what get handed out, oldest first, in private memory. They die
// with the process, and the messages are delivered again.
#ifndef IPCKIT_RING_TASKS_H
#define IPCKIT_RING_TASKS_H

#include "queue.h"

// Keeps room for more of them, before the messages are taken; ring_tasks_add uses `count` of it and gives it
// back.
int ring_tasks_reserve(ring_queue* q, size_t room);
void ring_tasks_add(ring_queue* q, const ipckit_message_t* messages, size_t count, size_t room);

#endif
