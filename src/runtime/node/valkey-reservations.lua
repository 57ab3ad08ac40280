-- Placing and settling reservations. Continues valkey-counters.lua.

local function keep(base, request, intent, holds, now)
  redis.call('HSET', reservations_key(base, request.tenant), request.id, cmsgpack.pack(request.nonce, request.hold, holds, intent))
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
  local whole, lost_ms = is_whole(base, tenant, epoch)
  if not whole then return { not_whole, now, epoch } end
  local limits = open_counters(base, tenant, request.limits, now, lost_ms)
  local known = redis.call('HGET', reservations_key(base, tenant), request.id)
  if known then
    -- The same call once more, whose answer was lost on the way, is told again what it was told.
    local running = redis.call('ZSCORE', base .. ':leases', member_of(tenant, request.id))
    if not running or cmsgpack.unpack(known) ~= request.nonce then return { duplicate, now, epoch } end
    return append_states({ admitted, now, epoch }, limits)
  end
  for _, limit in ipairs(limits) do
    if not limit.shadow and not fits(limit) then return append_states({ refused, now, epoch }, limits) end
  end
  local holds = {}
  for _, limit in ipairs(limits) do
    local counter = limit.counter
    if limit.unit == requests_unit and limit.window ~= open and not request.slice then
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
-- which it was admitted. Requests by the day or month are held here rather than charged, since making whole sets what is
-- used and leaves what is held. keys: the bucket; args: the request as JSON, the intent, the epoch that it was held in.
local function restore(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local request = cjson.decode(args[1])
  local tenant = request.tenant
  if tonumber(args[3]) == epoch or redis.call('HEXISTS', reservations_key(base, tenant), request.id) == 1 then
    return { 0, now, epoch }
  end
  if not is_whole(base, tenant, epoch) then void_sums(base, tenant) end
  local holds = {}
  for index, row in ipairs(request.limits) do
    local limit = limit_of(row)
    open_counter(base, tenant, limit, now, ms_of(epoch))
    local counter = limit.counter
    local mark = request.marks[index]
    local was_asked = limit.unit == requests_unit and not request.slice
    if was_asked then limit.unit = asked_unit end
    if limit.window == calendar and mark ~= counter.mark then
      holds[#holds + 1] = hold_of(limit, mark)
    elseif limit.window ~= minute or not was_asked then
      counter.held = counter.held + limit.asked
      holds[#holds + 1] = hold_of(limit, limit.window == calendar and mark or 0)
    end
    write(limit.key, limit.field, counter, limit.passing, now)
  end
  keep(base, request, args[2], holds, now)
  return { 1, now, epoch }
end

-- Holds on what of a reservation is not over yet, as a reservation of its own for the same periods.
local function hold_rest(base, tenant, nonce, holds, intent, rest, now)
  local kept = {}
  for index, hold in ipairs(holds) do
    local scope, field, unit, window, _, mark, passing = unpack(hold)
    local key = counter_key(base, tenant, scope)
    local counter = read(key, field)
    local amount = rest.amounts[unit]
    if window == minute or mark == counter.mark then
      counter.held = counter.held + amount
      write(key, field, counter, passing, now)
    end
    kept[index] = { scope, field, unit, window, amount, mark, passing }
  end
  local amounts = rest.amounts
  local hold = { amounts[1], amounts[3], amounts[4], amounts[5] }
  keep(base, { tenant = tenant, id = rest.id, nonce = nonce, hold = hold, lease = rest.lease }, intent, kept, now)
end

-- keys: the bucket; args: tenant, id, what was used: requests, tokens, input, output, micro-USD; the nonce of the call
-- that must have placed it, empty for whichever did; what is not over yet as JSON: id, lease and amounts by unit.
-- Returns whether it took effect, `busy` where it is to be told again once the tenant is whole.
local function settle(keys, args)
  local base = keys[1]
  local tenant, id = args[1], args[2]
  local now, epoch = enter(base)
  local reservations = reservations_key(base, tenant)
  local record = redis.call('HGET', reservations, id)
  if not record then return { unknown, now, epoch } end
  local nonce, _, holds, intent = cmsgpack.unpack(record)
  if args[8] ~= '' and args[8] ~= nonce then return { unknown, now, epoch } end
  if not is_whole(base, tenant, epoch) then return { busy, now, epoch } end
  local charged = { tonumber(args[3]), tonumber(args[4]), tonumber(args[5]), tonumber(args[6]), tonumber(args[7]), 1 }
  local rest = args[9] and cjson.decode(args[9])
  local member = member_of(tenant, id)
  local replace = settle_hold
  if redis.call('ZREM', base .. ':leases', member) == 0 then
    replace = settle_late
    redis.call('ZREM', base .. ':expired', member)
    redis.call('ZREM', base .. ':recorded', member)
    if rest then
      for unit, amount in ipairs(rest.amounts) do charged[unit] = charged[unit] + amount end
      rest = nil
    end
  end
  each_hold(base, tenant, holds, replace, charged, now)
  if rest then hold_rest(base, tenant, nonce, holds, intent, rest, now) end
  redis.call('HDEL', reservations, id)
  return { settled, now, epoch }
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

-- keys: the bucket; args: tenant, limits as JSON.
local function inspect(keys, args)
  local base = keys[1]
  local now, epoch = enter(base)
  local whole, lost_ms = is_whole(base, args[1], epoch)
  if not whole then return { not_whole, now, epoch } end
  return append_states({ admitted, now, epoch }, open_counters(base, args[1], cjson.decode(args[2]), now, lost_ms))
end
