package agent

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

// Files in an agent's state folder.
const (
	identityFile = "identity.json"
	comingFile   = "coming.json" // while it is being let in
	spoolFile    = "spool.jsonl" // what could not be reported
)

// identity is who an agent is: one file, so that it is never half of two.
type identity struct {
	Agent       string `json:"agent"`
	Site        string `json:"site"`
	Authority   []byte `json:"authority"`   // the server's, in PEM
	Certificate []byte `json:"certificate"` // in PEM
	Key         []byte `json:"key"`         // in PEM
}

// coming is the key with which an invitation is used: whoever did not hear the answer asks again with the same.
type coming struct {
	Invitation string `json:"invitation"` // its ID
	Key        []byte `json:"key"`
}

// keeper has an identity, and makes it new before it ends. It is safe for concurrent use.
type keeper struct {
	file string

	mu   sync.Mutex
	own  identity
	key  crypto.Signer
	from time.Time // of the certificate
	to   time.Time
	kept bool // on disk
}

// open reads the identity in a folder, or comes in by an invitation where there is none. It is fault.Unauthorized where there is neither.
func open(ctx context.Context, o *Options) (*keeper, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot keep who this agent is in %s", o.Dir)
	}
	k := &keeper{file: filepath.Join(o.Dir, identityFile)}
	var own identity
	there, err := readJSON(k.file, &own)
	if err != nil {
		return nil, err
	}
	shown := credential.Invitation{}
	if o.Invitation != "" {
		if shown, err = credential.ReadInvitation(o.Invitation); err != nil {
			return nil, err
		}
	}
	if there {
		err := k.take(own)
		k.kept = true
		if err != nil || o.Invitation == "" || o.Clock.Now().Before(k.to) {
			return k, err
		}
		// It is over, and somebody has brought a new invitation.
	}
	if o.Invitation == "" {
		return nil, fault.New(fault.Unauthorized, "cannot tell who this agent is: there is nothing in %s, and no invitation; "+
			"make one with: sluice cluster enroll CLUSTER", o.Dir)
	}
	if own, err = comeIn(ctx, o, shown); err != nil {
		return nil, err
	}
	if err := k.take(own); err != nil {
		return nil, err
	}
	if err := k.keep(); err != nil {
		return nil, err
	}
	return k, os.RemoveAll(filepath.Join(o.Dir, comingFile))
}

// comeIn uses an invitation.
func comeIn(ctx context.Context, o *Options, shown credential.Invitation) (own identity, err error) {
	file := filepath.Join(o.Dir, comingFile)
	var begun coming
	if _, err := readJSON(file, &begun); err != nil {
		return own, err
	}
	if begun.Invitation != shown.ID {
		key, err := credential.NewKey()
		if err != nil {
			return own, err
		}
		begun.Invitation = shown.ID
		if begun.Key, err = credential.EncodeKey(key); err != nil {
			return own, err
		}
		if err := writeJSON(file, begun); err != nil {
			return own, err
		}
	}
	key, err := credential.DecodeKey(begun.Key)
	if err != nil {
		return own, err
	}
	request, err := credential.Request(key)
	if err != nil {
		return own, err
	}
	conn, err := grpc.NewClient(target(o.Server), grpc.WithTransportCredentials(
		credentials.NewTLS(credential.DialPinned(shown.Pin, o.Clock.Now))), grpc.WithContextDialer(dial))
	if err != nil {
		return own, fault.Wrap(fault.Invalid, err, "cannot dial %s", o.Server)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	in, err := uplink.Enrol.Call(ctx, conn, uplink.EnrolRequest{
		Invitation: shown.ID, Secret: shown.Secret, Request: request, Build: o.Build,
	})
	if err != nil {
		return own, fault.Wrap(fault.CodeOf(err), err, "cannot come in at %s", o.Server)
	}
	return identity{Agent: in.Agent, Site: in.Site, Authority: in.Authority, Certificate: in.Certificate, Key: begun.Key}, nil
}

// take makes an identity the keeper's.
func (k *keeper) take(own identity) error {
	key, err := credential.DecodeKey(own.Key)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot use %s", k.file)
	}
	leaf, err := credential.Leaf(own.Certificate)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot use %s", k.file)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.own, k.key, k.from, k.to, k.kept = own, key, leaf.NotBefore, leaf.NotAfter, false
	return nil
}

// keep writes the identity to disk where it is not there yet.
func (k *keeper) keep() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept {
		return nil
	}
	err := writeJSON(k.file, k.own)
	k.kept = err == nil
	return err
}

// over is fault.Unauthorized where the certificate has ended.
func (k *keeper) over(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.to) {
		return nil
	}
	return fault.New(fault.Unauthorized, "the certificate of agent %s ended at %s, by this machine's clock; enroll it anew: "+
		"sluice cluster enroll CLUSTER", k.own.Agent, k.to.UTC().Format(time.RFC3339))
}

// now returns who the agent is.
func (k *keeper) now() (identity, crypto.Signer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.own, k.key
}

// due reports whether the certificate is to be renewed: half of its life is over.
func (k *keeper) due(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return now.After(k.from.Add(k.to.Sub(k.from) / 2))
}

// renew has the server give a newer certificate, for a newer key. It is not on disk yet.
func (k *keeper) renew(ctx context.Context, server grpc.ClientConnInterface) error {
	key, err := credential.NewKey()
	if err != nil {
		return err
	}
	request, err := credential.Request(key)
	if err != nil {
		return err
	}
	in, err := uplink.Renew.Call(ctx, server, uplink.RenewRequest{Request: request})
	if err != nil {
		return err
	}
	encoded, err := credential.EncodeKey(key)
	if err != nil {
		return err
	}
	newer := identity{Agent: in.Agent, Site: in.Site, Authority: in.Authority, Certificate: in.Certificate, Key: encoded}
	return k.take(newer)
}

// maxState bounds a file of state, in bytes.
const maxState = 1 << 20

func readJSON(file string, into any) (there bool, err error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && info.Size() > maxState {
		return true, fault.New(fault.Invalid, "cannot read %s: it has %d bytes", file, info.Size())
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	return true, fault.Wrap(fault.Invalid, err, "cannot read %s", file)
}

func writeJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot write %s", file)
	}
	return writeFile(file, data)
}

// writeFile writes a file whole, or not at all.
func writeFile(file string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // 0600
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot write %s", file)
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return fault.Wrap(fault.Internal, err, "cannot write %s", file)
}
