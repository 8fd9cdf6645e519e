# application: Rust
# version: rustc --version
# needs: rustc gcc libc6-dev
# set: matrix
cat > main.rs <<'R'
use std::collections::BTreeMap;
use std::fs;
use std::io::{prelude::*, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

fn threads() {
    let map = Arc::new(Mutex::new(BTreeMap::new()));
    let barrier = Arc::new(Barrier::new(8));
    let all: Vec<_> = (0..8)
        .map(|n| {
            let (map, barrier) = (map.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                for i in 0..1000u64 {
                    *map.lock().unwrap().entry(i % 10).or_insert(0) += n * i;
                }
            })
        })
        .collect();
    all.into_iter().for_each(|t| t.join().unwrap());
    println!("{:?}", map.lock().unwrap());
    let (to, from) = mpsc::channel();
    for n in 0..4 {
        let to = to.clone();
        thread::spawn(move || (0..100).for_each(|i| to.send(n * i).unwrap()));
    }
    drop(to);
    println!("channel {}", from.iter().sum::<i32>());
    let shared = RwLock::new(5);
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| *shared.write().unwrap() += 1);
        }
    });
    println!("lock {}", shared.read().unwrap());
    let pair = (Mutex::new(false), Condvar::new());
    let begin = Instant::now();
    let (_guard, result) = pair.1.wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(20)).unwrap();
    println!("timed out {} {}", result.timed_out(), begin.elapsed() >= Duration::from_millis(20));
    println!("panic {:?}", thread::spawn(|| if true { panic!("on purpose") }).join().is_err());
}

fn files() -> std::io::Result<()> {
    fs::create_dir_all("d/e")?;
    for n in 0..20 {
        fs::write(format!("d/e/{:02}", n), "x".repeat(n * 500))?;
    }
    let mut sizes: Vec<_> = fs::read_dir("d/e")?.map(|e| e.unwrap().metadata().unwrap().len()).collect();
    sizes.sort();
    println!("{:?}", sizes);
    let mut file = fs::OpenOptions::new().read(true).append(true).open("d/e/03")?;
    file.write_all(b"end")?;
    file.rewind()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    println!("{} {:?}", text.len(), fs::remove_dir("d/e").map_err(|e| e.raw_os_error()));
    println!("{:?} {}", fs::copy("d/e/10", "copy")?, fs::metadata("copy")?.len());
    fs::remove_dir_all("d")
}

fn children() -> std::io::Result<()> {
    let mut child = Command::new("sh").args(["-c", "tr a-z A-Z; exit 5"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().unwrap().write_all(b"shout")?;
    let out = child.wait_with_output()?;
    println!("{} {:?}", String::from_utf8_lossy(&out.stdout), out.status.code());
    println!("{:?}", Command::new("/nonexistent").status().map_err(|e| e.kind()));
    Ok(())
}

fn sockets() -> std::io::Result<()> {
    let listener = UnixListener::bind("sock")?;
    let server = thread::spawn(move || {
        for peer in listener.incoming().take(3) {
            let mut peer = peer.unwrap();
            let mut line = String::new();
            BufReader::new(peer.try_clone().unwrap()).read_line(&mut line).unwrap();
            peer.write_all(line.to_uppercase().as_bytes()).unwrap();
        }
    });
    for n in 0..3 {
        let mut stream = UnixStream::connect("sock")?;
        writeln!(stream, "hello {}", n)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        print!("{}", answer);
    }
    server.join().unwrap();
    Ok(())
}

fn main() {
    threads();
    files().unwrap();
    children().unwrap();
    sockets().unwrap();
    std::process::exit(6);
}
R
rustc -O main.rs && ./main 2>/dev/null; echo "exit $?"
rustc --test -o tests - 2>&1 <<'R'
#[test]
fn holds() { assert_eq!(2 + 2, 4); }
#[test]
#[should_panic]
fn panics() { assert!(false); }
R
./tests --quiet | sed 's/finished in.*//'
