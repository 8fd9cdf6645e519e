# application: Go
# needs: golang-go
# set: matrix
# Over the loopback device: net/http with keep-alive and TLS, plain TCP with deadlines, UDP, both families. Statically linked.
export HOME=$PWD GOCACHE=$PWD/cache GOPATH=$PWD/go GO111MODULE=off GOFLAGS=-p=2 CGO_ENABLED=0
mkdir src && cat > src/main.go <<'G'
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func web(server *httptest.Server, name string) {
	client := server.Client()
	answers := make([]string, 40)
	var wait sync.WaitGroup
	for n := range answers {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			response, err := client.Post(fmt.Sprintf("%s/%d", server.URL, n), "text/plain", strings.NewReader(strings.Repeat("w", n*3000)))
			if err != nil {
				answers[n] = err.Error()
				return
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			answers[n] = fmt.Sprint(response.StatusCode, " ", len(body), " ", string(body[:12]), " ", response.TLS != nil)
		}(n)
	}
	wait.Wait()
	for _, answer := range answers {
		fmt.Println(name, answer)
	}
	server.Close()
}

func plain(network, address string) {
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				n, _ := io.Copy(io.Discard, connection)
				fmt.Fprint(connection, n)
				connection.Close()
			}()
		}
	}()
	results := make(chan string)
	for n := 0; n < 8; n++ {
		go func(n int) {
			connection, err := net.Dial(network, listener.Addr().String())
			if err != nil {
				results <- err.Error()
				return
			}
			connection.Write(make([]byte, n<<18))
			connection.(*net.TCPConn).CloseWrite()
			answer, _ := io.ReadAll(connection)
			results <- string(answer)
		}(n)
	}
	all := []string{}
	for n := 0; n < 8; n++ {
		all = append(all, <-results)
	}
	sort.Strings(all)
	fmt.Println(network, all)
	connection, _ := net.Dial(network, listener.Addr().String())
	connection.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err = connection.Read(make([]byte, 1))
	fmt.Println("deadline", errors.Is(err, os.ErrDeadlineExceeded))
	listener.Close()
	_, err = net.Dial(network, listener.Addr().String())
	fmt.Println("refused", errors.Is(err, syscall.ECONNREFUSED))
}

func datagrams() {
	server, _ := net.ListenPacket("udp", "127.0.0.1:0")
	go func() {
		buffer := make([]byte, 2000)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			server.WriteTo(append([]byte("re: "), buffer[:n]...), from)
		}
	}()
	client, _ := net.Dial("udp", server.LocalAddr().String())
	for n := 0; n < 5; n++ {
		fmt.Fprint(client, "question ", n)
		buffer := make([]byte, 100)
		size, _ := client.Read(buffer)
		fmt.Println(string(buffer[:size]))
	}
	server.Close()
}

func main() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %s %d ", r.Method, r.URL.Path, n)
		io.WriteString(w, strings.Repeat("g", 100000))
	})
	web(httptest.NewServer(handler), "plain")
	web(httptest.NewTLSServer(handler), "TLS")
	plain("tcp4", "127.0.0.1:0")
	plain("tcp6", "[::1]:0")
	datagrams()
	interfaces, err := net.Interfaces()
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 {
			fmt.Println(i.Name, err)
		}
	}
	addresses, err := net.LookupHost("localhost")
	fmt.Println(len(addresses) > 0, err)
}
G
go build -o net ./src && ./net; echo "exit $?"
