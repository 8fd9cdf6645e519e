<?php // application: php
// version: php --version
// needs: php-cli php-sqlite3
// set: matrix
echo PHP_MAJOR_VERSION, " ", PHP_OS, "\n";
$sum = 0;
for ($n = 0; $n < 1000000; $n++)
	$sum = ($sum * 31 + $n) % 1000003;
echo $sum, "\n", hash("sha256", "php"), " ", crc32("php"), " ", strlen(random_bytes(16)), "\n";
mkdir("d/e", 0755, true);
foreach (range(0, 20) as $n)
	file_put_contents("d/e/f$n", str_repeat("z", $n * 100));
$it = new RecursiveIteratorIterator(new RecursiveDirectoryIterator("d", FilesystemIterator::SKIP_DOTS));
$names = [];
foreach ($it as $file)
	$names[] = $file->getFilename() . ":" . $file->getSize();
sort($names);
echo implode(" ", $names), "\n";
rename("d/e/f1", "d/g"); symlink("g", "d/link"); echo readlink("d/link"), filesize("d/link"), is_writable("d/g"), "\n";
var_dump(@file_get_contents("nowhere"), error_get_last()["message"]);
$f = fopen("lock", "c+"); var_dump(flock($f, LOCK_EX), ftruncate($f, 10), fstat($f)["size"]); fclose($f);
$t = tempnam(".", "tmp"); echo strlen(basename($t)), " ", decoct(fileperms($t)), "\n";
$p = proc_open(["sh", "-c", "cat; echo err >&2; exit 3"], [["pipe", "r"], ["pipe", "w"], ["pipe", "w"]], $pipes);
fwrite($pipes[0], "to the child\n"); fclose($pipes[0]);
echo stream_get_contents($pipes[1]), stream_get_contents($pipes[2]), proc_close($p), "\n";
echo shell_exec("echo shell; exit 1"), exec("seq 3"), "\n";
$server = stream_socket_server("unix://sock", $code, $message);
if (function_exists("pcntl_fork")) {
	$pid = pcntl_fork();
	if ($pid == 0) {
		$peer = stream_socket_accept($server, 10);
		fwrite($peer, strtoupper(fgets($peer)));
		exit(4);
	}
	$client = stream_socket_client("unix://sock"); fwrite($client, "over a socket\n"); echo fgets($client);
	pcntl_waitpid($pid, $status); echo pcntl_wexitstatus($status), "\n";
	pcntl_async_signals(true); pcntl_signal(SIGALRM, function () { echo "alarm\n"; }); pcntl_alarm(1); sleep(5);
}
$db = new PDO("sqlite:test.db");
$db->exec("create table t (n integer); begin");
foreach (range(1, 1000) as $n)
	$db->exec("insert into t values ($n)");
$db->exec("commit");
echo $db->query("select sum(n) from t")->fetchColumn(), "\n";
[$a, $b] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0); fwrite($a, "pair"); $r = [$b]; $w = $e = [];
echo stream_select($r, $w, $e, 1), fread($b, 10), "\n", date("Y-m-d", 86400 * 365), " ", date_default_timezone_get(), "\n";
try { intdiv(1, 0); } catch (DivisionByZeroError $error) { echo get_class($error), "\n"; }
$begin = hrtime(true); usleep(20000); var_dump(hrtime(true) - $begin >= 20000000);
register_shutdown_function(function () { echo "shutdown\n"; });
exit(5);
