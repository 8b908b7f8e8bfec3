package logscan

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// masked stands for what is not quoted.
const masked = "***"

// form is a form of secrets, and what is left of it. Expressions as these are slow: one is only tried on a text that has, in small
// letters, any of the words without which it fits nothing.
type form struct {
	words      []string
	expression *regexp.Regexp
	left       string
}

// named are the words of secretNames.
var named = []string{"passw", "passphrase", "pwd", "secret", "token", "key", "credential", "session", "signature"}

// masks are the forms. Their order matters: what a later one would take for a word is gone by then.
var masks = []form{
	// a key on one line, with \n or without
	{[]string{"-----begin"}, regexp.MustCompile(`-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|$)`), masked},
	// Authorization: Bearer abc, "authorization":["Basic abc"], Cookie: a=b
	{[]string{"authorization", "cookie"},
		regexp.MustCompile(`(?i)((?:proxy-)?authorization|(?:set-)?cookie)(\\?["']?\s*[:=]\s*\[?\s*\\?["']?)` +
			`(?:(?:bearer|basic|digest|negotiate|token|aws4-hmac-sha256)\s+)?[^"'\]\\]+`), "$1$2" + masked},
	{[]string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}`), "$1 " + masked},
	// a user's password in an address
	{[]string{"://"}, regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/?#@]*:)[^\s/?#]*@`), "$1" + masked + "@"},
	// "password": "abc", {"client_secret":"a\"b"}, also within a text in JSON
	{named, regexp.MustCompile(`(?i)(` + secretNames + `)(\\?["']\s*[:=]\s*)"(?:[^"\\]|\\.)*("|$)`), "$1$2\"" + masked + "\""},
	{named, regexp.MustCompile(`(?i)(` + secretNames + `)(\\?["']?\s*[:=]\s*)'[^']*('|$)`), "$1$2'" + masked + "'"},
	{named,
		regexp.MustCompile(`(?i)(` + secretNames + `)(\\["']\s*[:=]\s*)\\"(?:[^"\\]|\\[^"])*(\\"|$)`), "$1$2\\\"" + masked + "\\\""},
	// password="a b"
	{named, regexp.MustCompile(`(?i)(` + secretNames + `)(\s*[:=]\s*)"(?:[^"\\]|\\.)*("|$)`), "$1$2\"" + masked + "\""},
	// password=abc, password: abc, --token abc, ?access_token=abc&
	{named, regexp.MustCompile(`(?i)(` + secretNames + `)(["']?\s*[:=]\s*)[^\s"'&,;})\]]+`), "$1$2" + masked},
	{named, regexp.MustCompile(`(?i)(--?[a-z-]*(?:` + secretNames + `))\s+[^\s-][^\s]*`), "$1 " + masked},
	{[]string{"sig="}, regexp.MustCompile(`([?&]sig=)[^\s&"']+`), "$1" + masked},
	// tokens that show what they are: JWT, AWS, GitHub, GitLab, Slack, Google, Stripe, npm
	{[]string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*)?`), masked},
	{[]string{"akia", "asia", "abia", "acca", "aroa", "aida"},
		regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}\b`), masked},
	{[]string{
		"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "ya29.", "npm_",
		"k_live_", "k_test_", "hvs.", "dop_v1_",
	},
		regexp.MustCompile(`\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|ya29\.|npm_|[sr]k_(?:live|test)_|hvs\.|dop_v1_)` +
			`[A-Za-z0-9._-]{8,}`), masked},
	{[]string{"aiza"}, regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{30,}`), masked},
}

// secretNames are the ends of names whose values are secret.
const secretNames = `passw(?:or)?d|passwd|passphrase|pwd|secret|secret[-_]?key|token|api[-_]?key|access[-_]?key(?:[-_]?id)?|` +
	`private[-_]?key|client[-_]?secret|credentials?|session[-_]?id|signature|x-amz-(?:security-token|credential)`

// run is a text as long as a key, without a space.
var run = regexp.MustCompile(`[A-Za-z0-9+/_-]{32,}={0,2}`)

// Mask is a text without the secrets that it shows. Keys and certificates may be on many lines of it.
func Mask(text string) string {
	if !strings.Contains(text, "\n") {
		return mask(text)
	}
	lines := strings.Split(text, "\n")
	within := false
	for i, line := range lines {
		begins, ends := pemEdges(line)
		switch {
		case within && ends:
			lines[i] = masked
			within = begins
		case within && pemBody.MatchString(line):
			lines[i] = masked
		default: // one that was cut off ends with the first line that is none of it
			lines[i] = mask(line)
			within = begins
		}
	}
	return strings.Join(lines, "\n")
}

// mask is a line without the secrets that it shows.
func mask(text string) string {
	small := strings.ToLower(text)
	for _, m := range masks {
		if slices.ContainsFunc(m.words, func(word string) bool { return strings.Contains(small, word) }) {
			text = m.expression.ReplaceAllString(text, m.left)
		}
	}
	return run.ReplaceAllStringFunc(text, func(found string) string {
		if random(found) {
			return masked
		}
		return found
	})
}

// random reports whether a long text looks drawn rather than written: letters of both cases and digits in a part of it that no
// slash or hyphen divides. Names, paths and digests are not masked.
func random(text string) bool {
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '/' || r == '-' || r == '_' }) {
		upper := strings.IndexFunc(part, unicode.IsUpper) >= 0
		lower := strings.IndexFunc(part, unicode.IsLower) >= 0
		number := strings.IndexFunc(part, unicode.IsDigit) >= 0
		if len(part) >= 20 && upper && lower && number {
			return true
		}
	}
	return false
}

// pemBody is a line within a PEM block.
var pemBody = regexp.MustCompile(`^\s*[A-Za-z0-9+/=]+\s*$`)

// pemEdges reports whether a line begins a PEM block that goes on behind it, and whether it ends one.
func pemEdges(text string) (begins, ends bool) {
	begin, end := strings.LastIndex(text, "-----BEGIN "), strings.LastIndex(text, "-----END ")
	return begin > end, end >= 0
}
