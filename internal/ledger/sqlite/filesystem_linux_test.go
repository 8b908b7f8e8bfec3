package sqlite

import "testing"

func TestTheFileSystemOfThisMachineIsKnown(t *testing.T) {
	if _, err := fileSystem(t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, err := fileSystem("/not/there"); err == nil {
		t.Error("a path that is not there is on a file system")
	}
}

func TestWhatStandsBehindFUSEIsReadFromTheListOfMounts(t *testing.T) {
	mounts := []byte("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
		"36 22 0:45 / /mnt/far\\040away rw,nosuid master:1 - fuse.sshfs ops@far:/srv rw\n" +
		"37 22 0:46 / /mnt/cut\n")
	for _, c := range []struct {
		minor  uint32
		want   string
		reason string
	}{
		{45, "fuse.sshfs", "a device of the list has its type behind the dash"},
		{46, "", "a line that is cut off says nothing"},
		{4, "", "a number that begins another one is another device"},
	} {
		if got := mountedAs(mounts, 0, c.minor); got != c.want {
			t.Errorf("0:%d is %q, not %q: %s", c.minor, got, c.want, c.reason)
		}
	}
}
