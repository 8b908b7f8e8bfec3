package postgrestest

import "syscall"

// attributes run the server as somebody else where that is asked for, and end it at once when the test's process is gone.
func attributes(as *account) *syscall.SysProcAttr {
	is := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if as != nil {
		is.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	return is
}
