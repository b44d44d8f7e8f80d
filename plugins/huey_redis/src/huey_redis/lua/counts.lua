return {
  redis.call('ZCARD', READY),
  redis.call('ZCARD', DUE),
  redis.call('ZCARD', LEASE),
  redis.call('ZCARD', DEAD),
  redis.call('EXISTS', PAUSED),
}
