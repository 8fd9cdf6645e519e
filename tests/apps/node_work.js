// application: node
// version: node --version
// needs-command: node
const fs = require("fs");
const http = require("http");
const path = require("path");
const zlib = require("zlib");
const crypto = require("crypto");
const { spawn, fork, execFile } = require("child_process");
const { promisify } = require("util");
const { pipeline } = require("stream/promises");

async function files() {
	await fs.promises.mkdir("d/e", { recursive: true });
	await Promise.all([...Array(50).keys()].map(n => fs.promises.writeFile(`d/e/f${n}`, "y".repeat(n * 200))));
	const names = await fs.promises.readdir("d/e");
	const stats = await Promise.all(names.map(name => fs.promises.stat(path.join("d/e", name))));
	console.log("files", names.length, stats.reduce((sum, s) => sum + s.size, 0));
	await pipeline(fs.createReadStream("d/e/f49"), zlib.createGzip(), fs.createWriteStream("f.gz"));
	console.log("gzip", zlib.gunzipSync(fs.readFileSync("f.gz")).length);
	await fs.promises.rename("d/e/f1", "d/renamed");
	fs.symlinkSync("renamed", "d/link");
	fs.copyFileSync("d/link", "copy");
	console.log(fs.readFileSync("copy").length, fs.realpathSync("d/link") === path.resolve("d/renamed"));
	fs.accessSync("copy", fs.constants.R_OK);
	try { fs.readFileSync("nowhere"); } catch (e) { console.log(e.code, e.syscall); }
	await fs.promises.rm("d", { recursive: true });
	console.log(fs.existsSync("d"));
	const seen = new Promise(resolve => {
		const watcher = fs.watch(".", (kind, name) => { if (name === "watched") { watcher.close(); resolve(kind); } });
	});
	fs.writeFileSync("watched", "1");
	console.log("watch", await seen);
}

async function hashes() {
	console.log(crypto.createHash("sha256").update("node").digest("hex"));
	console.log((await promisify(crypto.pbkdf2)("secret", "salt", 20000, 16, "sha512")).toString("hex"));
	const { publicKey, privateKey } = await promisify(crypto.generateKeyPair)("ed25519");
	console.log(crypto.verify(null, "text", publicKey, crypto.sign(null, "text", privateKey)));
	console.log(crypto.randomBytes(16).length, (await promisify(crypto.scrypt)("a", "b", 16)).toString("hex"));
}

async function children() {
	const child = spawn("sh", ["-c", "cat; echo error >&2; exit 3"]);
	let out = "", err = "";
	child.stdout.on("data", d => out += d);
	child.stderr.on("data", d => err += d);
	child.stdin.end("input\n");
	console.log(await new Promise(r => child.on("close", (code, signal) => r([code, signal]))), out, err);
	const sleeper = spawn("sleep", ["100"]);
	sleeper.on("spawn", () => sleeper.kill("SIGTERM"));
	console.log(await new Promise(r => sleeper.on("exit", (code, signal) => r([code, signal]))));
	const missing = spawn("/nonexistent");
	console.log(await new Promise(r => missing.on("error", e => r(e.code))));
	const forked = fork(__filename, ["child"]);
	forked.send({ hello: "child" });
	console.log(await new Promise(r => forked.on("message", r)));
	forked.disconnect();
	console.log(await new Promise(r => forked.on("exit", r)));
	console.log((await promisify(execFile)("seq", ["100000"], { maxBuffer: 1 << 20 })).stdout.length);
}

async function web() {
	const server = http.createServer((request, response) => {
		let size = 0;
		request.on("data", d => size += d.length);
		request.on("end", () => response.end(`${request.method} ${request.url} ${size} ` + "z".repeat(100000)));
	});
	await new Promise(r => server.listen("http.sock", r));
	const get = n => new Promise((resolve, reject) => {
		const request = http.request({ socketPath: "http.sock", path: "/" + n, method: "POST" }, response => {
			let body = "";
			response.on("data", d => body += d);
			response.on("end", () => resolve([response.statusCode, body.length, body.slice(0, 14)]));
		});
		request.on("error", reject);
		request.end("w".repeat(n * 1000));
	});
	console.log(JSON.stringify(await Promise.all([...Array(30).keys()].map(get))));
	server.close();
}

async function main() {
	await files();
	await hashes();
	await children();
	await web();
	process.on("SIGUSR2", () => { console.log("signal"); process.exit(11); });
	setInterval(() => {}, 1000);
	process.kill(process.pid, "SIGUSR2");
}

if (process.argv[2] === "child")
	process.on("message", message => process.send({ got: message }));
else
	main().catch(e => { console.log(e); process.exit(1); });
