// run: node
// needs-command: node
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const fs = require("fs");
const { execFileSync } = require("child_process");

if (!isMainThread) {
	let sum = 0;
	for (let i = 0; i < workerData * 1000; i++) sum += i % 7;
	parentPort.postMessage({ n: workerData, sum });
} else {
	const jobs = [1, 2, 3, 4].map(n => new Promise((resolve, reject) => {
		const w = new Worker(__filename, { workerData: n });
		w.on("message", resolve);
		w.on("error", reject);
	}));
	Promise.all(jobs).then(results => {
		console.log(JSON.stringify(results));
		fs.writeFileSync("n.txt", "x".repeat(100000));
		console.log(fs.statSync("n.txt").size, execFileSync("echo", ["from", "child"]).toString().trim());
		setTimeout(() => { console.log("timer"); process.exit(3); }, 20);
	});
}
