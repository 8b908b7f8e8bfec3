package sqlite

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// magics are the names of file systems by the number that statfs(2) tells; those that golang.org/x/sys has no constant for
// are from the kernel's include/uapi/linux/magic.h or the file system's own sources.
var magics = map[uint32]string{
	unix.V9FS_MAGIC:        "9p",
	unix.AFS_SUPER_MAGIC:   "afs",
	unix.AFS_FS_MAGIC:      "afs",
	0x19830326:             "beegfs",
	unix.CEPH_SUPER_MAGIC:  "ceph",
	unix.CIFS_SUPER_MAGIC:  "cifs",
	unix.CODA_SUPER_MAGIC:  "coda",
	0x01161970:             "gfs2",
	0x47504653:             "gpfs",
	0x0bd00bd0:             "lustre",
	unix.NCP_SUPER_MAGIC:   "ncpfs",
	unix.NFS_SUPER_MAGIC:   "nfs",
	unix.OCFS2_SUPER_MAGIC: "ocfs2",
	0x20030528:             "orangefs",
	unix.SMB_SUPER_MAGIC:   "smb",
	unix.SMB2_SUPER_MAGIC:  "cifs",
	0x786f4256:             "vboxsf",
	unix.FUSE_SUPER_MAGIC:  "fuse",
}

// fileSystem asks the kernel. What stands behind FUSE is told by the list of mounts only.
func fileSystem(path string) (string, error) {
	var at unix.Statfs_t
	if err := unix.Statfs(path, &at); err != nil {
		return "", fmt.Errorf("cannot tell the file system of %s: %w", path, err)
	}
	name := magics[uint32(at.Type)]
	if name != "fuse" {
		return name, nil
	}
	var file unix.Stat_t
	if err := unix.Stat(path, &file); err != nil {
		return "", fmt.Errorf("cannot tell the file system of %s: %w", path, err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("cannot tell the file system of %s: %w", path, err)
	}
	return mountedAs(mounts, unix.Major(file.Dev), unix.Minor(file.Dev)), nil
}

// mountedAs finds a device in the list of mounts, as proc(5) lays it out: "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3
// /dev/root rw,errors=continue".
func mountedAs(mounts []byte, major, minor uint32) string {
	device := fmt.Appendf(nil, "%d:%d", major, minor)
	for line := range bytes.Lines(mounts) {
		mount, kind, ok := bytes.Cut(line, []byte(" - "))
		if fields := bytes.Fields(mount); !ok || len(fields) < 3 || !bytes.Equal(fields[2], device) {
			continue
		}
		if words := bytes.Fields(kind); len(words) > 0 {
			return string(words[0])
		}
	}
	return ""
}
