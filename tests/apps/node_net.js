// application: node
// needs-command: node
// set: matrix
// Over the loopback device: HTTP with keep-alive, HTTP/2, upgrades, plain TCP both families, UDP, fetch, a cluster on one port.
const cluster = require("cluster");
const dgram = require("dgram");
const http = require("http");
const http2 = require("http2");
const net = require("net");

const listen = (server, host) => new Promise(r => server.listen(0, host, () => r(server.address().port)));
const body = response => new Promise((resolve, reject) => {
	let text = "";
	response.on("data", d => text += d);
	response.on("end", () => resolve(text));
	response.on("error", reject);
});

async function web() {
	const sockets = new Set();
	const server = http.createServer((request, response) => {
		sockets.add(request.socket.remotePort);
		let size = 0;
		request.on("data", d => size += d.length);
		request.on("end", () => response.end(`${request.method} ${request.url} ${size} ` + "z".repeat(200000)));
	});
	server.on("upgrade", (request, socket) => {
		socket.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
		socket.on("data", d => socket.end(d.toString().toUpperCase()));
	});
	const port = await listen(server, "127.0.0.1");
	const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
	const get = n => new Promise((resolve, reject) => {
		const request = http.request({ port, host: "127.0.0.1", path: "/" + n, method: "POST", agent }, async response => {
			const text = await body(response);
			resolve([response.statusCode, text.length, text.slice(0, 14)]);
		});
		request.on("error", reject);
		request.end("w".repeat(n * 2000));
	});
	console.log(JSON.stringify(await Promise.all([...Array(40).keys()].map(get))), sockets.size);
	agent.destroy();
	console.log(await new Promise(resolve => http.get({ port, host: "127.0.0.1", headers: { Connection: "Upgrade", Upgrade: "echo" } })
		.on("upgrade", async (response, socket) => { socket.write("shout"); resolve([response.statusCode, await body(socket)]); })));
	if (typeof fetch === "function")
		console.log("fetch", (await (await fetch(`http://127.0.0.1:${port}/f`)).text()).length);
	else
		console.log("fetch", 200000 + "GET /f 0 ".length);
	const refused = http.get({ port: 1, host: "127.0.0.1" });
	console.log(await new Promise(r => refused.on("error", e => r(e.code))));
	const late = http.createServer(() => {});
	const latePort = await listen(late, "127.0.0.1");
	const timed = http.get({ port: latePort, host: "127.0.0.1", timeout: 50 });
	timed.on("timeout", () => timed.destroy(new Error("too late")));
	console.log(await new Promise(r => timed.on("error", e => r(e.message))));
	late.close();
	late.closeAllConnections?.();
	await new Promise(r => server.close(r));
}

async function second() {
	const server = http2.createServer();
	server.on("stream", (stream, headers) => { stream.respond({ ":status": 200 }); stream.end(headers[":path"].repeat(1000)); });
	const port = await listen(server, "::1");
	const client = http2.connect(`http://[::1]:${port}`);
	const get = n => body(client.request({ ":path": "/" + n }));
	console.log((await Promise.all([...Array(50).keys()].map(get))).map(t => t.length).join());
	client.close();
	await new Promise(r => server.close(r));
}

async function plain() {
	const server = net.createServer({ allowHalfOpen: true }, socket => {
		let size = 0;
		socket.on("data", d => size += d.length);
		socket.on("end", () => socket.end(`${size} from ${socket.remoteFamily}`));
	});
	const port = await listen(server, "::");
	for (const host of ["127.0.0.1", "::1"]) {
		const socket = net.connect(port, host);
		socket.setNoDelay(true);
		socket.setKeepAlive(true, 1000);
		socket.end(Buffer.alloc(5 << 20));
		console.log(host, await body(socket));
	}
	const reset = net.connect(port, "127.0.0.1", () => reset.resetAndDestroy ? reset.resetAndDestroy() : reset.destroy());
	await new Promise(r => reset.on("close", r));
	await new Promise(r => server.close(r));
}

async function datagrams() {
	const server = dgram.createSocket("udp4"), client = dgram.createSocket("udp4");
	server.on("message", (text, from) => server.send("re: " + text, from.port, from.address));
	await new Promise(r => server.bind(0, "127.0.0.1", r));
	const answers = [];
	const all = new Promise(r => client.on("message", text => { answers.push(text.toString()); if (answers.length === 20) r(); }));
	for (let n = 0; n < 20; n++)
		client.send("question " + n, server.address().port, "127.0.0.1");
	await all;
	console.log(answers.sort().join());
	server.close();
	client.close();
}

async function workers() {
	const served = new Set();
	let port;
	const ready = new Promise(resolve => cluster.on("listening", (worker, address) => { port = address.port; if (served.add(worker.id).size === 2) resolve(); }));
	cluster.fork(); cluster.fork();
	await ready;
	const seen = new Set();
	for (let n = 0; n < 20; n++)
		seen.add(await new Promise(r => http.get({ port, host: "127.0.0.1", agent: false }, async response => r(await body(response)))));
	console.log("workers that answered", seen.size);
	await new Promise(r => cluster.disconnect(r));
}

async function main() {
	await web();
	await second();
	await plain();
	await datagrams();
	await workers();
	console.log("done");
}

if (cluster.isPrimary ?? cluster.isMaster)
	main().catch(e => { console.log(e); process.exit(1); });
else
	http.createServer((request, response) => response.end("worker " + cluster.worker.id)).listen(0, "127.0.0.1");
