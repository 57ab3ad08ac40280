#!lua name=LIBRARY
-- The quota store's decisions, each one call that nothing comes between. LIBRARY becomes a name with the digest of this
-- text, so that replicas of two versions work side by side on one server; what is stored must stay readable to both.
--
-- Tenants are spread over 256 buckets. All keys of a bucket lie in one hash slot, so every call works in a cluster, and
-- the leases of all its tenants lie in one sorted set, so a sweep finds what ran out without looking for tenants. Of a
-- bucket's keys only the first is handed in; the others begin with it.
--
--   strait:{q3f}                epoch: microseconds at which this bucket was first written, so it changes with lost data
--   strait:{q3f}:leases         sorted set "tenant id" by the end of the lease: reservations that are open
--   strait:{q3f}:expired        the same of those that ran out and have no receipt yet
--   strait:{q3f}:recorded       the same of those that have one, and wait for a late settlement
--   strait:{q3f}:TENANT:r       hash: id to the reservation, as `pack` writes it
--   strait:{q3f}:TENANT:cSCOPE  hash: counter to "used held mark rate ends"
--   strait:{q3f}:TENANT:b       "epoch lost": the tenant's counters are whole in this epoch; lost 1: they were rebuilt
--   strait:{q3f}:TENANT:f       "token until": who rebuilds them now
--
-- The arithmetic is that of src/quota/counter.ts. Lua's numbers are doubles: every value stays a non-negative integer
-- below 2^53, and nothing is divided but by `ceil_divide`. Numbers become text by `%.0f`, never by `..`, which rounds
-- to 14 digits; `cjson` only reads, since it writes 14 digits as well.

local scale = 60000
local most = 9007199254740991
local late_settlement_ms = 86400000
local keep_idle_ms = 3600000
local longest_wait_ms = 366 * 86400000
local cleaned_at_once = 1000
-- Test servers move time by a key of this name. Where it is false, time is the server's and nothing else.
local test_offset_key = false

local refused, admitted, late, duplicate, unbuilt = 0, 1, 2, 3, 4
local minute, calendar, open = 1, 2, 3
local requests_unit = 1

local function time_us()
  local time = redis.call('TIME')
  local us = time[1] * 1000000 + time[2]
  if test_offset_key then us = us + 1000 * tonumber(redis.call('GET', test_offset_key) or '0') end
  return us
end

local function ms_of(us)
  return (us - math.fmod(us, 1000)) / 1000
end

local function text_of(number)
  return string.format('%.0f', number)
end

-- The time in milliseconds and the bucket's epoch, which begins with the first call after the data were lost.
local function enter(base)
  local us = time_us()
  local epoch = redis.call('GET', base)
  if not epoch then
    epoch = text_of(us)
    redis.call('SET', base, epoch)
  end
  return ms_of(us), tonumber(epoch)
end

local function counter_key(base, tenant, scope)
  return base .. ':' .. tenant .. ':c' .. scope
end

local function reservations_key(base, tenant)
  return base .. ':' .. tenant .. ':r'
end

local function member_of(tenant, id)
  return tenant .. ' ' .. id
end

-- `%` of doubles goes wrong near 2^53; `fmod` is exact.
local function ceil_divide(numerator, denominator)
  local remainder = math.fmod(numerator, denominator)
  local quotient = (numerator - remainder) / denominator
  if remainder == 0 then return quotient end
  return quotient + 1
end

local function parse(text)
  local used, held, mark, rate, ends = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  return { used = tonumber(used), held = tonumber(held), mark = tonumber(mark), rate = tonumber(rate), ends = tonumber(ends) }
end

local function read(key, field)
  local text = redis.call('HGET', key, field)
  if text then return parse(text) end
  return { used = 0, held = 0, mark = 0, rate = 0, ends = 0, fresh = true }
end

-- When a counter is as good as new; nil while something is held on it.
local function idle_at(field, counter)
  if counter.held > 0 then return nil end
  local window = string.match(field, '^[^/]*/([^/]*)')
  if window == 'open' then return 0 end
  if window ~= 'minute' then return counter.ends end
  if counter.used == 0 then return counter.mark end
  if counter.rate == 0 then return counter.mark + longest_wait_ms end
  return counter.mark + math.min(longest_wait_ms, ceil_divide(counter.used, counter.rate))
end

-- Lets a scope without end go once all on it is back to nothing, a while later: a clock that goes back by less must not
-- find its past forgotten.
local function limit_life(key, now)
  local latest = 0
  local all = redis.call('HGETALL', key)
  for index = 1, #all, 2 do
    local at = idle_at(all[index], parse(all[index + 1]))
    if not at then
      redis.call('PERSIST', key)
      return
    end
    latest = math.max(latest, at)
  end
  redis.call('PEXPIRE', key, text_of(math.max(0, latest - now) + keep_idle_ms))
end

local function write(key, field, counter, passing, now)
  local text = string.format('%.0f %.0f %.0f %.0f %.0f', counter.used, counter.held, counter.mark, counter.rate, counter.ends)
  redis.call('HSET', key, field, text)
  if passing == 1 then limit_life(key, now) end
end

local function leak(counter, now)
  if now <= counter.mark then return end
  -- Where the product is too large to be exact it is certainly larger than what there is to leak.
  counter.used = math.max(0, counter.used - (now - counter.mark) * counter.rate)
  counter.mark = now
end

-- `periods` is label, start and end of each, in order.
local function enter_period(counter, periods, now)
  local at = #periods - 2
  while at > 1 and periods[at + 1] > now do at = at - 3 end
  local label = periods[at]
  if label < counter.mark then return end
  if label > counter.mark then
    counter.used = 0
    counter.held = 0
    counter.mark = label
  end
  counter.ends = periods[at + 2]
end

local function charge(counter, window, units)
  local added = units
  if window == minute then added = units * scale end
  -- A charge beyond all reason must not push the counter where integers are no longer exact.
  counter.used = math.min(most, counter.used + added)
end

local function limit_of(row)
  return {
    scope = row[1], field = row[2], window = row[3], capacity = row[4], ceiling = row[5],
    unit = row[6], shadow = row[7] == 1, passing = row[8], asked = row[9], periods = row[10],
  }
end

-- The counter of a limit, brought to now. Where a tenant's data were lost at `lost_ms`, what its buckets held then is
-- not known: they begin used up and refill.
local function open_counter(base, tenant, limit, now, lost_ms)
  local key = counter_key(base, tenant, limit.scope)
  local counter = read(key, limit.field)
  if limit.window == calendar then
    enter_period(counter, limit.periods, now)
    counter.rate = limit.ceiling
  elseif limit.window == minute then
    if counter.fresh and lost_ms then
      counter.used = math.min(most, limit.capacity * scale)
      counter.mark = lost_ms
      counter.rate = limit.ceiling
      counter.fresh = false
    end
    leak(counter, now)
    if counter.rate ~= limit.ceiling then
      -- What leaks from here on leaks at the new ceiling.
      counter.rate = limit.ceiling
      if not counter.fresh then write(key, limit.field, counter, limit.passing, now) end
    end
  end
  limit.key = key
  limit.counter = counter
end

local function fits(limit)
  if limit.asked == 0 then return true end
  local counter = limit.counter
  local used = counter.used
  if limit.window == minute then used = ceil_divide(used, scale) end
  return used + counter.held + limit.asked <= limit.capacity
end

-- Appends how each limit stands; the gateway works the rest out with the code that every store uses.
local function append_states(reply, limits)
  for _, limit in ipairs(limits) do
    local counter = limit.counter
    local at = #reply
    reply[at + 1] = counter.used
    reply[at + 2] = counter.held
    reply[at + 3] = counter.mark
    reply[at + 4] = counter.ends
  end
  return reply
end

-- Whether the tenant's counters are whole in this epoch, and when its data were lost where they were.
local function built(base, tenant, epoch)
  local text = redis.call('GET', base .. ':' .. tenant .. ':b')
  if not text then return false end
  local of, lost = string.match(text, '^(%d+) (%d)$')
  if tonumber(of) ~= epoch then return false end
  if lost == '1' then return true, ms_of(epoch) end
  return true
end

local function open_counters(base, tenant, rows, now, lost_ms)
  local limits = {}
  for index, row in ipairs(rows) do
    local limit = limit_of(row)
    open_counter(base, tenant, limit, now, lost_ms)
    limits[index] = limit
  end
  return limits
end

-- A hold is scope, field, unit, window, amount, mark and whether the scope is passing: enough to settle it whatever
-- becomes of the limit.
local function hold_of(limit, mark)
  return { limit.scope, limit.field, limit.unit, limit.window, limit.asked, mark, limit.passing }
end

local function pack(nonce, amounts, holds, intent)
  return cmsgpack.pack(nonce, amounts, holds, intent)
end

local function keep(base, request, intent, holds, now)
  redis.call('HSET', reservations_key(base, request.tenant), request.id, pack(request.nonce, request.hold, holds, intent))
  redis.call('ZADD', base .. ':leases', text_of(now + request.lease), member_of(request.tenant, request.id))
end

-- keys: the bucket; args: the request as JSON, the intent.
local function reserve(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local request = cjson.decode(args[1])
  -- Whoever asked has given up by now: what waited this long in a stopped server must hold nothing.
  if request.deadline > 0 and now > request.deadline then return { late, now, epoch } end
  local tenant = request.tenant
  local lost_ms
  if request.guarded then
    local whole
    whole, lost_ms = built(base, tenant, epoch)
    if not whole then return { unbuilt, now, epoch } end
  end
  local limits = open_counters(base, tenant, request.limits, now, lost_ms)
  local known = redis.call('HGET', reservations_key(base, tenant), request.id)
  if known then
    -- The same call once more, whose answer was lost on the way, is told again what it was told.
    if cmsgpack.unpack(known) ~= request.nonce then return { duplicate, now, epoch } end
    return append_states({ admitted, now, epoch }, limits)
  end
  for _, limit in ipairs(limits) do
    if not limit.shadow and not fits(limit) then return append_states({ refused, now, epoch }, limits) end
  end
  local holds = {}
  for _, limit in ipairs(limits) do
    local counter = limit.counter
    if limit.unit == requests_unit and limit.window ~= open then
      charge(counter, limit.window, limit.asked)
    else
      counter.held = counter.held + limit.asked
      holds[#holds + 1] = hold_of(limit, limit.window == calendar and counter.mark or 0)
    end
    write(limit.key, limit.field, counter, limit.passing, now)
  end
  keep(base, request, args[2], holds, now)
  return append_states({ admitted, now, epoch }, limits)
end

-- Puts back what a gateway still has open after the data were lost, whether it fits or not. `marks` are the periods in
-- which it was admitted. Requests by the day or month are held here rather than charged, since rebuilding sets what is
-- used and leaves what is held. keys: the bucket; args: the request as JSON, the intent, the epoch that it was held in.
local function restore(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local request = cjson.decode(args[1])
  local tenant = request.tenant
  if tonumber(args[3]) == epoch or redis.call('HEXISTS', reservations_key(base, tenant), request.id) == 1 then
    return { 0, now, epoch }
  end
  local holds = {}
  for index, row in ipairs(request.limits) do
    local limit = limit_of(row)
    open_counter(base, tenant, limit, now, ms_of(epoch))
    local counter = limit.counter
    local mark = request.marks[index]
    if limit.window == calendar and mark ~= counter.mark then
      holds[#holds + 1] = hold_of(limit, mark)
    elseif limit.unit ~= requests_unit or limit.window ~= minute then
      counter.held = counter.held + limit.asked
      holds[#holds + 1] = hold_of(limit, limit.window == calendar and mark or 0)
    end
    write(limit.key, limit.field, counter, limit.passing, now)
  end
  keep(base, request, args[2], holds, now)
  return { 1, now, epoch }
end

-- Replaces a hold by what was used.
local function settle_hold(counter, window, amount, mark, used, now)
  if window == minute then
    leak(counter, now)
  elseif mark ~= counter.mark then
    -- A hold of a period that is over left with it.
    return
  end
  counter.held = math.max(0, counter.held - amount)
  if window ~= open then charge(counter, window, used) end
end

-- Corrects a hold that was charged in full when its lease ran out: a bucket only ever takes more.
local function settle_late(counter, window, amount, mark, used, now)
  if window == minute then
    leak(counter, now)
    charge(counter, minute, math.max(0, used - amount))
  elseif window == calendar and mark == counter.mark then
    counter.used = math.max(0, counter.used - amount)
    charge(counter, calendar, used)
  end
end

-- `charged` by unit; nil charges what was held.
local function each_hold(base, tenant, holds, replace, charged, now)
  for _, hold in ipairs(holds) do
    local scope, field, unit, window, amount, mark, passing = unpack(hold)
    local key = counter_key(base, tenant, scope)
    local counter = read(key, field)
    local used = amount
    if charged then used = charged[unit] end
    replace(counter, window, amount, mark, used, now)
    if not counter.fresh or counter.used > 0 then write(key, field, counter, passing, now) end
  end
end

-- keys: the bucket; args: tenant, id, what was used: requests, tokens, input, output, micro-USD.
-- Returns whether it took effect, and where it did not, whether the tenant's counters are whole.
local function settle(keys, args)
  local base = keys[1]
  local tenant, id = args[1], args[2]
  local now, epoch = enter(base)
  local reservations = reservations_key(base, tenant)
  local record = redis.call('HGET', reservations, id)
  if not record then return { 0, now, epoch, built(base, tenant, epoch) and 1 or 0 } end
  local _, _, holds = cmsgpack.unpack(record)
  local charged = { tonumber(args[3]), tonumber(args[4]), tonumber(args[5]), tonumber(args[6]), tonumber(args[7]), 1 }
  local member = member_of(tenant, id)
  local replace = settle_hold
  if redis.call('ZREM', base .. ':leases', member) == 0 then
    replace = settle_late
    redis.call('ZREM', base .. ':expired', member)
    redis.call('ZREM', base .. ':recorded', member)
  end
  each_hold(base, tenant, holds, replace, charged, now)
  redis.call('HDEL', reservations, id)
  return { 1, now, epoch, 1 }
end

-- keys: the bucket; args: tenant, milliseconds, ids.
local function renew(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local expires = text_of(now + tonumber(args[2]))
  for index = 3, #args do
    redis.call('ZADD', base .. ':leases', 'XX', 'GT', expires, member_of(args[1], args[index]))
  end
  return { 1, now, epoch }
end

local function parts_of(member)
  return string.match(member, '^(%S+) (.*)$')
end

local function record_of(base, member)
  local tenant, id = parts_of(member)
  return tenant, id, redis.call('HGET', reservations_key(base, tenant), id)
end

local function take_back(base, count, now)
  local overdue = redis.call('ZRANGEBYSCORE', base .. ':leases', '-inf', text_of(now), 'WITHSCORES', 'LIMIT', 0, count)
  for index = 1, #overdue, 2 do
    local member = overdue[index]
    local tenant, _, record = record_of(base, member)
    if record then
      local _, _, holds = cmsgpack.unpack(record)
      each_hold(base, tenant, holds, settle_hold, nil, now)
      redis.call('ZADD', base .. ':expired', overdue[index + 1], member)
    end
    redis.call('ZREM', base .. ':leases', member)
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
  take_back(base, count, now)
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

-- keys: the bucket; args: tenant, limits as JSON, 1 where counters must be whole.
local function inspect(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local whole, lost_ms = built(base, args[1], epoch)
  if args[3] == '1' and not whole then return { unbuilt, now, epoch } end
  return append_states({ admitted, now, epoch }, open_counters(base, args[1], cjson.decode(args[2]), now, lost_ms))
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

local function fence(base, tenant)
  local text = redis.call('GET', base .. ':' .. tenant .. ':f')
  if not text then return 0, 0 end
  local token, until_ms = string.match(text, '^(%d+) (%d+)$')
  return tonumber(token), tonumber(until_ms)
end

-- Asks for the right to rebuild a tenant's counters. keys: the bucket; args: tenant, for how long in milliseconds.
-- Returns a token, 0 where they are whole already, -1 where somebody else is at it.
local function start_rebuild(keys, args)
  local base = keys[1]
  local tenant = args[1]
  local now, epoch = enter(base)
  if built(base, tenant, epoch) then return { 1, now, epoch, 0 } end
  local token, until_ms = fence(base, tenant)
  if until_ms > now then return { 1, now, epoch, -1 } end
  token = token + 1
  redis.call('SET', base .. ':' .. tenant .. ':f', text_of(token) .. ' ' .. text_of(now + tonumber(args[2])))
  return { 1, now, epoch, token }
end

-- Sets what counters by the day and month have used; adds nothing to what is there, and leaves what is held. Only for
-- the holder of the latest token, in the epoch that it was given in, and until the tenant is whole.
-- keys: the bucket; args: tenant, epoch, token, rows of scope, field, label, end, used, passing as JSON, "done" with the
-- last of several calls, 1 where the journal knows the tenant. Returns whether it was taken.
local function rebuild(keys, args)
  local base = keys[1]
  local tenant = args[1]
  local now, epoch = enter(base)
  local token = fence(base, tenant)
  if epoch ~= tonumber(args[2]) or token ~= tonumber(args[3]) or built(base, tenant, epoch) then return { 0, now, epoch } end
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
register('start_rebuild', start_rebuild)
register('rebuild', rebuild)
-- These give memory back, or keep what was promised: a server that is full must still take them.
register('settle', settle, { 'allow-oom' })
register('renew', renew, { 'allow-oom' })
register('expire', expire, { 'allow-oom' })
register('recorded', recorded, { 'allow-oom' })
register('opened', opened)
register('oldest', oldest)
