package sqlite

import (
	"slices"

	"sluice.dev/sluice/internal/fault"
)

// networked are file systems that several machines can see at once, by the names that the kernel calls them. SQLite's
// write-ahead log shares memory between the processes that have the file open: on these, two machines each see their own, and
// what one writes the other overwrites.
var networked = []string{
	"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "ocfs2", "orangefs", "smb", "vboxsf",
	"virtiofs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs", "fuse.mfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
}

// typeOf returns the name of the file system that a path is on; "" where that cannot be known.
type typeOf func(path string) (string, error)

// onOneMachine refuses a path on a file system that another machine may have mounted too.
func onOneMachine(path string, of typeOf) error {
	name, err := of(path)
	if err != nil {
		return err
	}
	if !slices.Contains(networked, name) {
		return nil
	}
	return fault.New(fault.Invalid,
		"it is on a network file system (%s), where SQLite loses what is written; name a file on a disk of this machine", name)
}
