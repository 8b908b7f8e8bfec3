package device_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/device"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/fault"
)

func login(t *testing.T, address string) device.Login {
	t.Helper()
	client, err := authn.Client("")
	if err != nil {
		t.Fatal(err)
	}
	return device.Login{Issuer: address, ClientID: "sluice", Client: client}
}

func TestALogin(t *testing.T) {
	t.Parallel()
	i := issuertest.New(t, time.Now)
	l := login(t, i.URL)
	s, err := l.Start(t.Context(), func(p device.Prompt) error {
		if p.URL != i.URL+"/activate" || p.Complete != p.URL+"?code="+p.Code {
			t.Errorf("she is shown %+v", p)
		}
		time.AfterFunc(1500*time.Millisecond, func() { // it is asked once before
			i.Grant(p.Code, map[string]any{"email": "ann@example.com", "email_verified": true})
		})
		return nil
	})
	if err != nil || s.RefreshToken == "" || time.Until(s.Expires) < 50*time.Minute || time.Until(s.Expires) > time.Hour {
		t.Fatalf("%+v, %v", s, err)
	}
	if i.Polls() != 2 {
		t.Errorf("the issuer was asked %d times", i.Polls())
	}
	a, err := authn.New(authn.Config{Issuers: []authn.Issuer{{Name: "corp", URL: i.URL, Audiences: []string{"sluice"}, Kind: authn.People}}}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Refresh(t.Context(), s.RefreshToken)
	if err != nil || again.RefreshToken == "" {
		t.Fatalf("%+v, %v", again, err)
	}
	for _, token := range []string{s.IDToken, again.IDToken} {
		if who, err := a.Bearer(t.Context(), token); err != nil || who.Name != "corp:ann@example.com" {
			t.Errorf("the server takes it for %+v, %v", who, err)
		}
	}
	if _, err := l.Refresh(t.Context(), "refresh-99"); fault.CodeOf(err) != fault.Unauthorized || !strings.Contains(err.Error(), "counts no longer") {
		t.Errorf("a refresh token that is none: %v", err)
	}
}

func TestALoginThatIsSlowedDown(t *testing.T) {
	t.Parallel()
	i := issuertest.New(t, time.Now)
	i.SlowDown(1)
	began := time.Now()
	_, err := login(t, i.URL).Start(t.Context(), func(p device.Prompt) error {
		i.Grant(p.Code, nil)
		return nil
	})
	if took := time.Since(began); err != nil || took < 6500*time.Millisecond || i.Polls() != 2 {
		t.Errorf("after %s and %d questions: %v", took, i.Polls(), err)
	}
}

func TestALoginThatFails(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]struct {
		code fault.Code
		says string
	}{
		"access_denied": {fault.Refused, "it was denied there"},
		"expired_token": {fault.Unauthorized, "it took too long"},
		"server_error":  {fault.Unauthorized, "it says server_error"},
	} {
		t.Run(with, func(t *testing.T) {
			t.Parallel()
			i := issuertest.New(t, time.Now)
			_, err := login(t, i.URL).Start(t.Context(), func(p device.Prompt) error {
				i.Refuse(p.Code, with)
				return nil
			})
			if fault.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
	t.Run("nobody can be shown anything", func(t *testing.T) {
		t.Parallel()
		i := issuertest.New(t, time.Now)
		gone := errors.New("no terminal")
		if _, err := login(t, i.URL).Start(t.Context(), func(device.Prompt) error { return gone }); !errors.Is(err, gone) || i.Polls() != 0 {
			t.Errorf("%v, after %d questions", err, i.Polls())
		}
	})
	t.Run("the context ends", func(t *testing.T) {
		t.Parallel()
		i := issuertest.New(t, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		_, err := login(t, i.URL).Start(ctx, func(device.Prompt) error {
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) || time.Since(began) > 20*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
	t.Run("the issuer is away", func(t *testing.T) {
		t.Parallel()
		i := issuertest.New(t, time.Now)
		i.Stop()
		if _, err := login(t, i.URL).Start(t.Context(), nil); fault.CodeOf(err) != fault.Unreachable {
			t.Errorf("it says %v", err)
		}
	})
	t.Run("the issuer is away for a moment", func(t *testing.T) {
		t.Parallel()
		i := issuertest.New(t, time.Now)
		_, err := login(t, i.URL).Start(t.Context(), func(p device.Prompt) error {
			i.Grant(p.Code, nil)
			i.Stop()
			time.AfterFunc(2*time.Second, i.Start)
			return nil
		})
		if err != nil {
			t.Errorf("it says %v", err)
		}
	})
}

// TestAnIssuerIsNotBelieved: what it answers is neither shown as it is, nor followed wherever it leads.
func TestAnIssuerIsNotBelieved(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		change map[string]any
		code   fault.Code
		says   string
	}{
		"it has no device flow":                     {map[string]any{"device_authorization_endpoint": ""}, fault.Invalid, "no device flow"},
		"it sends the code where others can listen": {map[string]any{"device_authorization_endpoint": "http://example.com/device"}, fault.Unreachable, "not https"},
		"an address that is a command":              {map[string]any{"verification_uri": "javascript:alert(1)"}, fault.Invalid, "no address to open"},
		"an address that moves the cursor":          {map[string]any{"verification_uri": "https://a/\u202e"}, fault.Invalid, "no address to open"},
		"no address":                                {map[string]any{"verification_uri": ""}, fault.Invalid, "no address to open"},
		"a code that clears the screen":             {map[string]any{"user_code": "\x1b[2J"}, fault.Invalid, "no code"},
		"no ID token":                               {map[string]any{"id_token": ""}, fault.Unauthorized, "no ID token"},
		"an interval below nothing":                 {map[string]any{"interval": -1, "expires_in": 1}, fault.Unauthorized, "too long"},
		"another issuer's":                          {map[string]any{"issuer": "https://example.com"}, fault.Invalid, "it calls itself https://example.com"},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				all := map[string]any{
					"issuer": server.URL, "token_endpoint": server.URL, "device_authorization_endpoint": server.URL, "jwks_uri": server.URL,
					"device_code": "d", "user_code": "c", "verification_uri": server.URL, "expires_in": 60, "interval": 1,
					"access_token": "a", "token_type": "Bearer", "id_token": "i",
				}
				for name, value := range c.change {
					all[name] = value
				}
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(all)
			}))
			t.Cleanup(server.Close)
			s, err := login(t, server.URL).Start(t.Context(), func(device.Prompt) error { return nil })
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}
