package authn

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"sluice.dev/sluice/internal/access"
)

// algorithms are those by which a token may be signed: by two keys each. With one key for both sides whoever can verify a token can
// make one, and with none everybody can.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// issuer verifies the tokens of one.
type issuer struct {
	of   Issuer
	keys *keys
	skew time.Duration
	now  func() time.Time
}

func newIssuer(of Issuer, skew time.Duration, now func() time.Time) (*issuer, error) {
	client, err := Client(of.CAFile)
	if err != nil {
		return nil, err
	}
	return &issuer{of: of, keys: &keys{url: of.URL, client: client, now: now}, skew: skew, now: now}, nil
}

// signed finds out whose a token is that an issuer signed.
func (a *Authenticator) signed(ctx context.Context, token string) (access.Subject, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil || len(jws.Signatures) != 1 {
		return access.Subject{}, refuse("it is no token of three parts that is signed by an algorithm with two keys")
	}
	var says struct {
		Issuer   string   `json:"iss"`
		Audience audience `json:"aud"`
	}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &says); err != nil {
		return access.Subject{}, refuse("what is signed is no set of claims")
	}
	known := slices.Clone(a.issuers)
	known = slices.DeleteFunc(known, func(i *issuer) bool { return i.of.URL != says.Issuer })
	if len(known) == 0 {
		return access.Subject{}, refuse("no issuer of the configuration has the address " + strconv.Quote(says.Issuer))
	}
	known = slices.DeleteFunc(known, func(i *issuer) bool { return !says.Audience.meant(i.of.Audiences) })
	if len(known) != 1 {
		return access.Subject{}, refuse("it is meant for another audience, or for two")
	}
	return known[0].subject(ctx, token, jws)
}

// audience is a text or a list of them.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return err
	}
	*a = many
	return nil
}

// audienceOf is the audience in a claim.
func audienceOf(claim any) (a audience) {
	switch v := claim.(type) {
	case string:
		return audience{v}
	case []any:
		for _, one := range v {
			if name, ok := one.(string); ok {
				a = append(a, name)
			}
		}
	}
	return a
}

func (a audience) meant(wanted []string) bool {
	return slices.ContainsFunc(a, func(one string) bool { return slices.Contains(wanted, one) })
}

// verifying is a key set for one token, which keeps why it did not verify.
type verifying struct {
	keys *keys
	jws  *jose.JSONWebSignature
	err  error
}

// VerifySignature implements oidc.KeySet.
func (v *verifying) VerifySignature(ctx context.Context, _ string) ([]byte, error) {
	payload, err := v.keys.verify(ctx, v.jws)
	v.err = err
	return payload, err
}

// subject verifies a token, and names whom it is about.
func (i *issuer) subject(ctx context.Context, token string, jws *jose.JSONWebSignature) (access.Subject, error) {
	var taken []string
	for _, a := range algorithms() {
		taken = append(taken, string(a))
	}
	v := &verifying{keys: i.keys, jws: jws}
	// audience and times are looked at below: the library knows one audience, and a skew of its own
	config := &oidc.Config{SupportedSigningAlgs: taken, SkipClientIDCheck: true, SkipExpiryCheck: true, Now: i.now}
	verified, err := oidc.NewVerifier(i.of.URL, v, config).Verify(ctx, token)
	if v.err != nil {
		refusal := refuse("of issuer " + i.of.Name + ": " + v.err.Error())
		var later *away
		refusal.Retry = errors.As(v.err, &later)
		return access.Subject{}, refusal
	}
	if err != nil {
		return access.Subject{}, refuse("of issuer " + i.of.Name + ": it is no ID token of that issuer")
	}
	var data json.RawMessage
	if err := verified.Claims(&data); err != nil {
		return access.Subject{}, refuse("of issuer " + i.of.Name + ": what is signed is no set of claims")
	}
	claims, err := access.ReadClaims(data)
	if err != nil {
		return access.Subject{}, refuse("of issuer " + i.of.Name + ": " + err.Error())
	}
	// once more by names to the letter: structs are decoded whatever the case of a name, and some issuers let people add claims
	if claims["iss"] != i.of.URL || !audienceOf(claims["aud"]).meant(i.of.Audiences) {
		return access.Subject{}, refuse("of issuer " + i.of.Name + ": it is meant for another audience, or of another issuer")
	}
	if why := i.untimely(claims); why != "" {
		return access.Subject{}, refuse("of issuer " + i.of.Name + ": " + why)
	}
	name, why := i.name(claims)
	if why != "" {
		return access.Subject{}, refuse("of issuer " + i.of.Name + ": " + why)
	}
	kind := access.Person
	if i.of.Kind == Jobs {
		kind = access.Job
	}
	s, err := access.NewSubject(kind, i.of.Name, name, claims)
	if err != nil {
		return access.Subject{}, refuse(err.Error())
	}
	return s, nil
}

// untimely says why a token counts not now; "" where it does.
func (i *issuer) untimely(claims map[string]any) string {
	now := i.now()
	until, given, ok := moment(claims, "exp")
	switch {
	case !given || !ok:
		return "it does not say when it expires"
	case !now.Before(until.Add(i.skew)):
		return "it has expired at " + until.UTC().Format(time.RFC3339)
	}
	for _, claim := range []string{"nbf", "iat"} {
		from, given, ok := moment(claims, claim)
		switch {
		case given && !ok:
			return claim + " is no time"
		case given && from.After(now.Add(i.skew)):
			return "by " + claim + " it counts from " + from.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// moment is a time in a claim, in seconds since 1970.
func moment(claims map[string]any, name string) (at time.Time, given, ok bool) {
	const last = 253402300799 // 9999-12-31T23:59:59Z
	var seconds float64
	switch v := claims[name].(type) {
	case nil:
		return time.Time{}, false, false
	case int64:
		seconds = float64(v)
	case float64:
		seconds = math.Floor(v)
	default:
		return time.Time{}, true, false
	}
	if seconds < 0 || seconds > last {
		return time.Time{}, true, false
	}
	return time.Unix(int64(seconds), 0), true, true
}

// name is what an issuer calls a subject, or why it calls it nothing. It is always the same claim: whoever leaves it out of one of his
// tokens, and were named by another one there, would be two, and let pass what he has planned himself.
func (i *issuer) name(claims map[string]any) (name, why string) {
	claim, hint := i.of.SubjectClaim, ""
	switch {
	case claim == "" && i.of.Kind == People:
		claim, hint = "email", "; where it vouches for no addresses, the configuration has to say subjectClaim: sub"
	case claim == "":
		claim = "sub"
	}
	name = text(claims[claim])
	switch {
	case claim == "email" && claims["email_verified"] != true:
		return "", "the issuer has not verified the address in email" + hint
	case name == "":
		return "", "it names nobody in " + claim + hint
	case strings.HasPrefix(name, ":"):
		return "", "it names somebody with a colon in front, as nobody is named"
	case claim == "sub" && i.of.Kind == People:
		// what an issuer has people choose as sub must not be read as the verified address of somebody else
		return ":" + name, ""
	}
	return name, ""
}

// text is a claim that is a text or a whole number.
func text(claim any) string {
	switch v := claim.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}
