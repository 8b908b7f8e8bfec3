package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// IsURL reports whether a text names a database and no file.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// shown are the parameters of a URL that say nothing secret.
var shown = []string{
	"application_name", "connect_timeout", "dbname", "host", "port", "search_path", "service", "sslmode", "sslrootcert",
	"target_session_attrs", "user",
}

// Shown is a URL as people may see it: without passwords, and without what may be one.
func Shown(text string) string {
	scheme, _, _ := strings.Cut(text, "://")
	u, err := url.Parse(text)
	if err != nil || astray(u) {
		return scheme + "://..."
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	for key := range query {
		if !slices.Contains(shown, key) {
			query.Del(key)
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// astray reports whether a part of a password may stand where it does not belong, since it has a character that ends one.
func astray(u *url.URL) bool {
	return u.Opaque != "" || u.Fragment != "" || strings.Contains(u.EscapedPath()+u.RawQuery, "@")
}

// The bounds that hold where a URL names no others.
const (
	connectWithin = 10 * time.Second
	lockWithin    = 10 * time.Second // as a file's
	idleWithin    = 30 * time.Second // between two statements of a write: who holds a turn, and is frozen, gives it up
	deadWithin    = 30 * time.Second // a server that does not even acknowledge
)

// parse reads a URL, and the environment where it leaves something out: PGPASSWORD, PGPASSFILE and the like. Its errors have no
// password in them.
func parse(text string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(text)
	if err != nil || astray(u) {
		return nil, errors.New("it is no URL like postgres://USER@HOST:PORT/DATABASE; " +
			"a password with other characters than letters and digits needs them escaped, or goes into PGPASSWORD or a PGPASSFILE")
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		// It begins with the URL, which nothing says of surely enough where the password is.
		said := err.Error()
		if i := strings.LastIndex(said, "`: "); i >= 0 {
			said = said[i+len("`: "):]
		}
		return nil, errors.New(said)
	}
	for name, value := range map[string]string{
		"application_name":                    "sluice",
		"lock_timeout":                        milliseconds(lockWithin),
		"idle_in_transaction_session_timeout": milliseconds(idleWithin),
	} {
		config.RuntimeParams[name] = cmp.Or(config.RuntimeParams[name], value)
	}
	// What is read in a turn is what the one before has left: that needs a view of the database for each statement.
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	if !u.Query().Has("connect_timeout") {
		config.ConnectTimeout = connectWithin
	}
	dialer := &net.Dialer{
		Control:         giveUpTheDead,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadWithin / 3, Interval: deadWithin / 6, Count: 4},
	}
	config.DialFunc = dialer.DialContext
	return config, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// place is where a ledger is, as errors say it.
type place string

// placeOf names the database and each server that may have it.
func placeOf(config *pgx.ConnConfig) place {
	hosts := []string{hostOf(config.Host, config.Port)}
	for _, other := range config.Fallbacks {
		if host := hostOf(other.Host, other.Port); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return place(fmt.Sprintf("postgres://%s/%s", strings.Join(hosts, ","), url.PathEscape(config.Database)))
}

func hostOf(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
