package authn

import (
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"os"
	"strings"
	"time"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/fault"
)

// Machines makes subjects of client certificates. It is safe for concurrent use.
type Machines struct {
	cas  []authority
	pool *x509.CertPool
	now  func() time.Time
}

// authority is a CA by the name that the configuration gives it.
type authority struct {
	name         string
	certificates []*x509.Certificate
}

// NewMachines reads the certificates of CAs. It is fault.Invalid for a file that has none, or one that may sign no other, or that another
// CA has already: whose machine it were nobody could tell.
func NewMachines(cas []ClientCA, now func() time.Time) (*Machines, error) {
	m := &Machines{pool: x509.NewCertPool(), now: now}
	for _, of := range cas {
		data, err := os.ReadFile(of.File)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read client CA %s", of.Name)
		}
		certificates, err := parse(data)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read client CA %s from %s", of.Name, of.File)
		}
		for _, c := range certificates {
			if m.authority(c) != "" {
				return nil, fault.New(fault.Invalid, "cannot use client CA %s: %s has a certificate of it already", of.Name, m.authority(c))
			}
			m.pool.AddCert(c)
		}
		m.cas = append(m.cas, authority{of.Name, certificates})
	}
	return m, nil
}

// parse reads certificates of CAs, at least one.
func parse(data []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fault.New(fault.Invalid, "there is a %s among the certificates", strings.ToLower(block.Type))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if !c.IsCA {
			return nil, fault.New(fault.Invalid, "a certificate in it may sign no other")
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "there is no certificate in it")
	}
	return all, nil
}

// Pool is what a server verifies client certificates by. The pool is not to be changed.
func (m *Machines) Pool() *x509.CertPool { return m.pool }

// Subject names the machine of a certificate whose chains TLS has verified by Pool: by its SPIFFE id, or else its common name. An error
// is a *Refusal. Chains that nobody verified must not come here.
func (m *Machines) Subject(verified [][]*x509.Certificate) (access.Subject, error) {
	issuer, leaf := "", (*x509.Certificate)(nil)
	for _, chain := range verified {
		if len(chain) == 0 {
			continue
		}
		name := m.authority(chain[len(chain)-1])
		switch {
		case name == "":
			return access.Subject{}, refuse("its certificate is of a CA that the configuration has not")
		case issuer != "" && name != issuer:
			return access.Subject{}, refuse("its certificate is of two CAs, " + issuer + " and " + name)
		}
		issuer, leaf = name, chain[0]
		for _, c := range chain {
			if now := m.now(); now.After(c.NotAfter) || now.Before(c.NotBefore) {
				return access.Subject{}, refuse("its certificate, or one that it is signed by, does not count now")
			}
		}
	}
	if issuer == "" {
		return access.Subject{}, refuse("there is no verified certificate")
	}
	name, claims, why := machine(leaf)
	if why != "" {
		return access.Subject{}, refuse("of CA " + issuer + ": " + why)
	}
	claims["not_after"], claims["serial"] = leaf.NotAfter.Unix(), leaf.SerialNumber.Text(16)
	s, err := access.NewSubject(access.Machine, issuer, name, claims)
	if err != nil {
		return access.Subject{}, refuse(err.Error())
	}
	return s, nil
}

func (m *Machines) authority(of *x509.Certificate) string {
	for _, a := range m.cas {
		for _, c := range a.certificates {
			if c.Equal(of) {
				return a.name
			}
		}
	}
	return ""
}

// machine is the name in a certificate, with what else it says, or why it names none.
func machine(c *x509.Certificate) (name string, claims map[string]any, why string) {
	common := c.Subject.CommonName
	switch {
	case c.IsCA:
		return "", nil, "its certificate is a CA's own"
	case len(c.URIs) > 1:
		return "", nil, "its certificate has more than one URI"
	case len(c.URIs) == 1:
		id := c.URIs[0]
		if !spiffe(id) {
			return "", nil, "the URI of its certificate is no SPIFFE id"
		}
		return id.String(), map[string]any{"spiffe_id": id.String(), "trust_domain": id.Host, "path": id.Path}, ""
	case common == "":
		return "", nil, "its certificate has no name"
	case strings.Contains(common, "://"):
		return "", nil, "the common name of its certificate looks like a URI"
	}
	return common, map[string]any{
		"common_name": common, "organization": list(c.Subject.Organization), "organizational_unit": list(c.Subject.OrganizationalUnit),
	}, ""
}

func spiffe(id *url.URL) bool {
	return id.Scheme == "spiffe" && id.Host != "" && id.Port() == "" && id.User == nil && id.RawQuery == "" && id.Fragment == "" &&
		strings.Trim(id.Path, "/") != ""
}

func list(texts []string) []any {
	all := make([]any, 0, len(texts))
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}
