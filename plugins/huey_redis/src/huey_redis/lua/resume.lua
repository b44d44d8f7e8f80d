redis.call('DEL', PAUSED)
ring()
