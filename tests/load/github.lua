-- Posts the same signed body under ever new delivery ids: GitHub's id is not signed, so one signature serves all.
-- Arguments: the file with the body, its signature.

local thread_count = 0
function setup(thread)
  thread:set("number", thread_count)
  thread_count = thread_count + 1
end

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  body = file:read("*a")
  file:close()
  count = 0
  prefix = string.format("%d-%d-%d-", os.time(), math.floor(os.clock() * 1e6), number)
  headers = {
    ["content-type"] = "application/json",
    ["user-agent"] = "GitHub-Hookshot/load",
    ["x-github-event"] = "push",
    ["x-github-hook-id"] = "1",
    ["x-github-hook-installation-target-id"] = "2",
    ["x-github-hook-installation-target-type"] = "repository",
    ["x-hub-signature-256"] = arguments[2],
    ["accept"] = "*/*",
    ["accept-encoding"] = "gzip",
    ["x-request-start"] = "1",
  }
end

function request()
  count = count + 1
  headers["x-github-delivery"] = prefix .. count
  return wrk.format("POST", nil, headers, body)
end

-- One line for the caller: requests per second, p50 and p99 in microseconds, answers that were not 2xx or broke.
function done(summary, latency, _)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format("RESULT %.0f %.0f %.0f %d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(99), failed))
end
