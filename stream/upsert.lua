#!lua name=alluvia_@VERSION@
-- KEYS[1] holds the epoch of the owner, KEYS[2] a version that no stored prediction exceeds, as
-- lineage@sequence; without it no such version is known. Numbers are doubles: exact below 2^53.

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
  local fenced = fence(keys[1], tonumber(args[1]))
  if fenced then
    return fenced
  end
  if args[2] == '1' then
    redis.call('UNLINK', keys[2])
  elseif redis.call('DBSIZE') == 1 then
    -- There is nothing but the owner just set.
    redis.call('SET', keys[2], '0@0')
  end
  return 1
end

-- Whether all that is stored is of a version up to this one. If so it will stay so: the mark is
-- moved before anything is written.
local function covers(key, lineage, sequence)
  local mark = redis.call('GET', key)
  if not mark then
    return false
  end
  local at = string.find(mark, '@', 1, true)
  local l, s = tonumber(string.sub(mark, 1, at - 1)), tonumber(string.sub(mark, at + 1))
  if l > tonumber(lineage) or (l == tonumber(lineage) and s > tonumber(sequence)) then
    return false
  end
  if l < tonumber(lineage) or s < tonumber(sequence) then
    redis.call('SET', key, lineage .. '@' .. sequence)
  end
  return true
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
-- of their own; lineage, topic and partition of all; the highest sequence; whether each is the
-- last of its key up to that; and by key, from KEYS[3] on, prediction, probabilities, sequence,
-- offset and time. All but the epoch are text: to write a number out takes Redis longer than all
-- else here.
local function put(keys, args)
  local epoch, ttl, apart, lineage, topic, partition, top, last, predictions, probabilities,
    sequences, offsets, times = unpack(cmsgpack.unpack(args[1]))
  local fenced = fence(keys[1], epoch)
  if fenced then
    return fenced
  end
  local l, written = tonumber(lineage), 0
  -- What is the last of its key up to `top` is newer than all that is stored up to `top`.
  local covered = not apart and covers(keys[2], lineage, top) and last
  for i, sequence in ipairs(sequences) do
    local key, newer = keys[i + 2], covered
    if not covered then
      if apart then
        newer = older_apart(key, partition, times[i], l, tonumber(sequence))
      else
        newer = older(key, l, tonumber(sequence))
      end
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
