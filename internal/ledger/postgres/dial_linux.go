package postgres

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not name.
const tcpUserTimeout = 0x12

// giveUpTheDead bounds how long what was sent may stay without an acknowledgement: else that is a quarter of an hour.
func giveUpTheDead(network, _ string, conn syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return nil
	}
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(deadWithin.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
