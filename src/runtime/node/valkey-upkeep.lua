-- What sweeps, reports and rebuilds need, and the list of all functions. Continues valkey-reservations.lua.

local function parts_of(member)
  return string.match(member, '^(%S+) (.*)$')
end

local function record_of(base, member)
  local tenant, id = parts_of(member)
  return tenant, id, redis.call('HGET', reservations_key(base, tenant), id)
end

-- What is charged here before a tenant is whole would be set to what the journal says, which does not know of it yet: it
-- waits. Who put it back, or the tenant's next request, sees to it that the tenant becomes whole.
local function take_back(base, count, now, epoch)
  local overdue = redis.call('ZRANGEBYSCORE', base .. ':leases', '-inf', text_of(now), 'WITHSCORES', 'LIMIT', 0, count)
  for index = 1, #overdue, 2 do
    local member = overdue[index]
    local tenant, _, record = record_of(base, member)
    if record and not is_whole(base, tenant, epoch) then
      redis.call('ZADD', base .. ':leases', text_of(now + postponed_ms), member)
    else
      if record then
        local _, _, holds = cmsgpack.unpack(record)
        each_hold(base, tenant, holds, settle_hold, nil, now)
        redis.call('ZADD', base .. ':expired', overdue[index + 1], member)
      end
      redis.call('ZREM', base .. ':leases', member)
    end
  end
end

local function clean(base, now)
  local before = '(' .. text_of(now - late_settlement_ms)
  local over = redis.call('ZRANGEBYSCORE', base .. ':recorded', '-inf', before, 'LIMIT', 0, cleaned_at_once)
  for _, member in ipairs(over) do
    local tenant, id = parts_of(member)
    redis.call('HDEL', reservations_key(base, tenant), id)
    redis.call('ZREM', base .. ':recorded', member)
  end
end

-- keys: the bucket; args: how many at most.
-- Returns tenant, id, requests, input, output, micro-USD and intent of each.
local function expire(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local count = tonumber(args[1])
  take_back(base, count, now, epoch)
  clean(base, now)
  local reply = { 1, now, epoch }
  for _, member in ipairs(redis.call('ZRANGE', base .. ':expired', 0, count - 1)) do
    local tenant, id, record = record_of(base, member)
    local _, hold, _, intent = cmsgpack.unpack(record)
    for _, value in ipairs({ tenant, id, hold[1], hold[2], hold[3], hold[4], intent }) do reply[#reply + 1] = value end
  end
  return reply
end

-- keys: the bucket; args: tenant, ids.
local function recorded(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  for index = 2, #args do
    local member = member_of(args[1], args[index])
    local expires = redis.call('ZSCORE', base .. ':expired', member)
    if expires then
      redis.call('ZREM', base .. ':expired', member)
      redis.call('ZADD', base .. ':recorded', expires, member)
    end
  end
  return { 1, now, epoch }
end

-- Reservations of one tenant that have no receipt yet. keys: the bucket; args: tenant.
-- Returns id, input, output, micro-USD and intent of each.
local function opened(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local reply = { 1, now, epoch }
  local all = redis.call('HGETALL', reservations_key(base, args[1]))
  for index = 1, #all, 2 do
    if not redis.call('ZSCORE', base .. ':recorded', member_of(args[1], all[index])) then
      local _, hold, _, intent = cmsgpack.unpack(all[index + 1])
      for _, value in ipairs({ all[index], hold[2], hold[3], hold[4], intent }) do reply[#reply + 1] = value end
    end
  end
  return reply
end

-- The least id of those that have no receipt yet; ids begin with the time. keys: the bucket.
local function oldest(keys)
  local base = keys[1]
  local now, epoch = enter(base)
  local least = ''
  for _, set in ipairs({ ':leases', ':expired' }) do
    for _, member in ipairs(redis.call('ZRANGE', base .. set, 0, -1)) do
      local _, id = parts_of(member)
      if least == '' or id < least then least = id end
    end
  end
  return { 1, now, epoch, least }
end

local function epoch_of(keys)
  local now, epoch = enter(keys[1])
  return { 1, now, epoch }
end

-- Notes that writers have accounted for this bucket's requests. keys: the bucket; args: the epoch that they mean, writers as
-- JSON, tenant and id as JSON of those of their requests that must be open here. Returns whether it was noted.
local function account(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  if epoch ~= tonumber(args[1]) then return { 0, now, epoch } end
  for _, request in ipairs(cjson.decode(args[3])) do
    if redis.call('HEXISTS', reservations_key(base, request[1]), request[2]) == 0 then return { 0, now, epoch } end
  end
  for _, writer in ipairs(cjson.decode(args[2])) do redis.call('SADD', base .. ':accounted', writer) end
  return { 1, now, epoch }
end

-- Asks for the right to make a tenant whole. keys: the bucket; args: tenant, for how long in milliseconds, how long after
-- the loss gateways may take to put back what they have open, all writers as JSON and the epoch in which they were listed.
-- Returns a token, 0 where it is whole already, -1 where somebody else is at it or the epoch is another, -2 where it is too
-- soon, -3 where writers have not accounted for their requests; then the ids of what is open here, or those writers.
local function start_sums(keys, args)
  local base = keys[1]
  local tenant = args[1]
  local now, epoch = enter(base)
  if is_whole(base, tenant, epoch) then return { 1, now, epoch, 0 } end
  if now < ms_of(epoch) + tonumber(args[3]) then return { 1, now, epoch, -2 } end
  -- Whoever began to write since is not listed, and may have admitted in the epoch before.
  if epoch ~= tonumber(args[5]) then return { 1, now, epoch, -1 } end
  local missing = { 1, now, epoch, -3 }
  for _, writer in ipairs(cjson.decode(args[4])) do
    if redis.call('SISMEMBER', base .. ':accounted', writer) == 0 then missing[#missing + 1] = writer end
  end
  if #missing > 4 then return missing end
  local token, until_ms = fence(base, tenant)
  if until_ms > now then return { 1, now, epoch, -1 } end
  set_fence(base, tenant, token + 1, now + tonumber(args[2]))
  local reply = { 1, now, epoch, token + 1 }
  for _, id in ipairs(redis.call('HKEYS', reservations_key(base, tenant))) do reply[#reply + 1] = id end
  return reply
end

-- Gives the right back without the sums. keys: the bucket; args: tenant, token.
local function drop_sums(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  if fence(base, args[1]) == tonumber(args[2]) then void_sums(base, args[1]) end
  return { 1, now, epoch }
end

-- Sets what counters by the day and month have used; adds nothing to what is there, and leaves what is held. Only for
-- the holder of the latest token, in the epoch that it was given in, and until the tenant is whole.
-- keys: the bucket; args: tenant, epoch, token, rows of scope, field, label, end, used, passing as JSON, "done" with the
-- last of several calls, 1 where something was lost. Returns whether it was taken.
local function set_sums(keys, args)
  local base = keys[1]
  local tenant = args[1]
  local now, epoch = enter(base)
  local token = fence(base, tenant)
  if epoch ~= tonumber(args[2]) or token ~= tonumber(args[3]) or is_whole(base, tenant, epoch) then return { 0, now, epoch } end
  for _, row in ipairs(cjson.decode(args[4])) do
    local key = counter_key(base, tenant, row[1])
    local counter = read(key, row[2])
    if counter.mark <= row[3] then
      if counter.mark < row[3] then counter.held = 0 end
      counter.mark = row[3]
      counter.ends = row[4]
      counter.used = row[5]
      write(key, row[2], counter, row[6], now)
    end
  end
  if args[5] == 'done' then
    redis.call('SET', base .. ':' .. tenant .. ':b', text_of(epoch) .. ' ' .. args[6])
    redis.call('DEL', base .. ':' .. tenant .. ':f')
  end
  return { 1, now, epoch }
end

local function register(name, callback, flags)
  redis.register_function({ function_name = 'LIBRARY_' .. name, callback = callback, flags = flags or {} })
end

register('reserve', reserve)
register('restore', restore)
register('inspect', inspect)
register('epoch', epoch_of)
register('account', account)
register('start_sums', start_sums)
register('set_sums', set_sums)
register('drop_sums', drop_sums)
-- These give memory back, or keep what was promised: a server that is full must still take them.
register('settle', settle, { 'allow-oom' })
register('renew', renew, { 'allow-oom' })
register('expire', expire, { 'allow-oom' })
register('recorded', recorded, { 'allow-oom' })
register('opened', opened)
register('oldest', oldest)
