-- preview.lua - has wrk send one signed preview again and again, and print what came of it.
--
--   wrk -t2 -c64 -d10s -s tests/bench/preview.lua http://127.0.0.1:PORT/v3/.../preview-session-...
--       -- AUTHORIZATION X-SDK-DATE BODY
--
-- The signature is made before, with "content-type;host;x-sdk-date" or fewer headers signed; it is
-- good for 15 minutes. Prints one line when it ends, times in microseconds:
--
--   requests=N seconds=S rps=R p50=US p99=US max=US bytes=N status_errors=N socket_errors=N

local request_text

function init(args)
    wrk.method = "POST"
    wrk.body = args[3] or error("AUTHORIZATION X-SDK-DATE BODY")
    wrk.headers["Authorization"] = args[1]
    wrk.headers["X-Sdk-Date"] = args[2]
    wrk.headers["Content-Type"] = "application/json"
    request_text = wrk.format()
end

function request()
    return request_text
end

function done(summary, latency)
    local e = summary.errors
    local seconds = summary.duration / 1e6
    io.write(string.format(
        "requests=%d seconds=%.3f rps=%.1f p50=%d p99=%d max=%d bytes=%d status_errors=%d socket_errors=%d\n",
        summary.requests, seconds, summary.requests / seconds, latency:percentile(50),
        latency:percentile(99), latency.max, summary.bytes, e.status,
        e.connect + e.read + e.write + e.timeout))
end
