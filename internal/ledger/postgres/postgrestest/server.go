// Package postgrestest gives tests a real PostgreSQL server, and each of them a database of its own. It is for tests only.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
)

// Server is a PostgreSQL server on this machine, which keeps what it is given as one in production does.
type Server struct {
	dir, programs, port string
	as                  *account
	process             *exec.Cmd
	output              bytes.Buffer
	ended               chan struct{}
	databases           atomic.Int64
}

// The person that all databases belong to, whose password has what URLs and logs stumble over.
const (
	person   = "sluice"
	Password = "p@ss/w:rd#?%20'x"
)

// Get returns the server of a test binary; it skips the test by name where there is none, and fails it where SLUICE_REQUIRE is "all".
type Get func(t testing.TB) *Server

// Main runs the tests of a binary with one server, which starts when the first test asks for it with the function that use is given,
// and is stopped after the last. Call it from TestMain.
func Main(m *testing.M, use func(Get)) int {
	var once sync.Once
	var server *Server
	var failure error
	use(func(t testing.TB) *Server {
		t.Helper()
		once.Do(func() { server, failure = start() })
		if errors.Is(failure, errMissing) && os.Getenv("SLUICE_REQUIRE") != "all" {
			t.Skip("needs postgresql")
		}
		if failure != nil {
			t.Fatalf("cannot start postgresql: %v", failure)
		}
		return server
	})
	code := m.Run()
	if server != nil {
		server.end()
	}
	return code
}

// Start starts a server for one test, as Main does for a binary.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start()
	if errors.Is(err, errMissing) && os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skip("needs postgresql")
	}
	if err != nil {
		t.Fatalf("cannot start postgresql: %v", err)
	}
	t.Cleanup(s.end)
	return s
}

func (s *Server) end() {
	s.Halt()
	_ = os.RemoveAll(s.dir)
}

var errMissing = errors.New("postgresql is not installed, and everything is required")

// programs is the folder of the newest server: Debian keeps them off the path.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	newest, version := "", -1
	for _, path := range found {
		dir := filepath.Dir(path)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir))); err == nil && n > version {
			newest, version = dir, n
		}
	}
	if newest != "" {
		return newest, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errMissing
}

// account is who the server runs as where we are root, which it refuses to be.
type account struct{ uid, gid uint32 }

func accountFor(uid int) (*account, error) {
	if uid != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		id, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		group, err := strconv.ParseUint(found.Gid, 10, 32)
		return &account{uint32(id), uint32(group)}, err
	}
	return nil, errors.New("we are root, and there is no user postgres or nobody")
}

func start() (s *Server, err error) {
	s = &Server{}
	if s.programs, err = programs(); err != nil {
		return nil, err
	}
	if s.as, err = accountFor(os.Getuid()); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "sluice-postgres-"); err != nil {
		return nil, err
	}
	if err = s.prepare(); err == nil {
		err = s.begin()
	}
	if err != nil {
		_ = os.RemoveAll(s.dir)
		return nil, err
	}
	return s, nil
}

// prepare makes the server's data. Passwords are asked for, and texts are in an order that is not that of their bytes where the machine
// has one.
func (s *Server) prepare() error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(Password), 0o600); err != nil {
		return err
	}
	if s.as != nil {
		for _, path := range []string{s.dir, secret} {
			if err := os.Chown(path, int(s.as.uid), int(s.as.gid)); err != nil {
				return err
			}
		}
	}
	make := exec.Command(filepath.Join(s.programs, "initdb"), "--pgdata", s.data(), "--username", person, "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale-provider", "icu", "--icu-locale", "en", "--locale", "C.UTF-8", "--no-sync")
	make.Dir, make.SysProcAttr = s.dir, attributes(s.as)
	if said, err := make.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, said)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, s.port, err = net.SplitHostPort(listener.Addr().String())
	return errors.Join(err, listener.Close())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// begin starts the process, from a thread that stays: the signal that ends it with us is sent when the thread that started it ends.
func (s *Server) begin() error {
	s.process = exec.Command(filepath.Join(s.programs, "postgres"), "-D", s.data(), "-p", s.port, "-h", "127.0.0.1", "-k", s.dir)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	s.process.Dir, s.process.SysProcAttr = s.dir, attributes(s.as)
	s.ended = make(chan struct{})
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
	if err := <-started; err != nil {
		return err
	}
	for range 1200 {
		select {
		case <-s.ended:
			return fmt.Errorf("it ended at once: %s", s.output.String())
		default:
		}
		conn, err := pgx.Connect(context.Background(), s.url("postgres"))
		if err == nil {
			return conn.Close(context.Background())
		}
		clock.RealClock{}.Sleep(50 * time.Millisecond)
	}
	s.Halt()
	return fmt.Errorf("it was not ready within a minute: %s", s.output.String())
}

// Halt stops the server as its host's shutdown does: who is connected is cut off.
func (s *Server) Halt() {
	_ = s.process.Process.Signal(os.Interrupt)
	<-s.ended
}

// Resume starts a server that was halted, where it was.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(person, Password), Host: "127.0.0.1:" + s.port, Path: "/" + database}
	return u.String()
}

// Place is what errors call a database.
func (s *Server) Place(database string) string {
	return "postgres://127.0.0.1:" + s.port + "/" + database
}

// Database makes an empty database, and returns its URL. It goes with the server.
func (s *Server) Database(t testing.TB, options ...string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	s.Ask(t, s.url("postgres"), "CREATE DATABASE "+name+" "+strings.Join(options, " "))
	return s.url(name)
}

// Ask executes statements in a database, one after the other.
func (s *Server) Ask(t testing.TB, database string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// New returns an empty ledger in a database of the test's own. It is closed when the test ends.
func (s *Server) New(t testing.TB) ledger.Ledger {
	t.Helper()
	return Open(t, s.Database(t))
}

// Open opens a ledger, which is made where there is none, and closes it when the test ends.
func Open(t testing.TB, database string) ledger.Ledger {
	t.Helper()
	l, err := postgres.Open(t.Context(), database, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
