package authn

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Bounds on a configuration.
const (
	maxConfig    = 1 << 20 // bytes
	maxIssuers   = 20
	maxAudiences = 20
	defaultSkew  = time.Minute
	maxSkew      = 5 * time.Minute
)

// Config is whose word is taken for who somebody is.
type Config struct {
	Issuers   []Issuer            `json:"issuers,omitempty"`
	ClientCAs []ClientCA          `json:"clientCAs,omitempty"`
	ClockSkew *pipelines.Duration `json:"clockSkew,omitempty"` // how far clocks may be apart: 0s to 5m, default 1m
}

// IssuerKind says whom an issuer vouches for.
type IssuerKind string

// The kinds of issuers.
const (
	People IssuerKind = "people"
	Jobs   IssuerKind = "jobs" // of a build system
)

// Issuer signs OIDC tokens.
type Issuer struct {
	Name      string     `json:"name"` // begins the names of its subjects
	URL       string     `json:"url"`  // as in its tokens; https, but for a loopback address
	Audiences []string   `json:"audiences"`
	Kind      IssuerKind `json:"kind"`
	// the claim that names each subject. Default for people: email, which the issuer has to have verified; for jobs: sub
	SubjectClaim string `json:"subjectClaim,omitempty"`
	ClientID     string `json:"clientID,omitempty"` // with which people log in from a command line
	CAFile       string `json:"caFile,omitempty"`   // certificates that its own is verified by, where the system has them not
}

// ClientCA signs certificates of machines.
type ClientCA struct {
	Name string `json:"name"` // begins the names of its machines
	File string `json:"file"` // certificates, in PEM
}

// reserved are names of issuers that Sluice has itself.
func reserved() []string { return []string{serviceIssuer, "sluice", "source"} }

var issuerName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// Load reads a configuration from YAML or JSON, and checks it. What it does not know is fault.Invalid.
func Load(data []byte) (Config, error) {
	if len(data) > maxConfig {
		return Config{}, fault.New(fault.Invalid, "cannot read configuration: it has %d bytes, at most %d are read", len(data), maxConfig)
	}
	var c Config
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		return Config{}, fault.Wrap(fault.Invalid, err, "cannot read configuration")
	}
	return c, c.Check()
}

// Check is fault.Invalid for a configuration by which two issuers could name one subject, or one could be imitated.
func (c *Config) Check() error {
	if len(c.Issuers) > maxIssuers || len(c.ClientCAs) > maxIssuers {
		return fault.New(fault.Invalid, "cannot use configuration: it has more than %d issuers", maxIssuers)
	}
	if c.ClockSkew != nil && (c.ClockSkew.Std() < 0 || c.ClockSkew.Std() > maxSkew) {
		return fault.New(fault.Invalid, "cannot use configuration: clockSkew is 0s to %s, not %s", pipelines.Duration(maxSkew), c.ClockSkew)
	}
	names := reserved()
	take := func(name string) error {
		if !issuerName.MatchString(name) {
			return fault.New(fault.Invalid, "cannot use issuer %q: its name is lower-case letters, digits and dashes, at most 63", name)
		}
		if slices.Contains(names, name) {
			return fault.New(fault.Invalid, "cannot use issuer %s: the name is taken, and two would name one subject", name)
		}
		names = append(names, name)
		return nil
	}
	for i, issuer := range c.Issuers {
		if err := take(issuer.Name); err != nil {
			return err
		}
		if err := issuer.check(c.Issuers[:i]); err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot use issuer %s", issuer.Name)
		}
	}
	for _, ca := range c.ClientCAs {
		if err := take(ca.Name); err != nil {
			return err
		}
		if ca.File == "" {
			return fault.New(fault.Invalid, "cannot use client CA %s: it names no file", ca.Name)
		}
	}
	return nil
}

func (i *Issuer) check(before []Issuer) error {
	if err := secure(i.URL); err != nil {
		return err
	}
	if i.Kind != People && i.Kind != Jobs {
		return fault.New(fault.Invalid, "its kind is people or jobs, not %q", i.Kind)
	}
	if len(i.Audiences) == 0 || len(i.Audiences) > maxAudiences || slices.Contains(i.Audiences, "") {
		return fault.New(fault.Invalid, "it needs 1 to %d audiences: a token that is meant for another service must not be taken", maxAudiences)
	}
	if i.ClientID != "" && !slices.Contains(i.Audiences, i.ClientID) {
		return fault.New(fault.Invalid, "tokens of whoever logs in are meant for its clientID %s: that has to be among the audiences", i.ClientID)
	}
	for _, other := range before {
		if other.URL != i.URL {
			continue
		}
		for _, a := range i.Audiences {
			if slices.Contains(other.Audiences, a) {
				return fault.New(fault.Invalid, "issuer %s has its address and audience %s already", other.Name, a)
			}
		}
	}
	return nil
}

func (c *Config) skew() time.Duration {
	if c.ClockSkew == nil {
		return defaultSkew
	}
	return c.ClockSkew.Std()
}

// secure is fault.Invalid for an address where somebody on the way could give other keys.
func secure(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return fault.New(fault.Invalid, "its url is no address such as https://issuer.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fault.New(fault.Invalid, "its url has a user, a query or a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fault.New(fault.Invalid, "its url has to be https: only this machine itself may be asked by another scheme")
}

func loopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
