-- Reserve the next slots of an app's pace, all of those asked for or none.
--
-- Slots are a whole spacing apart, whoever holds them: nothing but the last one given needs to be known. Those within
-- the near horizon are anybody's. Those that reach beyond it, up to the far horizon, are given on credit: a lane with a
-- share may have `burst` of them ahead of the others, and pays back at its share of the rate. What it takes within the
-- near horizon, it takes in turn: having had the last, it leaves the others a head start for the next.
--
-- KEYS  1 the pace of one app: "<last slot given> <credit paid back> <1: the others' turn>", in microseconds of its clock
-- ARGV  1 spacing between slots   2 slots asked for   3 earliest slot, from now   4 near horizon   5 far horizon
--       6 the lane's share of the rate, 0 for none   7 burst   8 seconds to live
--       9 head start of the others, when it is their turn
--       10 1 when the server did not know this script: it has restarted, and the key may be older than slots given
--       All but 2, 6, 8 and 10 in microseconds.
-- Returns {1, distance of the first slot} or {0, time until those asked for are within reach}, in microseconds from now
-- TTL   KEYS[1] is kept for ARGV[8] after each call

local spacing, asked, after = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local near, far, share, burst = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local head_start = tonumber(ARGV[9])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- No slot was ever given beyond the far horizon. Where the last one is unknown, or the clock has stepped back behind
-- it, the horizon stands for it: what was given before cannot overlap what is given from here on.
local last, paid, others_turn = now + far, now, 0
local stored = redis.call('GET', KEYS[1])
if stored and ARGV[10] == '0' then
    local words = string.gmatch(stored, '%d+')
    last, paid, others_turn = math.min(tonumber(words()), last), tonumber(words()), tonumber(words() or 0)
end

local first = math.max(last + spacing, now + after)
local ending = first + (asked - 1) * spacing
local wait = ending - (now + near)
-- Only where slots are waited for: on a pace at rest nobody else wants them.
if share > 0 and others_turn == 1 and first > now + after then wait = wait + head_start end
if wait <= 0 then
    others_turn = share > 0 and 1 or 0
elseif share > 0 then
    local owed = math.min(math.max(paid - now, 0) * share, burst)
    -- All of them cost, also those within the near horizon: else the price of one would keep a lane ahead for good.
    owed = owed + asked * spacing
    wait = math.min(wait, math.max(ending - (now + far), (owed - burst) / share))
    if wait <= 0 then paid = now + owed / share end
end
if wait <= 0 then last = ending end

-- Also without a slot given: a cold start must not begin anew with every call.
redis.call('SET', KEYS[1], string.format('%.0f %.0f %d', math.ceil(last), math.ceil(paid), others_turn), 'EX', ARGV[8])
if wait > 0 then return {0, math.ceil(wait)} end
return {1, math.ceil(first - now)}
