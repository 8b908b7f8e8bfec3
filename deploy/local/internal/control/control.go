// Package control is how commands talk to a running supervisor: a small HTTP
// interface on the loopback, guarded by a token in a file that only its owner
// can read.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Paths of the interface.
const (
	StatusPath = "/status"
	DownPath   = "/down"
	PartPath   = "/part"
)

// Endpoint is the content of the control file.
type Endpoint struct {
	Address string `json:"address"`
	Token   string `json:"token"`
}

// Action is what to do with a part.
type Action string

// The actions.
const (
	Start   Action = "start"
	Stop    Action = "stop"
	Restart Action = "restart"
)

// PartRequest asks for an action on a part of one cluster, or of all clusters
// if Cluster is empty.
type PartRequest struct {
	Action  Action `json:"action"`
	Part    string `json:"part"`
	Cluster string `json:"cluster,omitempty"`
}

// Status is the state of a whole stack.
type Status struct {
	// Running is false when no supervisor runs; everything else is then what
	// was true when one last did.
	Running bool `json:"running"`
	// Ready means that Temporal and every cluster are ready.
	Ready      bool            `json:"ready"`
	Dir        string          `json:"dir"`
	PID        int             `json:"pid"`
	Kubeconfig string          `json:"kubeconfig"`
	Temporal   TemporalStatus  `json:"temporal"`
	Clusters   []ClusterStatus `json:"clusters"`
	// Shape is what the stack was started with.
	Shape stack.Shape `json:"shape"`
}

// TemporalStatus is the state of the Temporal server.
type TemporalStatus struct {
	Ready bool `json:"ready"`
	stack.TemporalDescription
	PartStatus
}

// ClusterStatus is the state of a cluster. Ready means that the API server
// answers, that every part runs and that every node is ready.
type ClusterStatus struct {
	Name       string       `json:"name"`
	Ready      bool         `json:"ready"`
	Server     string       `json:"server"`
	AuditLog   string       `json:"auditLog"`
	Nodes      int          `json:"nodes"`
	NodesReady int          `json:"nodesReady"`
	Parts      []PartStatus `json:"parts"`
}

// PartStatus is the state of a process.
type PartStatus struct {
	Part string `json:"part"`
	// State is running, stopped or restarting.
	State    string `json:"state"`
	PID      int    `json:"pid"`
	Restarts int    `json:"restarts"`
}

// ErrNotRunning means that no supervisor answers.
var ErrNotRunning = errors.New("no stack is running")

// Client talks to the supervisor of a folder.
type Client struct {
	endpoint Endpoint
}

// NewClient finds the supervisor of a folder. It returns ErrNotRunning if the
// folder never had one.
func NewClient(folder stack.Folder) (*Client, error) {
	data, err := os.ReadFile(folder.ControlFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read control file: %w", err)
	}
	var e Endpoint
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("cannot read control file: %w", err)
	}
	return &Client{endpoint: e}, nil
}

// Status asks for the state of the stack.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, StatusPath, nil, &s)
	return s, err
}

// Down asks the supervisor to stop everything and end. It does not wait.
func (c *Client) Down(ctx context.Context) error {
	return c.call(ctx, http.MethodPost, DownPath, struct{}{}, nil)
}

// Part acts on a part and waits until that is done; a part that was started is
// then ready.
func (c *Client) Part(ctx context.Context, req PartRequest) error {
	return c.call(ctx, http.MethodPost, PartPath, req, nil)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("cannot encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.endpoint.Address+path, body)
	if err != nil {
		return fmt.Errorf("cannot make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.endpoint.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrNotRunning
	}
	defer res.Body.Close()
	switch {
	// Another program may have taken the port since.
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusNotFound:
		return ErrNotRunning
	case res.StatusCode >= 400:
		text, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
		return errors.New(string(bytes.TrimSpace(text)))
	case out == nil:
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("cannot read answer: %w", err)
	}
	return nil
}
