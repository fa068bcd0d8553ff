"""A client of redis-py in Sentinel mode, driven over standard input: each line names a database, whose counter is then
incremented, however long that takes. Answers with the number, and where the database is, as one line of JSON."""

import json
import sys
import time

import redis
from redis.sentinel import Sentinel

PATIENCE_SECONDS = 15

sentinel = Sentinel([("127.0.0.1", int(sys.argv[1]))], socket_timeout=2)
clients = {}


def count(name):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            client = clients.setdefault(name, sentinel.master_for(name, socket_timeout=2))
            return {"count": client.incr("count"), "address": list(sentinel.discover_master(name))}
        except redis.RedisError as error:
            if time.monotonic() > deadline or "No master found" in str(error):
                return {"error": str(error)}
            time.sleep(0.01)


for line in sys.stdin:
    print(json.dumps(count(line.strip())), flush=True)
