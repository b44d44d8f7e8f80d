"""A queue and a store with nothing but what the original API asks for, to see that the kit fits them too."""

from __future__ import annotations

from collections import defaultdict, deque

from huey_core.backends.base import BaseDataStore, BaseQueue, EmptyData

MESSAGES: defaultdict[str, deque[bytes]] = defaultdict(deque)
VALUES: defaultdict[str, dict[str, bytes]] = defaultdict(dict)


class PlainQueue(BaseQueue):
    def write(self, data):
        MESSAGES[self.name].append(data)

    def read(self):
        try:
            return MESSAGES[self.name].popleft()
        except IndexError:
            return None

    def flush(self):
        MESSAGES[self.name].clear()

    def __len__(self):
        return len(MESSAGES[self.name])


class PlainDataStore(BaseDataStore):
    def put(self, key, value):
        VALUES[self.name][key] = value

    def get(self, key):
        return VALUES[self.name].pop(key, EmptyData)

    def flush(self):
        VALUES[self.name].clear()
