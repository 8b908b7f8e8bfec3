// Package prometheustest gives tests a real Prometheus, which scrapes pages that they write. It is for tests only.
package prometheustest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is a running Prometheus. It scrapes each page ten times a second, as a job of the page's name.
type Server struct {
	URL    string
	Steady *Page
	Flaky  *Page // for tests that break it

	targets *httptest.Server
	process *exec.Cmd
	dir     string
	output  bytes.Buffer
	ended   chan struct{}
	stop    sync.Once
}

// Page is what one target of Prometheus shows. Tests that share it write series of their own.
type Page struct {
	mu     sync.Mutex
	lines  map[string]string // by test
	broken bool
}

// Show adds series to a page, in Prometheus' text format, until the test ends. Shown again, they replace those of before.
func (p *Page) Show(t testing.TB, lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines[t.Name()] = strings.Join(lines, "\n") + "\n"
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.lines, t.Name())
	})
}

// Break makes the page fail where broken is true, and heals it otherwise.
func (p *Page) Break(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = broken
}

// ServeHTTP shows the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		http.Error(w, "broken by a test", http.StatusInternalServerError)
		return
	}
	for _, lines := range p.lines {
		fmt.Fprint(w, lines)
	}
}

// Get returns the server of a test binary; it skips the test by name where there is no prometheus, and fails it where SLUICE_REQUIRE
// is "all".
type Get func(t testing.TB) *Server

// Main runs the tests of a binary with one server, which starts when the first test asks for it with the function that use is given,
// and is stopped after the last. Call it from TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(prometheustest.Main(m, func(get prometheustest.Get) { server = get })) }
func Main(m *testing.M, use func(Get)) int {
	var once sync.Once
	var server *Server
	var failure error
	use(func(t testing.TB) *Server {
		t.Helper()
		once.Do(func() { server, failure = start() })
		if errors.Is(failure, errMissing) && os.Getenv("SLUICE_REQUIRE") != "all" {
			t.Skip("needs prometheus")
		}
		if failure != nil {
			t.Fatalf("cannot start prometheus: %v", failure)
		}
		return server
	})
	code := m.Run()
	if server != nil {
		server.Stop()
	}
	return code
}

// Await calls done until it returns true, ten times a second: Prometheus shows what it scrapes a moment later.
func Await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

var errMissing = errors.New("prometheus is not installed, and everything is required")

func start() (*Server, error) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, errMissing
	}
	dir, err := os.MkdirTemp("", "sluice-prometheus-")
	if err != nil {
		return nil, err
	}
	s := &Server{
		dir: dir, ended: make(chan struct{}),
		Steady: &Page{lines: map[string]string{}}, Flaky: &Page{lines: map[string]string{}},
	}
	pages := http.NewServeMux()
	pages.Handle("/steady", s.Steady)
	pages.Handle("/flaky", s.Flaky)
	s.targets = httptest.NewServer(pages)
	config := filepath.Join(dir, "prometheus.yml")
	err = os.WriteFile(config, []byte(configuration(s.targets.Listener.Addr().String())), 0o600)
	if err == nil {
		err = s.run(program, config)
	}
	if err != nil {
		s.targets.Close()
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// configuration scrapes both pages.
func configuration(target string) string {
	text := "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_configs:\n"
	for _, job := range []string{"steady", "flaky"} {
		text += fmt.Sprintf("- job_name: %s\n  metrics_path: /%s\n  static_configs: [{targets: [%q]}]\n", job, job, target)
	}
	return text
}

// run starts the program on a free port and waits until it is ready.
func (s *Server) run(program, config string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	s.URL = "http://" + address
	s.process = exec.Command(program, "--config.file="+config, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(s.dir, "data"), "--log.level=warn")
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	s.process.Dir = s.dir
	s.process.SysProcAttr = attributes()
	if err := s.begin(); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-s.ended:
			return fmt.Errorf("it ended at once: %s", s.output.String())
		default:
		}
		response, err := http.Get(s.URL + "/-/ready")
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	s.kill()
	return fmt.Errorf("it was not ready within a minute: %s", s.output.String())
}

// begin starts the process, from a thread that stays: the signal is sent when the thread that started it ends.
func (s *Server) begin() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(s.ended)
		err := s.process.Start()
		started <- err
		if err == nil {
			_ = s.process.Wait()
		}
	}()
	return <-started
}

// kill ends the process and waits for its end.
func (s *Server) kill() {
	_ = s.process.Process.Kill()
	<-s.ended
}

// Stop ends the server and removes its data.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.kill()
		s.targets.Close()
		_ = os.RemoveAll(s.dir)
	})
}
