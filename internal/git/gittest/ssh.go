package gittest

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSH is a server that serves the same repositories over ssh, to one key.
type SSH struct {
	Address    string // ssh://git@HOST:PORT
	KnownHosts string // a line with its key
}

// OverSSH serves the repositories over ssh too, to whoever has a key. It ends with the test.
func (s *Server) OverSSH(may ssh.PublicKey) SSH {
	s.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	host, err := ssh.NewSignerFromKey(private)
	if err != nil {
		s.t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) == string(may.Marshal()) {
			return &ssh.Permissions{}, nil
		}
		return nil, io.ErrUnexpectedEOF
	}}
	config.AddHostKey(host)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.shell(conn, config)
		}
	}()
	at := listener.Addr().String()
	return SSH{"ssh://git@" + at, knownhosts.Line([]string{at}, host.PublicKey())}
}

// shell runs what is asked for over a connection: git-upload-pack of a repository, and nothing else.
func (s *Server) shell(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		channel, requests, err := offered.Accept()
		if err != nil {
			return
		}
		for req := range requests {
			name, isIt := strings.CutPrefix(string(req.Payload[min(4, len(req.Payload)):]), "git-upload-pack '/")
			if req.Type != "exec" || !isIt {
				_ = req.Reply(false, nil)
				continue
			}
			_ = req.Reply(true, nil)
			cmd := exec.Command("git", "upload-pack", filepath.Join(s.dir, filepath.Base(strings.TrimSuffix(name, "'"))))
			cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
			status := struct{ Code uint32 }{128}
			if in, err := cmd.StdinPipe(); err == nil {
				go func() {
					_, _ = io.Copy(in, channel)
					_ = in.Close()
				}()
				if cmd.Run() == nil {
					status.Code = 0
				}
			}
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
			_ = channel.Close()
		}
	}
}
