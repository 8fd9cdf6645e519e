# application: ruby
# version: ruby --version
# needs: ruby
# set: matrix
require "digest"
require "fileutils"
require "open3"
require "socket"
require "tempfile"
require "timeout"
puts RUBY_ENGINE, RUBY_PLATFORM, (1..30).inject(:*), Digest::SHA256.hexdigest("ruby")
queue = Queue.new
threads = 8.times.map { |n| Thread.new { 1000.times { |i| queue << n * i }; n } }
p threads.map(&:value), queue.size, 8000.times.sum { queue.pop }
mutex, condition, ready = Mutex.new, ConditionVariable.new, false
waiter = Thread.new { mutex.synchronize { condition.wait(mutex) until ready; :woken } }
mutex.synchronize { ready = true; condition.broadcast }
p waiter.value
p 4.times.map { |n| Ractor.new(n) { |x| (1..10000).sum * x } }.map(&:take) rescue p $!
FileUtils.mkdir_p("d/e")
20.times { |n| File.write("d/e/f%02d" % n, "r" * n * 100) }
p Dir.glob("d/**/*").sort.map { |f| File.size(f) if File.file?(f) }.compact.sum
File.rename("d/e/f01", "d/g"); File.symlink("g", "d/link")
p File.readlink("d/link"), File.stat("d/link").size, File.lstat("d/link").symlink?
begin; File.read("nowhere"); rescue SystemCallError => e; p e; end
File.open("lock", "w") { |f| p f.flock(File::LOCK_EX) }
Tempfile.create("x") { |f| f.write "temporary"; f.flush; p File.size(f.path) }
FileUtils.rm_rf("d"); p Dir.exist?("d")
out, status = Open3.capture2e("cat; exit 3", stdin_data: "given\n"); p out, status.exitstatus
r, w = IO.pipe
pid = fork { r.close; w.puts "from a child"; exit! 4 }
w.close; p r.read, Process.wait2(pid)[1].exitstatus
pid = spawn("sleep 100"); Process.kill(:TERM, pid); p Process.wait2(pid)[1].termsig
trap("USR1") { puts "signal" }; Process.kill(:USR1, $$); sleep 0.01
server = UNIXServer.new("sock")
echo = Thread.new { 3.times { peer = server.accept; peer.puts peer.gets.upcase; peer.close } }
3.times { |n| UNIXSocket.open("sock") { |s| s.puts "hello #{n}"; puts s.gets } }
echo.join
begin; Timeout.timeout(0.05) { sleep 10 }; rescue Timeout::Error => e; p e.class; end
p GC.stat[:count] >= 0, (GC.start; 200000.times.map { |n| n.to_s * 3 }.size)
fiber = Fiber.new { |x| 3.times { x = Fiber.yield x * 2 }; :done }; p fiber.resume(1), fiber.resume(5)
def deep(n) = deep(n + 1) + 1
begin; deep(0); rescue SystemStackError => e; p e.class; end
at_exit { puts "at exit" }
exit 6
