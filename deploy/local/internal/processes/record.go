package processes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

const recordFile = "record.json"

// lost is what is said of a container whose process ended while no runtime looked.
const lost = "the node was killed or restarted while the container ran"

// sandboxRecord is what is kept of a pod.
type sandboxRecord struct {
	Config  json.RawMessage `json:"config"`
	Address string          `json:"address"`
	Created time.Time       `json:"created"`
	Ready   bool            `json:"ready"`
}

// containerRecord is what is kept of a container.
type containerRecord struct {
	Sandbox  string          `json:"sandbox"`
	Config   json.RawMessage `json:"config"`
	Created  time.Time       `json:"created"`
	Started  time.Time       `json:"started"`
	Finished time.Time       `json:"finished"`
	ExitCode int             `json:"exitCode"`
	Reason   string          `json:"reason"`
	Message  string          `json:"message"`
}

// saveSandbox keeps a pod. It is called with the runtime's mu held.
func (r *Runtime) saveSandbox(s *sandbox) error {
	config, err := protojson.Marshal(s.config)
	if err != nil {
		return fmt.Errorf("cannot encode pod: %w", err)
	}
	return write(r.sandboxDir(s.id), sandboxRecord{Config: config, Address: s.address, Created: s.created, Ready: s.ready})
}

// saveContainer keeps a container. It is called with the container's mu held, or before anybody knows it.
func (r *Runtime) saveContainer(c *container) error {
	config, err := protojson.Marshal(c.config)
	if err != nil {
		return fmt.Errorf("cannot encode container: %w", err)
	}
	return write(r.containerDir(c.id), containerRecord{
		Sandbox: c.sandbox.id, Config: config, Created: c.created, Started: c.started, Finished: c.finished,
		ExitCode: c.exitCode, Reason: c.reason, Message: c.message,
	})
}

func write(dir string, record any) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot keep record: %w", err)
	}
	return stack.WriteJSON(filepath.Join(dir, recordFile), record)
}

// load takes up what an earlier runtime kept. Its processes are gone, and so are its pods.
func (r *Runtime) load() error {
	err := each(r.sandboxDir(""), func(id string, record sandboxRecord) error {
		s := &sandbox{id: id, config: &runtimeapi.PodSandboxConfig{}, address: record.Address, created: record.Created}
		r.sandboxes[id] = s
		return unmarshal(record.Config, s.config)
	})
	if err != nil {
		return err
	}
	return each(r.containerDir(""), func(id string, record containerRecord) error {
		c := &container{
			id: id, sandbox: r.sandboxes[record.Sandbox], config: &runtimeapi.ContainerConfig{}, created: record.Created,
			gone: make(chan struct{}), save: r.saveContainer, started: record.Started, finished: record.Finished,
			exitCode: record.ExitCode, reason: record.Reason, message: record.Message,
		}
		close(c.gone)
		if c.sandbox == nil {
			return os.RemoveAll(r.containerDir(id))
		}
		r.containers[id] = c
		if err := unmarshal(record.Config, c.config); err != nil {
			return err
		}
		if c.finished.IsZero() {
			if c.started.IsZero() {
				c.started = r.started
			}
			c.end(killedWith, failed, lost)
		}
		return nil
	})
}

func unmarshal(data []byte, into proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, into); err != nil {
		return fmt.Errorf("cannot read record: %w", err)
	}
	return nil
}

// each reads the records under a folder. A folder without one was being made or removed and is cleared away.
func each[R any](dir string, take func(id string, record R) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read records: %w", err)
	}
	for _, entry := range entries {
		var record R
		data, err := os.ReadFile(filepath.Join(dir, entry.Name(), recordFile))
		if err == nil {
			err = json.Unmarshal(data, &record)
		}
		if err != nil {
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return fmt.Errorf("cannot clear record: %w", err)
			}
			continue
		}
		if err := take(entry.Name(), record); err != nil {
			return err
		}
	}
	return nil
}
