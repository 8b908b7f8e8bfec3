package logscan_test

import (
	"strings"
	"testing"

	"sluice.dev/sluice/internal/logscan"
)

// quoted is a line as it is quoted.
func quoted(t *testing.T, line string) string {
	t.Helper()
	got := scan(t, "panic: "+line+"\n", logscan.Options{})
	if len(got.Groups) != 1 {
		t.Fatalf("%d groups", len(got.Groups))
	}
	if got.Groups[0].Title != got.Groups[0].Quote[0] {
		t.Errorf("the title is %q, the line %q", got.Groups[0].Title, got.Groups[0].Quote[0])
	}
	return strings.TrimPrefix(got.Groups[0].Title, "panic: ")
}

func TestSecretsAreMasked(t *testing.T) {
	for _, c := range []struct{ reason, line, want string }{
		{"a header", "Authorization: Bearer abc.def-123", "Authorization: ***"},
		{"a header in JSON", `{"headers":{"Authorization":["Basic dXNlcjpwYXNz"],"Accept":"x"}}`, `{"headers":{"Authorization":["***"],"Accept":"x"}}`},
		{"a scheme alone", "sent Bearer abcdefgh12345", "sent Bearer ***"},
		{"a cookie", "Cookie: sid=1; b=2", "Cookie: ***"},
		{"a password behind a key", "user=bob password=hunter2 port=1", "user=bob password=*** port=1"},
		{"with spaces, in quotes", `password="hunter 2" port=1`, `password="***" port=1`},
		{"in YAML", "db_password: hunter2", "db_password: ***"},
		{"in JSON", `{"dbPassword": "hun\"ter2", "port": 1}`, `{"dbPassword": "***", "port": 1}`},
		{"in JSON within a text", `"body":"{\"client_secret\":\"abc\",\"a\":1}"`, `"body":"{\"client_secret\":\"***\",\"a\":1}"`},
		{"in a string of Python", "{'api_key': 'abc', 'a': 1}", "{'api_key': '***', 'a': 1}"},
		{"on a command line", "exec tool --db-password hunter2 --port 1", "exec tool --db-password *** --port 1"},
		{"in an address", "dial postgres://bob:hunter2@db:5432/x", "dial postgres://bob:***@db:5432/x"},
		{"in an address without a user", "dial redis://:hunter2@db", "dial redis://:***@db"},
		{"one that has an at sign", "dial amqp://u:p@ss@mq/", "dial amqp://u:***@mq/"},
		{"in a query", "GET /x?access_token=abc&y=1", "GET /x?access_token=***&y=1"},
		{"a signed address", "GET /b?X-Amz-Signature=abc&sig=def", "GET /b?X-Amz-Signature=***&sig=***"},
		{"a JWT", "got eyJhbGciOi.eyJzdWIiOi.c2ln here", "got *** here"},
		{"an AWS key", "key AKIAIOSFODNN7EXAMPLE here", "key *** here"},
		{"a token of GitHub", "push with ghp_abcdefghij0123456789", "push with ***"},
		{"a key on one line", `-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- tail`, "*** tail"},
		{"a key that is cut off", `-----BEGIN RSA PRIVATE KEY-----\nMIIE`, "***"},
		{"what looks drawn", "key wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY here", "key *** here"},

		{"a digest is none", "image a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"image a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"nor is a path", "open /usr/local/share/Sluice2/internal/workload/deployment/driver",
			"open /usr/local/share/Sluice2/internal/workload/deployment/driver"},
		{"nor a name of a pod", "pod node-agent-7d9f8b6c5d-x2k4p-and-more-of-it", "pod node-agent-7d9f8b6c5d-x2k4p-and-more-of-it"},
		{"nor a sentence about one", "password is missing; unexpected tokens: 3", "password is missing; unexpected tokens: 3"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			if got := quoted(t, c.line); got != c.want {
				t.Errorf("%s\nquoted as %s\nwant      %s", c.line, got, c.want)
			}
		})
	}
}

func TestAKeyOverManyLinesIsMasked(t *testing.T) {
	log := "panic: cannot parse\n-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBZ\nabc+/=\n-----END EC PRIVATE KEY-----\n\ngoroutine 1 [running]:\nmain.a()\n\t/a.go:1\n"
	got := scan(t, log, logscan.Options{})
	text := strings.Join(got.Groups[0].Quote, "\n")
	if strings.Contains(text, "MHcC") || strings.Contains(text, "abc+") || !strings.Contains(text, "***") {
		t.Errorf("quoted:\n%s", text)
	}
	if got := scan(t, "-----BEGIN of a poem\npanic: boom\n", logscan.Options{}); got.Counts[logscan.Panic] != 1 {
		t.Error("what only begins like a key hides what follows")
	}
}

func TestNothingThatIsQuotedControlsATerminal(t *testing.T) {
	got := quoted(t, "a\x1b[2Jb\x1b]8;;http://x\x1b\\c\x00d\u202ee\u200bf\xffg\th")
	if got != "abcdef\uFFFDg    h" {
		t.Errorf("%q", got)
	}
	if wide := quoted(t, strings.Repeat("ab ", 5000)); len(wide) > 300 || !strings.HasSuffix(wide, "…") {
		t.Errorf("%d bytes", len(wide))
	}
}

// TestEveryFormOfASecretIsTried: no form is left out for want of a word that a secret of it does without.
func TestEveryFormOfASecretIsTried(t *testing.T) {
	const value = "abcdefghijklmnop1234"
	var lines []string
	for _, name := range []string{
		"passwd", "password", "passphrase", "pwd", "secret", "secret-key", "token", "api_key", "apikey", "access-key", "access_key_id",
		"private-key", "client_secret", "credential", "credentials", "session-id", "sessionid", "signature", "X-Amz-Security-Token",
		"X-Amz-Credential",
	} {
		lines = append(lines, name+"="+value, `"`+name+`": "`+value+`"`, "'"+name+"': '"+value+"'", `\"`+name+`\":\"`+value+`\"`,
			name+`="`+value+`"`, "--"+name+" "+value)
	}
	for _, header := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"} {
		lines = append(lines, header+": "+value)
	}
	for _, prefix := range []string{
		"Bearer ", "Basic ", "ftp://me:", "https://x/?sig=", "eyJabcdef.", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-",
		"xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "ya29.", "npm_", "sk_live_", "rk_live_", "sk_test_", "rk_test_", "hvs.",
		"dop_v1_", "AIza" + value,
	} {
		lines = append(lines, prefix+value+"@")
	}
	for _, prefix := range []string{"AKIA", "ASIA", "ABIA", "ACCA", "AROA", "AIDA"} {
		lines = append(lines, prefix+"ABCDEFGHIJKLMNOP")
	}
	for _, line := range lines {
		got := logscan.Mask(line)
		if strings.Contains(got, value) || !strings.Contains(got, "***") {
			t.Errorf("%s is quoted as %s", line, got)
		}
	}
	for _, name := range []string{"PASSWORD", "Api-Key", "CLIENT_SECRET", "Credentials", "SESSION_ID", "SIGNATURE"} {
		if got := logscan.Mask(name + "=" + value); strings.Contains(got, value) {
			t.Errorf("quoted is %s", got)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	line := strings.Repeat("Readiness probe failed: HTTP probe failed with statuscode 503 ", 10)
	for b.Loop() {
		logscan.Mask(line)
	}
}
