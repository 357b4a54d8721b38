# python3 examples/connections/worker.py, which pool.mjs does
# Adds numbers for whoever has the other end of descriptor 3, by Python's own multiprocessing.
import json
from multiprocessing.connection import Connection

with Connection(3) as parent:
    while True:
        try:
            job = json.loads(parent.recv_bytes())
        except EOFError:
            break
        parent.send_bytes(json.dumps({"sum": sum(job["numbers"])}).encode())
