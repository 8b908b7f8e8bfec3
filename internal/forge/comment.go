package forge

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice.dev/sluice/internal/fault"
)

// Done is what was done to have something be as it is to be.
type Done string

// What is done.
const (
	Created   Done = "created"
	Edited    Done = "edited"
	Unchanged Done = "unchanged"
)

type comment struct {
	id   int64
	by   Person
	text string
}

// maxComments bounds how many comments of a request are read to find one's own.
const maxComments = 3000

// MaxComment is how long a comment may be, in characters, with its marker.
func (k Kind) MaxComment() int {
	if k == GitLab {
		return 1_000_000
	}
	return 65_536
}

// subject is what a marker can be about.
var subject = regexp.MustCompile(`^[a-z0-9]([a-z0-9:./-]{0,250}[a-z0-9])?$`)

// Marker is the line by which a comment about something is found again. People do not see it.
func Marker(about string) string { return "<!-- sluice:" + about + " -->" }

// Comment has a request bear one comment about something, plan:SOURCE for example, with a text in Markdown: the one that this account made
// about it before is edited, and only where there is none one is made. Two that do this at once leave one comment: who finds two removes
// the younger. Comments of others are never touched, whatever they say.
func (r *Repository) Comment(ctx context.Context, number int64, about, text string) (Done, error) {
	if !subject.MatchString(about) || strings.Contains(about, "--") {
		return "", fault.New(fault.Invalid, "cannot comment on request %d of %s: %.300q cannot be what it is about",
			number, r.at.Repository, about)
	}
	marker := Marker(about)
	text = marker + "\n" + text
	if n := runes(text); n > r.at.Kind.MaxComment() {
		return "", fault.New(fault.Invalid, "cannot comment on request %d of %s: the text has %d characters, and %s takes %d",
			number, r.at.Repository, n, r.at.Kind, r.at.Kind.MaxComment())
	}
	me, err := r.me(ctx)
	if err != nil {
		return "", err
	}
	done := Unchanged
	for range 3 { // it is gone in between once; more often is nobody's luck
		own, err := r.ownComments(ctx, number, me, marker)
		if err != nil {
			return "", err
		}
		if len(own) == 0 {
			if err := r.api.say(ctx, number, text); err != nil {
				return "", err
			}
			done = Created
			continue // look again: another replica may have done the same
		}
		if !sameText(own[0].text, text) {
			err := r.api.edit(ctx, number, own[0].id, text)
			if statusOf(err) == http.StatusNotFound {
				continue
			}
			if err != nil {
				return "", err
			}
			if done != Created {
				done = Edited
			}
		}
		for _, twin := range own[1:] {
			if err := r.api.remove(ctx, number, twin.id); err != nil && statusOf(err) != http.StatusNotFound {
				return "", err
			}
		}
		return done, nil
	}
	return "", fault.New(fault.Conflict, "cannot comment on request %d of %s: its comment vanishes as soon as it is made",
		number, r.at.Repository)
}

// ownComments are those that an account made with a marker, the oldest first.
func (r *Repository) ownComments(ctx context.Context, number int64, me Person, marker string) ([]comment, error) {
	all, err := r.api.comments(ctx, number)
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(all, func(c comment) bool {
		mine := c.by.ID == me.ID && me.ID != 0 || me.ID == 0 && strings.EqualFold(c.by.Login, me.Login)
		return !mine || !strings.HasPrefix(c.text, marker) // further in, it may be quoted
	})
	slices.SortFunc(own, func(a, b comment) int { return cmp.Compare(a.id, b.id) })
	return own, nil
}

// me is the account that the token is of.
func (r *Repository) me(ctx context.Context) (Person, error) {
	if r.at.Account != "" {
		return Person{Login: r.at.Account}, nil
	}
	me, err := r.api.own(ctx)
	if fault.CodeOf(err) == fault.Unauthorized {
		return me, fault.Wrap(fault.Unauthorized, err, "cannot tell whose the token is; name its account")
	}
	if err == nil && me.ID == 0 && me.Login == "" {
		return me, fault.New(fault.Unauthorized, "cannot tell whose the token for %s at %s is; name its account", r.at.Repository, r.at.Kind)
	}
	return me, err
}

// sameText compares what was sent with what a forge kept of it.
func sameText(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

func runes(text string) int { return utf8.RuneCountInString(text) }

// statusOf is the HTTP status that a forge refused with; 0 for none.
func statusOf(err error) int {
	var a *answered
	if errors.As(err, &a) {
		return a.status
	}
	return 0
}
