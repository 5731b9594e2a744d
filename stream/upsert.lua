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

-- Where each partition has a model of its own, sequences of two of them say nothing; times do.
local function older_apart(key, entry)
  local held = redis.call('HMGET', key, 'partition', 'time')
  if held[1] and tonumber(held[1]) ~= entry[7] then
    return tonumber(held[2]) <= entry[9]
  end
  return older(key, entry[4], entry[5])
end

-- Redis writes a number with 17 digits, which takes longer than all else here: text is faster.
local function text(number)
  return string.format('%.0f', number)
end

local function write(key, entry, ttl)
  local prediction, probabilities, topic = entry[2], entry[3], entry[6]
  if prediction == '' then
    redis.call('UNLINK', key)
    return
  end
  local lineage, sequence = text(entry[4]), text(entry[5])
  -- What the guard reads comes first: a small hash is searched from its start. The fields are
  -- written out twice since a table of them would take as long as the write.
  local version = lineage .. '@' .. sequence
  if probabilities == '' then
    redis.call('HDEL', key, 'probabilities')
    redis.call('HSET', key, 'lineage', lineage, 'sequence', sequence, 'version', version,
      'prediction', prediction, 'topic', topic, 'partition', text(entry[7]),
      'offset', text(entry[8]), 'time', text(entry[9]))
  else
    redis.call('HSET', key, 'lineage', lineage, 'sequence', sequence, 'version', version,
      'prediction', prediction, 'probabilities', probabilities, 'topic', topic,
      'partition', text(entry[7]), 'offset', text(entry[8]), 'time', text(entry[9]))
  end
  if ttl ~= '0' then
    redis.call('PEXPIRE', key, ttl)
  end
end

-- ARGV[1]: MessagePack of {epoch, ttl in ms as text or '0', entries, whether partitions have
-- models of their own}; entry i belongs to KEYS[i + 1].
local function put(keys, args)
  local epoch, ttl, entries, apart = unpack(cmsgpack.unpack(args[1]))
  local fenced = fence(keys[1], epoch)
  if fenced then
    return fenced
  end
  local written = 0
  for i, entry in ipairs(entries) do
    local key = keys[i + 1]
    local newer
    if apart then
      newer = older_apart(key, entry)
    else
      newer = older(key, entry[4], entry[5])
    end
    if newer then
      write(key, entry, ttl)
      written = written + 1
    end
  end
  return written
end

redis.register_function('alluvia_claim_@VERSION@', claim)
redis.register_function('alluvia_put_@VERSION@', put)
