-- wrk script: POST a JSON body of 1 KiB, each with an id of its own. HOOK_PATH, HOOK_SIGNATURE, HOOK_BODY and HOOK_PREFIX
-- come by the environment.
local path = os.getenv("HOOK_PATH") or "/hooks/bench"
local signature = os.getenv("HOOK_SIGNATURE") or ""
local body = io.open(os.getenv("HOOK_BODY")):read("*a")
local next_thread = 0

function setup(thread)
	thread:set("thread_no", next_thread)
	next_thread = next_thread + 1
end

function init()
	prefix = "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nX-Signature: sha256="
		.. signature .. "\r\nContent-Length: " .. #body .. "\r\nX-Id: " .. (os.getenv("HOOK_PREFIX") or "") .. thread_no .. "-"
	suffix = "\r\n\r\n" .. body
	n = 0
end

function request()
	n = n + 1
	return prefix .. n .. suffix
end
