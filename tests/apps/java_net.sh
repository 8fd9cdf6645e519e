# application: OpenJDK
# needs: default-jdk-headless
# set: matrix
# Over the loopback device: an HTTP server and client of the library, channels with a selector, datagrams, both families.
cat > Net.java <<'J'
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Net {
	public static void main(String[] args) throws Exception {
		http();
		channels();
		datagrams();
		refused();
		System.exit(0);
	}

	static void http() throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(4);
		HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 50);
		server.createContext("/", exchange -> {
			byte[] body = exchange.getRequestBody().readAllBytes();
			byte[] answer = (exchange.getRequestMethod() + " " + exchange.getRequestURI() + " " + body.length + " " + "j".repeat(100000)).getBytes();
			exchange.sendResponseHeaders(200, answer.length);
			exchange.getResponseBody().write(answer);
			exchange.close();
		});
		server.setExecutor(pool);
		server.start();
		String base = "http://127.0.0.1:" + server.getAddress().getPort() + "/";
		HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
		List<CompletableFuture<String>> answers = IntStream.range(0, 40).mapToObj(n -> client.sendAsync(
			HttpRequest.newBuilder(URI.create(base + n)).POST(HttpRequest.BodyPublishers.ofByteArray(new byte[n * 1000])).build(),
			HttpResponse.BodyHandlers.ofString()).thenApply(r -> r.statusCode() + " " + r.body().length() + " " + r.body().substring(0, 16)))
			.collect(Collectors.toList());
		for (CompletableFuture<String> answer : answers)
			System.out.println(answer.get());
		HttpURLConnection old = (HttpURLConnection) new URL(base + "old").openConnection();
		System.out.println(old.getResponseCode() + " " + old.getInputStream().readAllBytes().length);
		server.stop(0);
		pool.shutdown();
	}

	static void channels() throws Exception {
		Selector selector = Selector.open();
		ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("::1", 0));
		server.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
		int port = ((InetSocketAddress) server.getLocalAddress()).getPort();
		ExecutorService clients = Executors.newCachedThreadPool();
		List<Future<String>> heard = new ArrayList<>();
		for (int n = 0; n < 10; n++) {
			final int id = n;
			heard.add(clients.submit(() -> {
				try (Socket socket = new Socket("::1", port)) {
					socket.setTcpNoDelay(true);
					socket.getOutputStream().write(("hello " + id).getBytes());
					socket.shutdownOutput();
					return new String(socket.getInputStream().readAllBytes());
				}
			}));
		}
		int open = 10;
		while (open > 0) {
			selector.select();
			for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext();) {
				SelectionKey key = keys.next();
				keys.remove();
				if (key.isAcceptable()) {
					SocketChannel channel = server.accept();
					if (channel != null)
						channel.configureBlocking(false).register(selector, SelectionKey.OP_READ);
				} else if (key.isReadable()) {
					SocketChannel channel = (SocketChannel) key.channel();
					ByteBuffer buffer = ByteBuffer.allocate(100);
					if (channel.read(buffer) < 0) {
						channel.close();
						open--;
					} else {
						buffer.flip();
						channel.write(buffer);
					}
				}
			}
		}
		for (Future<String> answer : heard)
			System.out.println(answer.get());
		clients.shutdown();
	}

	static void datagrams() throws Exception {
		try (DatagramChannel server = DatagramChannel.open(StandardProtocolFamily.INET).bind(new InetSocketAddress("127.0.0.1", 0));
			 DatagramSocket client = new DatagramSocket()) {
			client.setSoTimeout(10000);
			byte[] question = "question".getBytes();
			client.send(new DatagramPacket(question, question.length, server.getLocalAddress()));
			ByteBuffer buffer = ByteBuffer.allocate(100);
			SocketAddress from = server.receive(buffer);
			buffer.flip();
			server.send(ByteBuffer.wrap(("re: " + StandardCharsets.UTF_8.decode(buffer)).getBytes()), from);
			DatagramPacket answer = new DatagramPacket(new byte[100], 100);
			client.receive(answer);
			System.out.println(new String(answer.getData(), 0, answer.getLength()));
			client.setSoTimeout(20);
			try {
				client.receive(answer);
			} catch (SocketTimeoutException e) {
				System.out.println("timed out");
			}
		}
	}

	static void refused() throws Exception {
		try {
			new Socket("127.0.0.1", 1).close();
		} catch (ConnectException e) {
			System.out.println(e.getMessage());
		}
		NetworkInterface loopback = NetworkInterface.getByInetAddress(InetAddress.getByName("127.0.0.1"));
		System.out.println(loopback.getName() + " " + loopback.isLoopback() + " " + loopback.isUp());
		System.out.println(InetAddress.getByName("localhost").isLoopbackAddress());
	}
}
J
javac -d . Net.java && java -Xmx256m -cp . Net; echo "exit $?"
