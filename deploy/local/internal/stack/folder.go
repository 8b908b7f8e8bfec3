package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DefaultFolder is the state folder's name when none is given.
const DefaultFolder = ".sluice"

// Folder is the state folder of a stack.
type Folder struct {
	root string
}

// Open names a state folder. It need not exist.
func Open(dir string) (Folder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Folder{}, fmt.Errorf("cannot resolve folder %q: %w", dir, err)
	}
	return Folder{root: abs}, nil
}

// Root is the folder's absolute path.
func (f Folder) Root() string { return f.root }

// Kubeconfig is the file with one context for each cluster.
func (f Folder) Kubeconfig() string { return filepath.Join(f.root, "kubeconfig") }

// StackFile is the file that tells other programs what runs where.
func (f Folder) StackFile() string { return filepath.Join(f.root, "stack.json") }

// ControlFile tells commands how to reach the supervisor.
func (f Folder) ControlFile() string { return filepath.Join(f.root, "control.json") }

// Cluster is the folder of one cluster's data.
func (f Folder) Cluster(name string) string { return filepath.Join(f.root, "clusters", name) }

// Temporal is the folder of the Temporal server's data.
func (f Folder) Temporal() string { return filepath.Join(f.root, "temporal") }

// Log is the log file of a part.
func (f Folder) Log(part string) string { return filepath.Join(f.root, "logs", part+".log") }

func (f Folder) memoryFile() string { return filepath.Join(f.root, "memory.json") }
func (f Folder) lockFile() string   { return filepath.Join(f.root, "lock") }

// Create makes the folder and the ones that every stack needs.
func (f Folder) Create() error {
	for _, dir := range []string{f.root, filepath.Join(f.root, "logs"), f.Temporal()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("cannot create state folder: %w", err)
		}
	}
	// The folder holds tokens and may lie in a repository.
	return WriteFile(filepath.Join(f.root, ".gitignore"), []byte("*\n"))
}

// Description is the content of the stack file.
type Description struct {
	Temporal   TemporalDescription  `json:"temporal"`
	Kubeconfig string               `json:"kubeconfig"`
	Clusters   []ClusterDescription `json:"clusters"`
	// PID is the supervisor's process, 0 when the stack is down.
	PID int `json:"pid"`
}

// TemporalDescription says how to reach the Temporal server.
type TemporalDescription struct {
	Address   string `json:"address"`
	Namespace string `json:"namespace"`
	UI        string `json:"ui"`
}

// ClusterDescription says how to reach a cluster and where it logs requests.
type ClusterDescription struct {
	Name     string `json:"name"`
	Server   string `json:"server"`
	AuditLog string `json:"auditLog"`
	Nodes    int    `json:"nodes"`
}

// ReadDescription reads the stack file. It returns fs.ErrNotExist if there is
// none.
func (f Folder) ReadDescription() (Description, error) {
	var d Description
	err := readJSON(f.StackFile(), &d)
	return d, err
}

// WriteDescription replaces the stack file.
func (f Folder) WriteDescription(d Description) error {
	if d.Clusters == nil {
		d.Clusters = []ClusterDescription{}
	}
	return WriteJSON(f.StackFile(), d)
}

// Memory is what a stack remembers from one start to the next.
type Memory struct {
	Shape Shape `json:"shape"`
	Ports Ports `json:"ports"`
	// Slots numbers every cluster that was ever part of the stack.
	Slots map[string]int `json:"slots"`
}

// ReadMemory reads what the stack remembers; known is false for a new stack.
func (f Folder) ReadMemory() (m Memory, known bool, err error) {
	err = readJSON(f.memoryFile(), &m)
	if errors.Is(err, fs.ErrNotExist) {
		return Memory{Slots: map[string]int{}}, false, nil
	}
	if m.Slots == nil {
		m.Slots = map[string]int{}
	}
	return m, err == nil, err
}

// WriteMemory replaces what the stack remembers.
func (f Folder) WriteMemory(m Memory) error { return WriteJSON(f.memoryFile(), m) }

// Assign gives every cluster of the shape a slot, keeping those it has.
func (m *Memory) Assign(clusters []string) ([]int, error) {
	taken := map[int]bool{}
	for _, slot := range m.Slots {
		taken[slot] = true
	}
	slots := make([]int, len(clusters))
	next := 0
	for i, name := range clusters {
		slot, ok := m.Slots[name]
		if !ok {
			for taken[next] {
				next++
			}
			slot = next
			taken[slot], m.Slots[name] = true, slot
		}
		if slot >= MaxClusters {
			return nil, fmt.Errorf("cannot add cluster %q: this folder already holds %d others; use another --dir", name, MaxClusters)
		}
		slots[i] = slot
	}
	return slots, nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read state: %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}

// WriteJSON writes a value to a file that only its owner can read, whole or
// not at all.
func WriteJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", path, err)
	}
	return WriteFile(path, append(data, '\n'))
}

// WriteFile writes a file that only its owner can read, whole or not at all.
func WriteFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
