"""Which requests wait long in the application, and how many of those may be in it at once.

Pure, and learned from what calls have taken: where calls of a method and path, parts with digits left out, mostly wait
for 20 ms or more, for a database or another server, the next one is known to be *slow* before it begins. That is worth
two things. The leader hands over before such a call and before no other, instead of finding out by the clock each time.
And slow requests are kept out of the last request thread while most requests are not slow: else a few pages that wait
make all others wait as long, although they would take a millisecond of a thread.

What counts is the time for which nobody in the process computed: a call that computes, or waits for an interpreter that
others compute in, is not slow in this sense. A slow request waits for its lane no longer than HOLD_NS, so that none can
wait for ever for another that waits for it.

`learn` is for whoever has ended a call, `forget` for the monitor. Counts are changed under the lock of the connections;
what is known is looked up and stored without: a lost update moves a verdict by a call.
"""

from __future__ import annotations

from typing import Dict

from ..protocol.heads import Head

SLOW_NS = 20_000_000  # for so long calls of it wait on average
HOLD_NS = 1_000_000_000
SPARED_FROM = 4  # threads from which one is kept free of slow calls
_FORGOTTEN_BELOW_NS = 5_000_000
_FORGOTTEN_AFTER_NS = 60_000_000_000
_MOST_KNOWN = 256
_KEY_CHARACTERS = 256
_OTHERS = 64  # as far as it is counted how many requests more are not slow than are
_NO_DIGITS = dict.fromkeys(range(ord("0"), ord("9") + 1))


class _Average:
    """Of the calls of one key, in nanoseconds; the last one counts for half."""

    __slots__ = ("seen_ns", "waits_ns")

    def __init__(self) -> None:
        self.waits_ns = self.seen_ns = 0


class Lanes:
    """What is known of requests, and how many slow ones are being called."""

    __slots__ = ("known", "others", "slow_calls", "threads")

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.known: Dict[str, _Average] = {}  # empty as long as nothing is slow: then there is nothing to ask
        self.slow_calls = 0
        self.others = 0

    def slow(self, head: Head) -> bool:
        """Whether a request that is to be called now is known to be slow."""
        average = self.known.get(head.lane_key or _key(head))
        slow = average is not None and average.waits_ns >= SLOW_NS
        if not slow:
            if self.others < _OTHERS:
                self.others += 1
        elif self.others:
            self.others -= 1
        return slow

    def room(self) -> bool:
        """Whether one more slow call may begin."""
        return self.slow_calls < self.threads - 1 or self.threads < SPARED_FROM or not self.others

    def learn(self, head: Head, waited_ns: int, now_ns: int) -> None:
        """Take note of a call that has ended, and of how long nobody computed meanwhile."""
        if waited_ns < SLOW_NS and not self.known:
            return
        key = head.lane_key or _key(head)
        average = self.known.get(key)
        if average is None:
            if waited_ns < SLOW_NS:
                return
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()  # what is slow is soon here again
            average = self.known[key] = _Average()
        average.waits_ns = (average.waits_ns + max(0, waited_ns)) // 2
        average.seen_ns = now_ns
        if average.waits_ns < _FORGOTTEN_BELOW_NS:
            self.known.pop(key, None)

    def forget(self, now_ns: int) -> None:
        """Forget what has not come for a while."""
        for key, average in list(self.known.items()):
            if now_ns - average.seen_ns > _FORGOTTEN_AFTER_NS:
                self.known.pop(key, None)


def _key(head: Head) -> str:
    """Return method and path without the parts that have digits: they mostly name the thing that a page is about."""
    path = head.target.partition("?")[0]
    if len(path.translate(_NO_DIGITS)) != len(path):
        path = "/".join([part if part.translate(_NO_DIGITS) == part else "" for part in path.split("/")])
    head.lane_key = key = head.method + path[:_KEY_CHARACTERS]
    return key
