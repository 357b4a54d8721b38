# PYTHONPATH=interop/python python3 examples/with-python/worker.py
# Works while jobs.mjs waits, until there is a job that is null.
import json

from posix_mq import PosixQueue

jobs, answers = PosixQueue.open("/numbers"), PosixQueue.open("/sums")

while job := json.loads(jobs.receive()[0]):
    answer = {"numbers": job["numbers"], "sum": sum(job["numbers"])}
    answers.send(json.dumps(answer).encode())
