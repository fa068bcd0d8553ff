"""The workload of the client matrix for redis-py: what applications do, with the answers that the engine gives. It is the
twin of workload.ts. Called with the mode and a JSON object that says where the database is; prints one line of JSON."""

import json
import sys
import threading

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

HOST = "127.0.0.1"
MANY = 200

mode = sys.argv[1]
target = json.loads(sys.argv[2])


def connect():
    options = {"decode_responses": True, "socket_timeout": 30}
    if target.get("password") is not None:
        options["password"] = target["password"]
    if target.get("trustedFile") is not None:
        options.update(ssl=True, ssl_ca_certs=target["trustedFile"], ssl_check_hostname=False)
    if mode == "plain":
        return redis.Redis(HOST, target["port"], **options)
    if mode == "sentinel":
        found = Sentinel([(HOST, target["discoveryPort"])], socket_timeout=5)
        return found.master_for(target["name"], **options)
    return RedisCluster(startup_nodes=[ClusterNode(HOST, target["port"])], **options)


def same(seen, expected):
    if seen != expected:
        raise AssertionError(f"{seen!r} is not {expected!r}")


def refused(words, run):
    try:
        run()
    except redis.RedisError as error:
        if words not in str(error):
            raise
    else:
        raise AssertionError(f"nothing was refused with {words}")


def values(one):
    same(one.set("s", "héllo"), True)
    same(one.get("s"), "héllo")
    same(one.append("s", "!"), 7)
    same(one.incrby("n", 5), 5)
    same(one.incrbyfloat("n", 0.5), 5.5)
    same(one.set("e", "x", ex=100), True)
    same(one.ttl("e") > 90, True)
    same(one.set("e", "y", nx=True), None)
    same(one.getdel("e"), "x")
    same(one.get("e"), None)
    same(one.hset("h", mapping={"a": "1", "b": "2"}), 2)
    same(one.hincrby("h", "a", 41), 42)
    same(one.hgetall("h"), {"a": "42", "b": "2"})
    same(one.hmget("h", ["b", "nothing"]), ["2", None])
    same(one.rpush("l", "x", "y", "z"), 3)
    same(one.lrange("l", 0, -1), ["x", "y", "z"])
    same(one.lpop("l"), "x")
    same(one.zadd("z", {"one": 1, "two": 2, "three": 3}), 3)
    same(one.zrange("z", 1, 3, byscore=True, offset=1, num=2), ["two", "three"])
    same(one.zscore("z", "two"), 2.0)
    same(one.mset({"{t}a": "1", "{t}b": "2"}), True)
    same(one.mget("{t}a", "{t}b"), ["1", "2"])


def together(one):
    # In cluster mode redis-py has pipelines, and no transactions.
    pipe = one.pipeline() if mode == "cluster" else one.pipeline(transaction=True)
    pipe.set("{t}c", "1")
    pipe.incr("{t}c")
    pipe.rpush("{t}d", "x")
    same(pipe.execute(), [True, 2, 1])
    pipe = one.pipeline() if mode == "cluster" else one.pipeline(transaction=False)
    for number in range(MANY):
        pipe.set(f"many:{number}", number)
    pipe.execute()
    for number in range(MANY):
        pipe.get(f"many:{number}")
    same(pipe.execute(), [str(number) for number in range(MANY)])
    same(set(one.scan_iter("many:*")), {f"many:{number}" for number in range(MANY)})


def scripts(one):
    text = "redis.call('INCRBY', KEYS[1], ARGV[1]) return {redis.call('GET', KEYS[1]), ARGV[2]}"
    same(one.eval(text, 1, "script", 3, "x"), ["3", "x"])
    digest = one.script_load(text)
    same(one.evalsha(digest, 1, "script", 4, "y"), ["7", "y"])
    refused("No matching script", lambda: one.evalsha("f" * 40, 1, "script"))
    refused("ompil", lambda: one.eval("return nonsense(", 1, "script"))


def waiting(one, second):
    listener = second.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news")
    listener.get_message(timeout=10)
    one.publish("news", "extra")
    heard = None
    while heard is None:
        heard = listener.get_message(timeout=20)
    same(heard["data"], "extra")
    listener.close()
    popped = []
    thread = threading.Thread(target=lambda: popped.append(second.blpop("queue", 20)), daemon=True)
    thread.start()
    one.rpush("queue", "job")
    thread.join(25)
    same(popped, [("queue", "job")])


def streams(one):
    entry = one.xadd("st", {"field": "value"})
    same(one.xlen("st"), 1)
    same(one.xrange("st"), [(entry, {"field": "value"})])
    same(one.xgroup_create("st", "group", "0"), True)
    same(one.xreadgroup("group", "me", {"st": ">"}), [["st", [(entry, {"field": "value"})]]])
    same(one.xack("st", "group", entry), 1)


def run():
    one, second = connect(), connect()
    one.ping()
    values(one)
    together(one)
    scripts(one)
    waiting(one, second)
    streams(one)
    big = "x" * 4_999_997 + "end"
    same(one.set("big", big), True)
    same(one.get("big") == big, True)
    refused("WRONGTYPE", lambda: one.lpush("s", "x"))
    refused("syntax error", lambda: one.execute_command("SET", "s", "x", "NONSENSE"))
    refused("unknown command", lambda: one.execute_command("CLIENT-NONSENSE", "s", target_nodes="random") if mode == "cluster" else one.execute_command("NONSENSE", "s"))
    same(one.get("s"), "héllo!")


for line in sys.stdin:
    try:
        run()
        print(json.dumps({"ok": True}), flush=True)
    except (redis.RedisError, AssertionError) as error:
        print(json.dumps({"ok": False, "error": f"{type(error).__name__}: {error}"}), flush=True)
