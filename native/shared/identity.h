// How every file of ours begins: which kind it is, which version, whose bytes, and a number of its own. What
// follows differs by the kind.
#ifndef IPCKIT_SHARED_IDENTITY_H
#define IPCKIT_SHARED_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "ipckit/error.h"
#include "ipckit/layout.h"

// FNV-1a, 64 bits: easy to compute in any language, and no one is to be kept out by it.
#define RING_HASH_BASIS 0xcbf29ce484222325ULL
uint64_t ring_hash(const void* bytes, size_t length, uint64_t basis);

// Of a whole identity, whose checksum is at this offset: without it, and without the version, which is
// published last.
#define RING_IDENTITY_BYTES 512
uint64_t ring_identity_checksum(const void* identity, size_t checksum_at);

// Fills in the beginning, with a random number.
int ring_start_fill(ipckit_layout_start_t* start, uint64_t magic, uint64_t total_bytes);
// Whether the file is of the kind that has this magic, and can be read here. IPCKIT_E_KIND for the other one.
// `start` is the beginning of a whole identity.
int ring_start_check(const ipckit_layout_start_t* start, uint64_t magic, ipckit_refusal_t* refusal);

// Where its type stands: the name is for people, and may lose its end; the fingerprint decides.
void ring_type_fill(char type_name[128], const char* name);
int ring_type_check(uint64_t found, const char found_name[128], uint64_t wanted, ipckit_refusal_t* refusal);

uint64_t ring_realtime(void);
// Up to 256 bytes, which the kernel gives whole or not at all.
int ring_random(void* bytes, size_t size);

#endif
