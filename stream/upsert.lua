#!lua name=alluvia_@VERSION@
-- KEYS[1] holds the epoch of the owner. Numbers are doubles: exact below 2^53.

local function fence(key, epoch)
  local held = tonumber(redis.call('GET', key) or 0)
  if held > epoch then
    return redis.error_reply(string.format('FENCED %.0f', held))
  end
  if held < epoch then
    redis.call('SET', key, string.format('%.0f', epoch))
  end
end

local function claim(keys, args)
  return fence(keys[1], tonumber(args[1])) or 1
end

local function older(key, lineage, sequence)
  local held = redis.call('HMGET', key, 'lineage', 'sequence')
  local l, s = tonumber(held[1] or -1), tonumber(held[2] or -1)
  return l < lineage or (l == lineage and s < sequence)
end

local function write(key, entry, ttl)
  local _, prediction, probabilities, lineage, sequence, topic, partition, offset, time =
    unpack(entry)
  if prediction == '' then
    redis.call('UNLINK', key)
    return
  end
  local version = string.format('%.0f@%.0f', lineage, sequence)
  if probabilities == '' then
    redis.call('HDEL', key, 'probabilities')
    redis.call('HSET', key, 'prediction', prediction, 'version', version, 'lineage', lineage,
      'sequence', sequence, 'topic', topic, 'partition', partition, 'offset', offset, 'time', time)
  else
    redis.call('HSET', key, 'prediction', prediction, 'probabilities', probabilities,
      'version', version, 'lineage', lineage, 'sequence', sequence,
      'topic', topic, 'partition', partition, 'offset', offset, 'time', time)
  end
  if ttl > 0 then
    redis.call('PEXPIRE', key, ttl)
  end
end

-- ARGV[1]: MessagePack of {epoch, ttl in ms or 0, entries}; entry i belongs to KEYS[i + 1].
local function put(keys, args)
  local epoch, ttl, entries = unpack(cmsgpack.unpack(args[1]))
  local fenced = fence(keys[1], epoch)
  if fenced then
    return fenced
  end
  local written = 0
  for i, entry in ipairs(entries) do
    local key = keys[i + 1]
    if older(key, entry[4], entry[5]) then
      write(key, entry, ttl)
      written = written + 1
    end
  end
  return written
end

redis.register_function('alluvia_claim_@VERSION@', claim)
redis.register_function('alluvia_put_@VERSION@', put)
