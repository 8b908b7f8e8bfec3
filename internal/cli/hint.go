package cli

import (
	"strings"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger/postgres"
)

// program is how this program was called, with the flags that say which ledger and server are meant: a hint that is pasted
// speaks of the same, and says no password.
func (f *Factory) program() string {
	words := []string{"sluice"}
	kept := f.Ledger
	if postgres.IsURL(kept) {
		kept = postgres.Shown(kept)
	}
	for _, flag := range []struct{ name, value string }{
		{"--server", f.Server}, {"--context", f.Context},
		{"--ledger", kept}, {"--dir", f.Dir}, {"--address", f.Address}, {"--namespace", f.Namespace},
	} {
		if flag.value != "" {
			words = append(words, flag.name, quoted(flag.value))
		}
	}
	return strings.Join(words, " ")
}

// quoted writes a word so that a shell takes it for one.
func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,=@%+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// next says how a plan that was just made is started, or what comes before that.
func (f *Factory) next(p *engine.Planned) string {
	if idle := p.Idle(); idle != nil {
		return idle.Message + ": " + f.program() + " run " + p.Hash[:12] + " --anyway"
	}
	start := "start it with: " + f.program() + " run " + p.Hash[:12]
	if len(p.Plan.Bypasses) > 0 && p.Plan.BypassReason() == "" {
		start += " --reason 'why the stages before it are passed by'"
	}
	if len(p.Busy) == 0 {
		return start
	}
	return "plan again when " + p.Busy[0].Run + " has ended; how far that is: " + f.program() + " get " + p.Busy[0].Run
}
