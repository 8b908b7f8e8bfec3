package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

var scriptName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// allowedScripts reads the executables that checks may run on a worker, NAME=PATH each.
func allowedScripts(given []string) (map[string]string, error) {
	scripts := map[string]string{}
	for _, text := range given {
		name, path, _ := strings.Cut(text, "=")
		info, err := os.Stat(path)
		switch _, twice := scripts[name]; {
		case !scriptName.MatchString(name):
			return nil, fault.New(fault.Invalid, "cannot allow script %q: NAME=PATH is wanted, NAME as in metadata.name", text)
		case twice:
			return nil, fault.New(fault.Invalid, "cannot allow script %s: it is given twice", name)
		case !filepath.IsAbs(path):
			return nil, fault.New(fault.Invalid, "cannot allow script %s: its path %q must begin with /", name, path)
		case err != nil:
			return nil, fault.Wrap(fault.Invalid, err, "cannot allow script %s", name)
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			return nil, fault.New(fault.Invalid, "cannot allow script %s: %s is no executable", name, path)
		}
		scripts[name] = path
	}
	return scripts, nil
}
