# application: OpenJDK
# version: java -version 2>&1
# needs: default-jdk-headless
# set: matrix
# Compiles with javac (a program of many threads itself) and runs: threads, collectors, files, mappings, children, sockets.
cat > Main.java <<'J'
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Main {
	static int depth(int n) { return 1 + depth(n + 1); }

	public static void main(String[] args) throws Exception {
		System.out.println(System.getProperty("java.vm.name") + " " + Runtime.version().feature());
		threads();
		garbage();
		files();
		child();
		sockets();
		try {
			depth(0);
		} catch (StackOverflowError e) {
			System.out.println("stack overflow caught");
		}
		try {
			Object o = args.length > 5 ? "" : null;
			System.out.println(o.hashCode());
		} catch (NullPointerException e) {
			System.out.println("null caught");
		}
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
		System.exit(9);
	}

	static void threads() throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(8);
		List<Future<Long>> results = new ArrayList<>();
		for (int n = 0; n < 32; n++) {
			final int seed = n;
			results.add(pool.submit(() -> {
				long sum = 0;
				for (int i = 0; i < 200000; i++)
					sum += (i ^ seed) % 13;
				return sum;
			}));
		}
		long total = 0;
		for (Future<Long> result : results)
			total += result.get();
		pool.shutdown();
		System.out.println("pool " + total + " " + pool.awaitTermination(5, TimeUnit.SECONDS));
		AtomicInteger count = new AtomicInteger();
		Object lock = new Object();
		Thread[] threads = new Thread[20];
		for (int n = 0; n < threads.length; n++) {
			threads[n] = new Thread(() -> {
				synchronized (lock) {
					count.incrementAndGet();
					lock.notifyAll();
					while (count.get() < threads.length) {
						try {
							lock.wait();
						} catch (InterruptedException e) {
						}
					}
				}
			});
			threads[n].start();
		}
		for (Thread thread : threads)
			thread.join();
		System.out.println("monitors " + count + " parallel "
			+ IntStream.range(0, 1000000).parallel().filter(i -> i % 3 == 0).count());
		Thread sleeper = new Thread(() -> {
			try {
				Thread.sleep(100000);
			} catch (InterruptedException e) {
				System.out.println("interrupted");
			}
		});
		sleeper.start();
		sleeper.interrupt();
		sleeper.join();
	}

	static void garbage() {
		Map<Integer, byte[]> live = new HashMap<>();
		Random random = new Random(1);
		long bytes = 0;
		for (int n = 0; n < 30000; n++) {
			byte[] block = new byte[random.nextInt(20000)];
			live.put(n % 500, block);
			bytes += block.length;
		}
		System.gc();
		System.out.println("allocated " + bytes + " live " + live.size());
	}

	static void files() throws Exception {
		Path dir = Files.createDirectories(Path.of("d/e/f"));
		for (int n = 0; n < 100; n++)
			Files.writeString(dir.resolve("file" + n), "line " + n + "\n" + "x".repeat(n * 10));
		try (Stream<Path> walk = Files.walk(Path.of("d"))) {
			System.out.println(walk.filter(Files::isRegularFile).mapToLong(p -> p.toFile().length()).sum());
		}
		Files.move(dir.resolve("file1"), dir.resolve("moved"), StandardCopyOption.ATOMIC_MOVE);
		Files.createSymbolicLink(dir.resolve("link"), Path.of("moved"));
		System.out.println(Files.readString(dir.resolve("link")).trim().length() + " "
			+ PosixFilePermissions.toString(Files.getPosixFilePermissions(dir.resolve("moved"))));
		try {
			Files.delete(dir);
		} catch (DirectoryNotEmptyException e) {
			System.out.println("not empty");
		}
		try (FileChannel file = FileChannel.open(Path.of("map"), StandardOpenOption.CREATE, StandardOpenOption.READ,
				StandardOpenOption.WRITE)) {
			MappedByteBuffer map = file.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20);
			for (int n = 0; n < 1 << 18; n++)
				map.putInt(n * 4, n);
			map.force();
			FileLock held = file.lock();
			ByteBuffer buffer = ByteBuffer.allocateDirect(8);
			file.read(buffer, 1000);
			System.out.println("mapped " + buffer.flip().getInt() + " lock " + held.isValid());
			held.release();
		}
	}

	static void child() throws Exception {
		Process child = new ProcessBuilder("sh", "-c", "read x; echo got $x; pwd | wc -l; exit 4").redirectErrorStream(true).start();
		try (Writer to = new OutputStreamWriter(child.getOutputStream())) {
			to.write("this\n");
		}
		System.out.print(new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
		System.out.println("exit " + child.waitFor());
	}

	static void sockets() throws Exception {
		UnixDomainSocketAddress address = UnixDomainSocketAddress.of("sock");
		ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
		server.bind(address);
		Thread echo = new Thread(() -> {
			try (SocketChannel peer = server.accept()) {
				ByteBuffer buffer = ByteBuffer.allocate(1000);
				peer.read(buffer);
				buffer.flip();
				peer.write(buffer);
			} catch (IOException e) {
				e.printStackTrace();
			}
		});
		echo.start();
		try (SocketChannel client = SocketChannel.open(address); Selector selector = Selector.open()) {
			client.write(ByteBuffer.wrap("over a socket".getBytes()));
			client.configureBlocking(false);
			client.register(selector, SelectionKey.OP_READ);
			selector.select();
			ByteBuffer buffer = ByteBuffer.allocate(100);
			client.read(buffer);
			System.out.println(new String(buffer.array(), 0, buffer.position()));
		}
		echo.join();
	}
}
J
javac Main.java && ls *.class | wc -l
for collector in Serial Parallel G1; do
	rm -rf d map sock
	java -XX:+Use${collector}GC -Xmx256m Main
	echo "$collector: exit $?"
done
rm -rf d map sock; jar cf main.jar Main*.class && java -Xint -cp main.jar Main | tail -1
cat > Crash.java <<'J'
public class Crash { public static void main(String[] a) { throw new IllegalStateException("on purpose"); } }
J
java Crash.java; echo "exit $?"
