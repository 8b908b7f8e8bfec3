package ci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// DefaultTokenVariable is the variable in which a job of GitLab has its token, where nothing else is said.
const DefaultTokenVariable = "SLUICE_ID_TOKEN"

// Tokens are the tokens by which the build system vouches for the job. It is safe for use by several goroutines.
type Tokens struct {
	Job      Job
	Variable string       // that a job of GitLab has its token in; default DefaultTokenVariable
	HTTP     *http.Client // default: one of its own
	Now      func() time.Time

	mu    sync.Mutex
	known map[string]token // by audience
}

type token struct {
	text  string
	until time.Time
}

// Bounds of what a build system answers with.
const (
	maxAnswer = 1 << 20
	maxToken  = 32 << 10
	spare     = time.Minute // before a token is over, another one is asked for
	askWithin = 15 * time.Second
)

// Token is a token for an audience that counts for a while. It is fault.Unauthorized where the job has none, and says why that may be;
// "" where there is no build system that could vouch for anybody.
func (t *Tokens) Token(ctx context.Context, audience string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.known[audience]; ok && t.Now().Add(spare).Before(known.until) {
		return known.text, nil
	}
	var text string
	var err error
	switch t.Job.System {
	case None:
		return "", nil
	case GitHub:
		text, err = t.ofGitHub(ctx, audience)
	case GitLab:
		text, err = t.ofGitLab(audience)
	}
	if err != nil {
		return "", err
	}
	until, err := untilWhen(text)
	if err != nil {
		return "", fault.New(fault.Unauthorized, "cannot use the token of the job that %s gave: %v", t.Job.System, err)
	}
	if !t.Now().Before(until) {
		return "", fault.New(fault.Unauthorized, "the token of the job is over since %s: give the job a longer timeout, "+
			"by which %s says how long it counts", until.UTC().Format(time.RFC3339), t.Job.System)
	}
	if t.known == nil {
		t.known = map[string]token{}
	}
	t.known[audience] = token{text, until}
	return text, nil
}

func (t *Tokens) ofGitHub(ctx context.Context, audience string) (string, error) {
	address, bearer := t.Job.getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), t.Job.getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || bearer == "" {
		return "", t.none("give it `permissions: {id-token: write, contents: read}`", "GitHub gives none to what a fork's pull request starts")
	}
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || at.Scheme != "https" && (at.Scheme != "http" || at.Hostname() != "127.0.0.1") {
		return "", fault.New(fault.Unauthorized, "cannot ask for a token of the job: ACTIONS_ID_TOKEN_REQUEST_URL is no https:// address")
	}
	query := at.Query()
	query.Set("audience", audience)
	at.RawQuery = query.Encode()
	var text string
	for attempt := 1; ; attempt++ {
		var again bool
		if text, again, err = t.ask(ctx, at.String(), bearer); err == nil || !again || attempt == 3 {
			return text, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Duration(attempt) * 500 * time.Millisecond):
		}
	}
}

// ask asks GitHub once. An error has neither the address nor what came: both are as good as the token.
func (t *Tokens) ask(ctx context.Context, address, bearer string) (text string, again bool, err error) {
	ctx, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", false, fault.New(fault.Unauthorized, "cannot ask for a token of the job: its address is wrong")
	}
	req.Header.Set("Authorization", "bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	client := http.Client{}
	if t.HTTP != nil {
		client = *t.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		} else if at, ok := err.(*url.Error); ok {
			err = at.Err
		}
		return "", true, fault.Wrap(fault.Unreachable, err, "cannot ask GitHub for a token of the job")
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests,
			fault.New(fault.Unauthorized, "cannot get a token of the job: GitHub answers HTTP %d", answer.StatusCode)
	}
	var said struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&said); err != nil || said.Value == "" {
		return "", true, fault.New(fault.Unauthorized, "cannot get a token of the job: GitHub's answer has none")
	}
	return said.Value, false, nil
}

func (t *Tokens) ofGitLab(audience string) (string, error) {
	name := t.Variable
	if name == "" {
		name = DefaultTokenVariable
	}
	if text := strings.TrimSpace(t.Job.getenv(name)); text != "" {
		return text, nil
	}
	return "", t.none(fmt.Sprintf("give it `id_tokens: {%s: {aud: %s}}`", name, audience),
		"its project says what its pipelines have, and not this one")
}

// none says why a job has no token.
func (t *Tokens) none(how, fork string) error {
	if t.Job.Fork() {
		return fault.New(fault.Unauthorized, "the job has no token that a server would know it by: the change comes from a fork, and %s. "+
			"Somebody who may has to start it from a branch of the repository itself", fork)
	}
	return fault.New(fault.Unauthorized, "the job has no token that a server would know it by: %s", how)
}

var tokenShape = regexp.MustCompile(`^[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$`)

// untilWhen is when a token is over. Whether it is genuine the server finds out.
func untilWhen(text string) (time.Time, error) {
	parts := tokenShape.FindStringSubmatch(text)
	if len(text) > maxToken || parts == nil {
		return time.Time{}, fmt.Errorf("it is no JSON Web Token")
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(data, &claims) != nil || claims.Expires <= 0 || claims.Expires > 1<<40 {
		return time.Time{}, fmt.Errorf("it does not say how long it counts")
	}
	return time.Unix(int64(claims.Expires), 0), nil
}
