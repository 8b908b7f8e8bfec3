package probe_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what a name server of a test knows: records by "name TYPE". Names that begin with servfail it fails for, those that begin
// with lost it says nothing about, those that begin with forged it answers wrong before it answers, and those that begin with long
// it answers in part only, over UDP.
type zone map[string][]string

// names starts a name server, over UDP and TCP, and returns its address.
func names(t *testing.T, z zone) string {
	t.Helper()
	l := listener(t)
	address := l.Addr().String()
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() })
	go z.serveUDP(udp)
	go z.serveTCP(l)
	return address
}

func (z zone) serveUDP(conn net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		for _, answer := range z.answers(buffer[:n], true) {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func (z zone) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err == nil {
			question := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, question); err == nil {
				for _, answer := range z.answers(question, false) {
					_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
				}
			}
		}
		_ = conn.Close()
	}
}

func (z zone) answers(text []byte, udp bool) (all [][]byte) {
	var m dnsmessage.Message
	if m.Unpack(text) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.TrimSuffix(q.Name.String(), ".")
	m.Response, m.Additionals = true, nil
	records, known := z[name+" "+strings.TrimPrefix(q.Type.String(), "Type")]
	switch {
	case strings.HasPrefix(name, "lost"):
		return nil
	case strings.HasPrefix(name, "servfail"):
		m.RCode = dnsmessage.RCodeServerFailure
	case strings.HasPrefix(name, "long") && udp:
		m.Truncated, records = true, nil
	case strings.HasPrefix(name, "forged"):
		forged := m
		forged.ID++
		forged.RCode = dnsmessage.RCodeNameError
		all = append(all, packed(forged), []byte("noise"))
	case !known && !z.has(name):
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, r := range records {
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: record(q.Type, r)})
	}
	return append(all, packed(m))
}

func (z zone) has(name string) bool {
	for key := range z {
		if strings.HasPrefix(key, name+" ") {
			return true
		}
	}
	return false
}

func packed(m dnsmessage.Message) []byte {
	text, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return text
}

func record(kind dnsmessage.Type, text string) dnsmessage.ResourceBody {
	name := func(s string) dnsmessage.Name { return dnsmessage.MustNewName(s + ".") }
	switch kind {
	case dnsmessage.TypeA:
		return &dnsmessage.AResource{A: netip.MustParseAddr(text).As4()}
	case dnsmessage.TypeAAAA:
		return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(text).As16()}
	case dnsmessage.TypeCNAME:
		return &dnsmessage.CNAMEResource{CNAME: name(text)}
	case dnsmessage.TypePTR:
		return &dnsmessage.PTRResource{PTR: name(text)}
	case dnsmessage.TypeNS:
		return &dnsmessage.NSResource{NS: name(text)}
	case dnsmessage.TypeMX:
		return &dnsmessage.MXResource{Pref: 10, MX: name(text)}
	case dnsmessage.TypeSRV:
		return &dnsmessage.SRVResource{Weight: 5, Port: 8443, Target: name(text)}
	}
	half := len(text) / 2
	return &dnsmessage.TXTResource{TXT: []string{text[:half], text[half:]}}
}
