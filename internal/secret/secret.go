// Package secret reads secrets that were put where a worker finds them: in environment variables of one prefix, or in files below
// one folder. Documents name them; nothing else of a machine can be named, and no secret is ever part of an error.
package secret

import (
	"errors"
	"io"
	"os"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Prefix is how the environment variables begin that may be read.
const Prefix = "SLUICE_SECRET_"

// maxBytes bounds a secret: the certificates of a whole company are smaller.
const maxBytes = 1 << 20

// Store is where secrets are. The zero value has none.
type Store struct {
	Folder string                                    // of files; "" has none
	Lookup func(name string) (value string, ok bool) // of environment variables; nil has none
}

// Environment is the store of this process: its environment, and the folder that SLUICE_SECRETS names, by default
// /etc/sluice/secrets.
func Environment() Store {
	folder := os.Getenv("SLUICE_SECRETS")
	if folder == "" {
		folder = "/etc/sluice/secrets"
	}
	return Store{Folder: folder, Lookup: os.LookupEnv}
}

// Read returns a secret without the white space around it. One that is not there, or empty, is fault.NotFound; a name outside of the
// store is fault.Refused.
func (s Store) Read(from pipelines.WorkerSecret) (string, error) {
	if from.Env != "" {
		return s.variable(from.Env)
	}
	return s.file(from.File)
}

func (s Store) variable(name string) (string, error) {
	if !strings.HasPrefix(name, Prefix) {
		return "", fault.New(fault.Refused, "cannot read secret from environment variable %s: its name does not begin with %s", name, Prefix)
	}
	if s.Lookup == nil {
		return "", fault.New(fault.NotFound, "cannot read secret from environment variable %s: there are none here", name)
	}
	value, _ := s.Lookup(name)
	if value = strings.TrimSpace(value); value == "" {
		return "", fault.New(fault.NotFound, "cannot read secret from environment variable %s: it is not set here", name)
	}
	return value, nil
}

func (s Store) file(name string) (string, error) {
	if s.Folder == "" {
		return "", fault.New(fault.NotFound, "cannot read secret from file %s: there is no folder of secrets here", name)
	}
	folder, err := os.OpenRoot(s.Folder)
	if err != nil {
		return "", fault.New(fault.NotFound, "cannot read secret from file %s: cannot open folder %s", name, s.Folder)
	}
	defer folder.Close()
	file, err := folder.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return "", fault.New(fault.NotFound, "cannot read secret from file %s: it is not in %s", name, s.Folder)
	}
	if err != nil {
		return "", fault.Wrap(fault.Refused, err, "cannot read secret from file %s", name)
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	text := strings.TrimSpace(string(body))
	switch {
	case err != nil:
		return "", fault.Wrap(fault.Refused, err, "cannot read secret from file %s", name)
	case len(body) > maxBytes:
		return "", fault.New(fault.Invalid, "cannot read secret from file %s: it is larger than a megabyte", name)
	case text == "":
		return "", fault.New(fault.NotFound, "cannot read secret from file %s: it is empty", name)
	}
	return text, nil
}
