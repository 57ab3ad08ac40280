#!lua name=LIBRARY
-- The quota store's decisions, each one call that nothing comes between. Here are what is stored and the arithmetic;
-- valkey-reservations.lua and valkey-upkeep.lua go on. LIBRARY becomes a name with the digest of the whole, so that
-- replicas of two versions work side by side on one server; what is stored must stay readable to both.
--
-- Tenants are spread over 256 buckets. All keys of a bucket lie in one hash slot, so every call works in a cluster, and
-- the leases of all its tenants lie in one sorted set, so a sweep finds what ran out without looking for tenants. Of a
-- bucket's keys only the first is handed in; the others begin with it.
--
--   strait:{q3f}                epoch: microseconds at which this bucket was first written, so it changes with lost data
--   strait:{q3f}:leases         sorted set "tenant id" by the end of the lease: reservations that are open
--   strait:{q3f}:expired        the same of those that ran out and have no receipt yet
--   strait:{q3f}:recorded       the same of those that have one, and wait for a late settlement
--   strait:{q3f}:accounted      set of writers that have accounted for what they admitted in earlier epochs
--   strait:{q3f}:TENANT:r       hash: id to nonce, amounts, holds and intent of a reservation, in MessagePack
--   strait:{q3f}:TENANT:cSCOPE  hash: counter to used, held, mark, rate and ends, in MessagePack
--   strait:{q3f}:TENANT:b       "epoch lost": the tenant's counters are whole in this epoch; lost 1: they were rebuilt
--   strait:{q3f}:TENANT:f       "token until": who makes them whole now
--
-- A tenant is whole once its counters were set to what the journal says, in this epoch. Until then nothing is admitted,
-- and what gateways still have open is put back and stays: no such request is settled before the sums are in. A writer has
-- accounted for its requests once each that it admitted before this epoch is open here or has its receipt in the journal,
-- which then stays so. Nobody sums before all writers have, and whoever does leaves out the requests that are open here.
--
-- The arithmetic is that of src/quota/counter.ts. Lua's numbers are doubles: every value stays a non-negative integer
-- below 2^53, and nothing is divided but by `ceil_divide`. Numbers become text by `text_of`, never by `..`, which rounds
-- to 14 digits; `cjson` only reads, since it writes 14 digits as well. MessagePack writes whole numbers whole.

local scale = 60000
local most = 9007199254740991
local late_settlement_ms = 86400000
local keep_idle_ms = 3600000
local longest_wait_ms = 366 * 86400000
local cleaned_at_once = 1000
local postponed_ms = 1000
-- Tests set the time in a key beside the bucket. Where this is false, as it is here, time is the server's and nothing else.
local is_test_time = false

local refused, admitted, late, duplicate, not_whole = 0, 1, 2, 3, 4
local unknown, settled, busy = 0, 1, 2
local minute, calendar, open = 1, 2, 3
local requests_unit = 1
-- Of requests that were asked before a loss: they count, whatever they are settled with.
local asked_unit = 0

local function time_us(base)
  local time = redis.call('TIME')
  local set = is_test_time and redis.call('GET', base .. ':time')
  if set then return 1000 * tonumber(set) end
  return time[1] * 1000000 + time[2]
end

local function ms_of(us)
  return (us - math.fmod(us, 1000)) / 1000
end

local function text_of(number)
  return string.format('%.0f', number)
end

-- The time in milliseconds and the bucket's epoch, which begins with the first call after the data were lost.
local function enter(base)
  local us = time_us(base)
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
  local used, held, mark, rate, ends = cmsgpack.unpack(text)
  return { used = used, held = held, mark = mark, rate = rate, ends = ends }
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
  redis.call('HSET', key, field, cmsgpack.pack(counter.used, counter.held, counter.mark, counter.rate, counter.ends))
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
  elseif limit.window == minute then
    if counter.fresh and lost_ms then
      counter.used = math.min(most, limit.capacity * scale)
      counter.mark = lost_ms
      counter.rate = limit.ceiling
    end
    leak(counter, now)
  end
  if counter.rate ~= limit.ceiling then
    -- What leaks from here on leaks at the new ceiling; written at once, or whoever comes next leaks at the old one.
    counter.rate = limit.ceiling
    write(key, limit.field, counter, limit.passing, now)
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
local function is_whole(base, tenant, epoch)
  local text = redis.call('GET', base .. ':' .. tenant .. ':b')
  if not text then return false end
  local of, lost = string.match(text, '^(%d+) (%d)$')
  if tonumber(of) ~= epoch then return false end
  if lost == '1' then return true, ms_of(epoch) end
  return true
end

local function fence(base, tenant)
  local text = redis.call('GET', base .. ':' .. tenant .. ':f')
  if not text then return 0, 0 end
  local token, until_ms = string.match(text, '^(%d+) (%d+)$')
  return tonumber(token), tonumber(until_ms)
end

local function set_fence(base, tenant, token, until_ms)
  redis.call('SET', base .. ':' .. tenant .. ':f', text_of(token) .. ' ' .. text_of(until_ms))
end

-- Makes whoever is summing the journal begin anew: what it left out, or did not, has changed.
local function void_sums(base, tenant)
  local token = fence(base, tenant)
  if token > 0 then set_fence(base, tenant, token + 1, 0) end
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

-- `charged` by unit; nil charges what was held, as does a unit that is not in it.
local function each_hold(base, tenant, holds, replace, charged, now)
  for _, hold in ipairs(holds) do
    local scope, field, unit, window, amount, mark, passing = unpack(hold)
    local key = counter_key(base, tenant, scope)
    local counter = read(key, field)
    local used = amount
    if charged then used = charged[unit] or amount end
    replace(counter, window, amount, mark, used, now)
    if not counter.fresh or counter.used > 0 then write(key, field, counter, passing, now) end
  end
end
