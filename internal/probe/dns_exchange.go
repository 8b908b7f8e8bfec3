package probe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"sluice.dev/sluice/internal/api"
)

const (
	resolvConf = "/etc/resolv.conf"
	// datagram is how long an answer over UDP may be: what passes every network whole.
	datagram = 1232
	// sends is how often a question is sent over UDP, each time to the next server.
	sends = 3
)

// resolvers are the name servers of a resolv.conf, as host:port. A machine without any asks itself, as resolvers do.
func resolvers(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, senseless("cannot tell the resolvers of this machine: %w", err)
	}
	var all []string
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) >= 2 && words[0] == "nameserver" {
			all = append(all, net.JoinHostPort(words[1], "53"))
		}
	}
	if len(all) == 0 {
		return []string{"127.0.0.1:53"}, nil
	}
	return all, nil
}

// exchange asks servers in turn until one answers.
func (a *attempt) exchange(ctx context.Context, servers []string, q dnsmessage.Question, tcp bool, within time.Duration) (
	answer *dnsmessage.Message, err error,
) {
	for i := range sends {
		server := servers[i%len(servers)]
		network := "udp"
		if tcp {
			network = "tcp"
		}
		answer, err = a.send(ctx, network, server, q, within/sends)
		if err == nil && answer.Truncated && !tcp {
			answer, err = a.send(ctx, "tcp", server, q, within)
		}
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		var known *end
		if errors.As(err, &known) && known.layer == Question {
			return nil, err
		}
	}
	return nil, err
}

// send asks one server once, for so long.
func (a *attempt) send(ctx context.Context, network, server string, q dnsmessage.Question, patience time.Duration) (
	*dnsmessage.Message, error,
) {
	conn, err := a.dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(patient, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	id := uint16(rand.Uint32())
	packed, err := packed(id, q)
	if err != nil {
		return nil, senseless("cannot ask for %s: %w", q.Name, err)
	}
	if network == "tcp" {
		packed = append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	}
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	if network == "tcp" {
		return receive(conn, id, q, func() ([]byte, error) { return framed(conn) })
	}
	buffer := make([]byte, 64<<10)
	return receive(conn, id, q, func() ([]byte, error) {
		n, err := conn.Read(buffer)
		return buffer[:n], err
	})
}

// packed is a question as it travels.
func packed(id uint16, q dnsmessage.Question) ([]byte, error) {
	var options dnsmessage.ResourceHeader
	if err := options.SetEDNS0(datagram, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	message := dnsmessage.Message{
		Header:      dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions:   []dnsmessage.Question{q},
		Additionals: []dnsmessage.Resource{{Header: options, Body: &dnsmessage.OPTResource{}}},
	}
	return message.Pack()
}

// framed reads a message of a stream.
func framed(conn io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, message)
	return message, err
}

// receive reads until the answer to a question is there. Others, late ones and forged ones, are passed over.
func receive(conn net.Conn, id uint16, q dnsmessage.Question, read func() ([]byte, error)) (*dnsmessage.Message, error) {
	for {
		text, err := read()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, failed(Reply, "%s closed the connection", conn.RemoteAddr())
		}
		if err != nil {
			return nil, unanswered(conn, err)
		}
		var answer dnsmessage.Message
		if err := answer.Unpack(text); err != nil {
			if _, udp := conn.(*net.UDPConn); udp {
				continue
			}
			return nil, failed(Reply, "%s answered what is no DNS: %w", conn.RemoteAddr(), err)
		}
		if answer.ID == id && answer.Response && len(answer.Questions) == 1 && same(answer.Questions[0], q) {
			return &answer, nil
		}
	}
}

// unanswered is why no answer was read. That nobody listens is told over UDP when the answer is waited for.
func unanswered(conn net.Conn, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(Connect, "cannot connect to %s: %w", conn.RemoteAddr(), syscall.ECONNREFUSED)
	case isTimeout(err):
		return &end{Reply, api.Failed, fmt.Errorf("no answer from %s", conn.RemoteAddr()), true}
	}
	return err
}

func same(a, b dnsmessage.Question) bool {
	return a.Type == b.Type && a.Class == b.Class && strings.EqualFold(a.Name.String(), b.Name.String())
}
