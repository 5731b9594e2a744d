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
local function older_apart(key, partition, time, lineage, sequence)
  local held = redis.call('HMGET', key, 'partition', 'time')
  if held[1] and held[1] ~= partition then
    return tonumber(held[2]) <= tonumber(time)
  end
  return older(key, lineage, sequence)
end

-- ARGV[1]: MessagePack of the epoch; the ttl in ms, '0' for none; whether partitions have models
-- of their own; lineage, topic and partition of all; and by key, from KEYS[2] on, prediction,
-- probabilities, sequence, offset and time. All but the epoch are text: to write a number out
-- takes Redis longer than all else here.
local function put(keys, args)
  local epoch, ttl, apart, lineage, topic, partition, predictions, probabilities, sequences,
    offsets, times = unpack(cmsgpack.unpack(args[1]))
  local fenced = fence(keys[1], epoch)
  if fenced then
    return fenced
  end
  local l, written = tonumber(lineage), 0
  for i, sequence in ipairs(sequences) do
    local key, newer = keys[i + 1], nil
    if apart then
      newer = older_apart(key, partition, times[i], l, tonumber(sequence))
    else
      newer = older(key, l, tonumber(sequence))
    end
    if newer then
      written = written + 1
      local version = lineage .. '@' .. sequence
      -- What the guard reads comes first: a small hash is searched from its start. The fields
      -- are written out twice since a table of them would take as long as the write.
      if predictions[i] == '' then
        redis.call('UNLINK', key)
      elseif probabilities[i] == '' then
        redis.call('HDEL', key, 'probabilities')
        redis.call('HSET', key, 'lineage', lineage, 'sequence', sequence, 'version', version,
          'prediction', predictions[i], 'topic', topic, 'partition', partition,
          'offset', offsets[i], 'time', times[i])
      else
        redis.call('HSET', key, 'lineage', lineage, 'sequence', sequence, 'version', version,
          'prediction', predictions[i], 'probabilities', probabilities[i], 'topic', topic,
          'partition', partition, 'offset', offsets[i], 'time', times[i])
      end
      if ttl ~= '0' and predictions[i] ~= '' then
        redis.call('PEXPIRE', key, ttl)
      end
    end
  end
  return written
end

redis.register_function('alluvia_claim_@VERSION@', claim)
redis.register_function('alluvia_put_@VERSION@', put)
