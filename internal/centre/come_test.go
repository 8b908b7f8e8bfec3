package centre_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
)

func (w *world) revoke(agent string) {
	w.Helper()
	_, err := w.ledger.ChangeAgent(w.Context(), agent, func(a *ledger.Agent) error { a.Revoke("corp:ann", w.clock.Now()); return nil })
	if err != nil {
		w.Error(err)
	}
}

func TestWhoComesIn(t *testing.T) {
	w := newWorld(t)
	_, asked := request(t)
	shown := w.invite("eu", "eu")
	wrong := shown
	wrong.Secret += "x"
	_, err := w.enrol(wrong, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "a wrong secret")
	unknown := shown
	unknown.ID = "nobody"
	_, other := w.enrol(unknown, asked, "v1.4.0")
	w.want(other, fault.Unauthorized, "an invitation that there is not")
	if err.Error() != other.Error() {
		t.Errorf("a wrong secret and an unknown invitation are told apart: %v, %v", err, other)
	}
	_, err = w.enrol(shown, asked, "v1.2.9")
	w.want(err, fault.Refused, "a version that is two behind")
	_, err = w.enrol(shown, asked, "v1.5.0")
	w.want(err, fault.Refused, "a version that is ahead")
	_, err = w.enrol(shown, []byte("no request"), "v1.4.0")
	w.want(err, fault.Invalid, "no certificate request")
	first, err := w.enrol(shown, asked, "v1.3.7")
	if err != nil || first.Agent != "eu" || first.Site != "eu" {
		t.Fatalf("one minor version behind comes in, and what was refused has used nothing up: %+v (%v)", first, err)
	}
	if _, err := w.enrol(shown, asked, "v1.4.0"); err != nil {
		t.Errorf("who did not hear the answer asks again with the same key: %v", err)
	}
	_, stolen := request(t)
	_, err = w.enrol(shown, stolen, "v1.4.0")
	w.want(err, fault.Unauthorized, "an invitation that was used by another")
	late := w.invite("late", "eu")
	w.clock.Step(time.Hour + time.Second)
	_, err = w.enrol(late, stolen, "v1.4.0")
	w.want(err, fault.Unauthorized, "an invitation that is over")
	imitated := shown
	imitated.Pin = "AAAA" + imitated.Pin[4:]
	_, err = w.enrol(imitated, asked, "v1.4.0")
	w.want(err, fault.Unreachable, "a server of another authority")
}

// The token of an agent stays on its machine, and whoever has that has its key too.
func TestAnInvitationIsNoWayBackIn(t *testing.T) {
	w := newWorld(t)
	_, asked := request(t)
	shown, unused := w.invite("eu", "eu"), w.invite("eu", "eu")
	elsewhere := w.invite("eu", "us")
	w.clock.Step(time.Second)
	if _, err := w.enrol(shown, asked, "v1.4.0"); err != nil {
		t.Fatal(err)
	}
	_, err := w.enrol(elsewhere, asked, "v1.4.0")
	w.want(err, fault.Conflict, "one to another site, under a name that is taken")
	w.revoke("eu")
	_, err = w.enrol(shown, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "the one by which a revoked agent came in")
	_, err = w.enrol(unused, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "one that was handed over before the agent was revoked")
	w.clock.Step(time.Second)
	again := w.member("eu", "eu")
	w.clock.Step(time.Second)
	_, err = w.enrol(shown, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "the one of before, after somebody was let in anew")
	if _, err := w.beat(again, instance, nil); err != nil {
		t.Errorf("who was let in anew stays: %v", err)
	}
	third := w.invite("third", "eu")
	key, asked := request(t)
	in, err := w.enrol(third, asked, "v1.4.0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.beat(member{ClientConn: w.as(in.Certificate, key, instance)}, instance, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.enrol(third, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "one by which an agent has come in, and been there")
	w.clock.Step(-time.Minute)
	w.member("third", "eu") // by a server whose clock is behind
}

func TestCertificatesThatCount(t *testing.T) {
	w := newWorld(t)
	eu := w.member("eu", "eu")
	key, asked := request(t)
	newer, err := uplink.Renew.Call(t.Context(), eu, uplink.RenewRequest{Request: asked})
	if err != nil {
		t.Fatal(err)
	}
	fresh := member{w.as(newer.Certificate, key, instance), newer.Certificate, key}
	for reason, m := range map[string]member{"the newer one": fresh, "the one before, until it is known that the newer has come": eu} {
		if _, err := w.beat(m, instance, nil); err != nil {
			t.Errorf("%s counts: %v", reason, err)
		}
	}
	key2, asked2 := request(t)
	newest, err := uplink.Renew.Call(t.Context(), fresh, uplink.RenewRequest{Request: asked2})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.beat(eu, instance, nil)
	w.want(err, fault.Unauthorized, "one that was renewed twice over")
	last := member{w.as(newest.Certificate, key2, instance), newest.Certificate, key2}
	w.clock.Step(time.Second)
	again := w.member("eu", "eu") // enrolled anew
	_, err = w.beat(last, instance, nil)
	w.want(err, fault.Unauthorized, "one of before it was enrolled anew")
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(w.authority.Pin(), time.Now)), instance)
	_, err = uplink.Beat.Call(t.Context(), stranger, uplink.BeatRequest{Instance: instance})
	w.want(err, fault.Unauthorized, "none")
	dir := t.TempDir()
	if err := credential.NewAuthority(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	foreign, err := credential.ReadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	forged, _, err := foreign.Agent("eu", asked, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.beat(member{ClientConn: w.as(forged, key, instance)}, instance, nil)
	w.want(err, fault.Unreachable, "one of another authority, whose handshake fails")
	w.clock.Step(credential.CertificateLives + time.Minute)
	_, err = w.beat(again, instance, nil)
	w.want(err, fault.Unauthorized, "one that is over, on a connection that is older")
}

func TestOneProcessOfAnAgent(t *testing.T) {
	w := newWorld(t)
	first := w.member("eu", "eu")
	const other = "instance-2"
	second := member{w.as(first.certificate, first.key, other), first.certificate, first.key}
	_, err := w.beat(second, other, nil)
	w.want(err, fault.Conflict, "a second process")
	_, asked := request(t)
	_, err = uplink.Renew.Call(t.Context(), second, uplink.RenewRequest{Request: asked})
	w.want(err, fault.Conflict, "a second process that would have the first one's certificates be old")
	unit := uplink.FenceAsked{Unit: uplink.Unit{Cluster: "eu-1", Subject: component}}
	_, err = uplink.NextFence.Call(t.Context(), second, unit)
	w.want(err, fault.Conflict, "what a second process asks")
	if _, err := uplink.NextFence.Call(t.Context(), first, unit); err != nil {
		t.Errorf("the first goes on: %v", err)
	}
	w.clock.Step(ledger.AgentBeatsWithin)
	if _, err := w.beat(second, other, nil); err != nil {
		t.Errorf("who waited until the first is gone is there: %v", err)
	}
	w.clock.Step(3 * time.Second)
	_, err = uplink.NextFence.Call(t.Context(), first, unit)
	w.want(err, fault.Conflict, "what the first asks then")

	uid := func(uid string) []ledger.AgentCluster { return []ledger.AgentCluster{{Name: "eu-1", UID: uid}} }
	if _, err := w.beat(second, other, uid("aaa")); err != nil {
		t.Fatal(err)
	}
	replica := w.member("eu-b", "eu")
	if _, err := w.beat(replica, instance, uid("aaa")); err != nil {
		t.Errorf("two agents reach one cluster: %v", err)
	}
	_, err = w.beat(replica, instance, uid("bbb"))
	w.want(err, fault.Conflict, "two agents that reach two clusters by one name")
}

func TestAClockThatIsTenMinutesOff(t *testing.T) {
	w := newWorld(t)
	m := w.member("eu", "eu")
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		stand, err := uplink.Beat.Call(t.Context(), m, uplink.BeatRequest{Instance: instance, Build: "v1.4.0", Now: w.clock.Now().Add(off)})
		if err != nil || !stand.Now.Equal(w.clock.Now().UTC()) {
			t.Fatalf("it is told the server's time: %v (%v)", stand.Now, err)
		}
		all, err := w.ledger.ListAgents(t.Context())
		if err != nil || all[0].Ahead != off || !all[0].There(w.clock.Now()) {
			t.Errorf("it is there, and its clock is known to be off: %+v (%v)", all, err)
		}
	}
}

// A stranger is let say one thing, and not for long.
func TestStrangersDoNotStay(t *testing.T) {
	w := newWorld(t)
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(w.authority.Pin(), time.Now)), instance)
	open := func(method string) grpc.ClientStream {
		t.Helper()
		stream, err := stranger.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method,
			grpc.CallContentSubtype("sluice-json"))
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	answered := make(chan error, 1)
	beat := open(uplink.Beat.Path())
	go func() { answered <- beat.RecvMsg(&struct{}{}) }()
	select {
	case err := <-answered:
		w.want(uplink.FromStatus(err), fault.Unauthorized, "a call of which nothing was read yet")
	case <-ctx.Done():
		t.Error("the server waits for what a stranger has to say")
	}
	w.want(uplink.FromStatus(open(uplink.Enrol.Path()).RecvMsg(&struct{}{})), fault.Unreachable, "one who says nothing for long")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := credential.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.enrol(w.invite("eu", "eu"), asked, "v1.4.0")
	w.want(err, fault.Invalid, "a key that may take long to check")
	_, err = w.enrol(w.invite("eu", "eu"), bytes.Repeat([]byte("x"), 1<<20), "v1.4.0")
	w.want(err, fault.Invalid, "a request without end")
}

// Strangers cost the ledger a write each, and an agent may not fill it.
func TestStrangersAreBounded(t *testing.T) {
	w := newWorld(t)
	shown := w.invite("eu", "eu")
	_, asked := request(t)
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(shown.Pin, time.Now)), "")
	refused := 0
	for range 300 {
		_, err := uplink.Enrol.Call(t.Context(), stranger, uplink.EnrolRequest{Invitation: "nobody", Secret: "x", Request: asked,
			Build: "v1.4.0"})
		switch fault.CodeOf(err) {
		case fault.Refused:
			refused++
		case fault.Unauthorized:
		default:
			t.Fatal(err)
		}
	}
	if refused < 200 {
		t.Errorf("%d of 300 were refused", refused)
	}
}
