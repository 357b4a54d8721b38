# python3 examples/shared-memory/look.py
# Prints the quotes that feed.mjs wrote.
import struct
import sys
from multiprocessing import resource_tracker, shared_memory

if sys.version_info >= (3, 13):
    memory = shared_memory.SharedMemory("quotes", track=False)
else:
    memory = shared_memory.SharedMemory("quotes")
    # Or Python removes the memory of others when it ends.
    resource_tracker.unregister("/quotes", "shared_memory")

(count,) = struct.unpack_from("I", memory.buf)
for at in range(count):
    number, px, sym = struct.unpack_from("@i4xd8s", memory.buf, 8 + 24 * at)
    print(f"#{number} {sym.rstrip(bytes(1)).decode()} {px:g}")
memory.close()
