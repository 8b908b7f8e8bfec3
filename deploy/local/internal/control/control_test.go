package control

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

type fakeHandler struct {
	down  int
	parts []PartRequest
}

func (f *fakeHandler) Status(context.Context) Status { return Status{Running: true, PID: 7} }
func (f *fakeHandler) Down()                         { f.down++ }
func (f *fakeHandler) Part(_ context.Context, r PartRequest) error {
	f.parts = append(f.parts, r)
	if r.Part == "nothing" {
		return errors.New("there is no part nothing")
	}
	return nil
}

// connect serves a handler and writes the control file with the given token.
func connect(t *testing.T, h Handler, token string) *Client {
	t.Helper()
	server := httptest.NewServer(Serve("secret", h))
	t.Cleanup(server.Close)
	folder, err := stack.Open(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Create(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(folder); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a control file: %v", err)
	}
	address := strings.TrimPrefix(server.URL, "http://")
	if err := stack.WriteJSON(folder.ControlFile(), Endpoint{Address: address, Token: token}); err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(folder)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestClientReachesHandler(t *testing.T) {
	var h fakeHandler
	c := connect(t, &h, "secret")
	ctx := context.Background()
	if s, err := c.Status(ctx); err != nil || s.PID != 7 {
		t.Errorf("status %+v, %v", s, err)
	}
	req := PartRequest{Action: Stop, Part: "etcd", Cluster: "c1"}
	if err := c.Part(ctx, req); err != nil || len(h.parts) != 1 || h.parts[0] != req {
		t.Errorf("part %+v, %v", h.parts, err)
	}
	if err := c.Part(ctx, PartRequest{Part: "nothing"}); err == nil || err.Error() != "there is no part nothing" {
		t.Errorf("a refusal arrives as %v", err)
	}
	if err := c.Down(ctx); err != nil || h.down != 1 {
		t.Errorf("down %d, %v", h.down, err)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	var h fakeHandler
	c := connect(t, &h, "guessed")
	if err := c.Down(context.Background()); !errors.Is(err, ErrNotRunning) || h.down != 0 {
		t.Errorf("down with a wrong token: %v, %d", err, h.down)
	}
}
