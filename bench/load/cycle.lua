-- For wrk: every connection cycles through the paths given after `--`, so that no connection belongs to one owner.
--
-- wrk calls request() per thread, not per connection. A plain round-robin over 8 paths with 64 connections that are answered
-- in order would hand each connection the same path for ever, so the order is shuffled anew for every pass:
-- each path is asked for equally often, and each connection meets all of them.

local PASSES = 512
local requests = {}
local position = 0

function init(paths)
  math.randomseed(20) -- the same order in every run
  for _ = 1, PASSES do
    local pass = {}
    for index, path in ipairs(paths) do pass[index] = path end
    for index = #pass, 2, -1 do
      local other = math.random(index)
      pass[index], pass[other] = pass[other], pass[index]
    end
    for _, path in ipairs(pass) do requests[#requests + 1] = wrk.format("GET", path) end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "bench requests=%d microseconds=%d p50=%d p99=%d connect=%d read=%d write=%d timeout=%d status=%d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
