package stack

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func openFolder(t *testing.T, name string) Folder {
	t.Helper()
	f, err := Open(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Create(); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLockHasOneHolder(t *testing.T) {
	f := openFolder(t, "s")
	if pid, err := f.Holder(); pid != 0 || err != nil {
		t.Errorf("nobody's lock is held by %d, %v", pid, err)
	}
	lock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock gives %v", err)
	}
	if pid, err := f.Holder(); pid != os.Getpid() || err != nil {
		t.Errorf("our lock is held by %d, %v", pid, err)
	}
	lock.Release()
	if pid, err := f.Holder(); pid != 0 || err != nil {
		t.Errorf("a released lock is held by %d, %v", pid, err)
	}
}

func TestPurgeSparesForeignFolders(t *testing.T) {
	foreign := openFolder(t, "home")
	if _, err := foreign.Purge(); err == nil {
		t.Error("a folder without a stack file was purged")
	}
	if err := WriteJSON(foreign.StackFile(), map[string]any{"kubeconfig": "/elsewhere"}); err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Purge(); err == nil {
		t.Error("a folder with another's stack file was purged")
	}
	if _, err := os.Stat(foreign.Root()); err != nil {
		t.Fatal(err)
	}

	named := openFolder(t, DefaultFolder)
	own := openFolder(t, "other")
	if err := own.WriteDescription(Description{Kubeconfig: own.Kubeconfig()}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []Folder{named, own} {
		if removed, err := f.Purge(); !removed || err != nil {
			t.Errorf("purge of %s: %v, %v", f.Root(), removed, err)
		}
		if removed, err := f.Purge(); removed || err != nil {
			t.Errorf("second purge of %s: %v, %v", f.Root(), removed, err)
		}
	}
}

func TestAssignKeepsSlots(t *testing.T) {
	m := Memory{Slots: map[string]int{"b": 0, "gone": 2}}
	slots, err := m.Assign([]string{"a", "b", "c"})
	if err != nil || !slices.Equal(slots, []int{1, 0, 3}) {
		t.Errorf("slots %v, %v; want what is known to stay and the rest to fill gaps", slots, err)
	}
	if _, err := m.Assign(DefaultNames(MaxClusters)); err == nil {
		t.Error("more clusters than slots were assigned")
	}
}

func TestMemorySurvives(t *testing.T) {
	f := openFolder(t, "s")
	if _, known, err := f.ReadMemory(); known || err != nil {
		t.Errorf("a new folder remembers: %v, %v", known, err)
	}
	want := Memory{Shape: Shape{Clusters: []string{"a"}, Nodes: 3, Pools: []Pool{{"canary", 1}}}, Ports: Ports{Base: 20480}, Slots: map[string]int{"a": 0}}
	if err := f.WriteMemory(want); err != nil {
		t.Fatal(err)
	}
	got, known, err := f.ReadMemory()
	if !known || err != nil || !got.Shape.Equal(want.Shape) || got.Ports != want.Ports || got.Slots["a"] != 0 {
		t.Errorf("remembered %+v, %v, %v", got, known, err)
	}
	if err := os.WriteFile(f.memoryFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.ReadMemory(); err == nil {
		t.Error("a broken file was read")
	}
}
