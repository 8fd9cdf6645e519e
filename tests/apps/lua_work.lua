-- application: lua
-- version: lua5.4 -v
-- needs: lua5.4
local out = {}
for n = 1, 10 do out[#out + 1] = string.format("%d:%.3f", n, math.sqrt(n)) end
print(table.concat(out, " "))
local f = assert(io.open("f", "w")); f:setvbuf("full"); for n = 1, 10000 do f:write(n, "\n") end; f:close()
local sum = 0; for line in io.lines("f") do sum = sum + tonumber(line) end; print(sum)
f = io.open("f", "r+"); print(f:seek("end"), f:seek("set", 5), f:read("l"), f:read("n")); f:close()
print(os.rename("f", "g"), io.open("f"), os.remove("nowhere"))
local p = io.popen("cat; exit 3", "w"); p:write("to a child\n"); print(p:close())
p = io.popen("seq 3"); print(p:read("a"), p:close())
print(os.execute("exit 4")); print(os.execute("kill -9 $$"))
local c = coroutine.wrap(function(a) for n = 1, 3 do a = coroutine.yield(a + n) end end); print(c(1), c(2), c(3))
print(pcall(error, { code = 1 }), select("#", table.unpack({}, 1, 50)))
local t = {}; for n = 1, 300000 do t[n % 1000] = { n, tostring(n) } end; collectgarbage(); print(collectgarbage("count") < 20000)
print(os.date("!%Y-%m-%d", 86400 * 365), os.getenv("NOTHING"), #os.tmpname() > 0)
print(pcall(string.rep, "x", 1 << 40))
os.exit(5, true)
