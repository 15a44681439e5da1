"""django-redis on Larder: caches, locks and sessions: `django_cache.py PORT`. Ends with an assertion when something is amiss."""
import sys
from importlib import import_module

import django
from django.conf import settings

settings.configure(
    CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"redis://127.0.0.1:{sys.argv[1]}/0"}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
django.setup()

from django.core.cache import cache  # noqa: E402

cache.clear()
cache.set("key", {"x": 1}, 100)
assert cache.get("key") == {"x": 1} and 0 < cache.ttl("key") <= 100
cache.set("number", 1)
assert cache.incr("number") == 2 and cache.get("number") == 2
assert cache.add("number", 3) is False and cache.get("nosuch", "default") == "default"
cache.set_many({"part:1": 1, "part:2": 2})
assert cache.get_many(["part:1", "part:2", "nosuch"]) == {"part:1": 1, "part:2": 2}
assert sorted(cache.iter_keys("part:*")) == ["part:1", "part:2"] and cache.delete_pattern("part:*") == 2
assert cache.touch("key", 200) and 100 < cache.ttl("key") <= 200 and cache.persist("key") and cache.ttl("key") is None
with cache.lock("lock", timeout=10):
    assert cache.lock("lock", timeout=10).acquire(blocking=False) is False
store = import_module(settings.SESSION_ENGINE).SessionStore
session = store()
session["user"] = 1
session.save()
assert store(session_key=session.session_key)["user"] == 1
