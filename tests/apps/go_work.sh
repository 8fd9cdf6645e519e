# application: Go
# version: go version
# needs: golang-go
# set: matrix
export HOME=$PWD GOCACHE=$PWD/cache GOPATH=$PWD/go GO111MODULE=off GOFLAGS=-p=2 CGO_ENABLED=0
mkdir src && cat > src/main.go <<'G'
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func goroutines() {
	var wait sync.WaitGroup
	var mutex sync.Mutex
	sum := 0
	values := make(chan int)
	for n := 0; n < 1000; n++ {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			runtime.Gosched()
			mutex.Lock()
			sum += n
			mutex.Unlock()
			values <- n
		}(n)
	}
	seen := 0
	for n := 0; n < 1000; n++ {
		seen += <-values
	}
	wait.Wait()
	fmt.Println("goroutines", sum, seen)
	// A goroutine that never calls anything is preempted by a signal (SIGURG).
	stop := false
	go func() {
		for !stop {
		}
	}()
	time.Sleep(30 * time.Millisecond)
	runtime.GC()
	fmt.Println("preempted")
}

func files() {
	os.MkdirAll("d/e", 0o755)
	for n := 0; n < 50; n++ {
		os.WriteFile(fmt.Sprintf("d/e/f%02d", n), []byte(strings.Repeat("x", n*100)), 0o640)
	}
	var total int64
	filepath.Walk("d", func(path string, info os.FileInfo, err error) error {
		if info.Mode().IsRegular() {
			total += info.Size()
		}
		return err
	})
	_, err := os.Open("nowhere")
	fmt.Println("files", total, err)
	os.Symlink("f03", "d/e/link")
	target, _ := filepath.EvalSymlinks("d/e/link")
	fmt.Println(target, os.Rename("d/e/f01", "d/moved"), os.RemoveAll("d"))
}

func timers() {
	begin := time.Now()
	ticker := time.NewTicker(5 * time.Millisecond)
	for n := 0; n < 5; n++ {
		<-ticker.C
	}
	took := time.Since(begin)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	fmt.Println("timers", took >= 25*time.Millisecond, took < 5*time.Second, ctx.Err())
}

func children() {
	out, err := exec.Command("sh", "-c", "cat; echo done; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	cmd := exec.Command("sort")
	in, _ := cmd.StdinPipe()
	from, _ := cmd.StdoutPipe()
	cmd.Start()
	go func() {
		for n := 9; n > 0; n-- {
			fmt.Fprintln(in, n)
		}
		in.Close()
	}()
	lines, _ := io.ReadAll(from)
	fmt.Printf("%q %v\n", lines, cmd.Wait())
	cmd = exec.Command("sleep", "100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Start()
	cmd.Process.Kill()
	fmt.Println(cmd.Wait())
	_, err = exec.Command("/nonexistent").Output()
	fmt.Println(err)
}

func signals() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-ch)
	defer func() { fmt.Println("recovered:", recover()) }()
	var nothing *int
	fmt.Println(*nothing)
}

func sockets() {
	listener, err := net.Listen("unix", "http.sock")
	if err != nil {
		fmt.Println(err)
		return
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "you asked for %s", r.URL.Path) })
	go http.Serve(listener, nil)
	client := http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", "http.sock") }}}
	var wait sync.WaitGroup
	answers := make([]string, 20)
	for n := range answers {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			response, err := client.Get(fmt.Sprintf("http://local/%d", n))
			if err != nil {
				answers[n] = err.Error()
				return
			}
			body, _ := bufio.NewReader(response.Body).ReadString(0)
			response.Body.Close()
			answers[n] = body
		}(n)
	}
	wait.Wait()
	sort.Strings(answers)
	fmt.Println(len(answers), answers[0], answers[19])
}

func main() {
	goroutines()
	files()
	timers()
	children()
	signals()
	sockets()
	garbage := [][]byte{}
	for n := 0; n < 20000; n++ {
		garbage = append(garbage, make([]byte, 4096))
		if len(garbage) > 1000 {
			garbage = nil
		}
	}
	fmt.Printf("%x\n", sha256.Sum256([]byte("go")))
	os.Exit(7)
}
G
go build -trimpath -o main src/main.go && ./main; echo "exit $?"
GOMAXPROCS=1 ./main | tail -1
cat > src/panic.go <<'G'
package main

func main() { panic("on purpose") }
G
go run src/panic.go 2>&1 | head -1
GOMAXPROCS=8 ./main | tail -1
