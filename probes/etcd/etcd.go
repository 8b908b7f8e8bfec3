// Package etcd is the case of an etcd: each member takes a write, reads it, compares and swaps, tells who watches, and forgets it.
package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "etcd"

// maxMembers bounds what one run asks.
const maxMembers = 15

// lease is how long a key lives that a run did not delete, in seconds.
const lease = 60

// settings are what a run is told.
type settings struct {
	members  []string
	within   time.Duration // for each step
	prefix   string        // of the keys; nothing else is written
	tls      *tls.Config   // nil where no endpoint is https
	user     string
	password string
}

// Run asks each member by itself, so that one that is ill is not hidden by the others. A member that does not answer is a fault of that
// member; one that does not take the case's certificate or name is not.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	s := settings{
		members: r.List("ENDPOINTS", maxMembers), within: r.Duration("WITHIN", 5*time.Second, time.Minute),
		prefix: r.Text("PREFIX", "/sluice-probes/"), user: getenv("ETCD_USER"), password: getenv("ETCD_PASSWORD"),
	}
	if err := r.Err(); err != nil {
		return err
	}
	if len(s.members) == 0 {
		return trial.Blind("NoEndpoints", "cannot ask an etcd: ENDPOINTS names none")
	}
	var err error
	if s.tls, err = certificates(getenv("CA_FILE"), getenv("CERT_FILE"), getenv("KEY_FILE")); err != nil {
		return trial.Blind("NoCredentials", "cannot ask an etcd: %w", err)
	}
	// What goes wrong is in the parts; the client's log would say it again for each attempt.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(none{}, none{}, none{}))
	run := r.Text("SLUICE_PROBE_RUN", fmt.Sprintf("%d", time.Now().UnixNano()))
	errs := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, name := range s.members {
		wg.Go(func() {
			m := &member{settings: s, trial: t, name: name, key: fmt.Sprintf("%s%s/%d", s.prefix, run, i)}
			err := m.ask(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	wg.Wait()
	return trial.Worst(s.members, errs)
}

// none is written nothing.
type none struct{}

func (none) Write(p []byte) (int, error) { return len(p), nil }

func certificates(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in %s", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// member is one member, asked by itself.
type member struct {
	settings
	trial *trial.Trial
	name  string
	key   string

	client *clientv3.Client
	lease  clientv3.LeaseID
	wrote  int64 // the revision of the key
}

// ask goes through all steps. One that fails ends it, but for those that tell how the member is.
func (m *member) ask(ctx context.Context) error {
	config := clientv3.Config{
		Endpoints: []string{m.name}, DialTimeout: m.within, Username: m.user, Password: m.password, Context: ctx, Logger: zap.NewNop(),
	}
	if strings.HasPrefix(m.name, "https://") {
		config.TLS = m.tls
	}
	var err error
	if m.client, err = clientv3.New(config); err != nil {
		err = blame(err, "connect")
		m.trial.Part(m.name, "connect", 0, err)
		return err
	}
	defer m.client.Close()
	for _, step := range []struct {
		name, doing string
		do          func(context.Context) error
	}{
		{"status", "ask for its status", m.status}, {"put", "write a key", m.put}, {"get", "read a key", m.get},
		{"txn", "compare and swap", m.txn}, {"watch", "watch a key", m.watch}, {"delete", "delete a key", m.remove},
	} {
		err := m.trial.StepOf(m.name, step.name, func() error {
			ctx, cancel := context.WithTimeout(ctx, m.within)
			defer cancel()
			return blame(step.do(ctx), step.doing)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// status is how the member itself says it is.
func (m *member) status(ctx context.Context) error {
	s, err := m.client.Status(ctx, m.name)
	if err != nil {
		return err
	}
	m.trial.Number("dbBytes."+m.name, float64(s.DbSize))
	m.trial.Flag("leader."+m.name, s.Leader == s.Header.MemberId)
	switch {
	case s.Leader == 0:
		return trial.Fault("NoLeader", "the member knows of no leader")
	case s.IsLearner:
		return trial.Nothing("Learner", "the member is a learner, and takes no writes")
	}
	// The list of alarms is the cluster's; a member answers for itself alone.
	alarms, err := m.client.AlarmList(ctx)
	if err != nil {
		return err
	}
	for _, a := range alarms.Alarms {
		if a.Alarm != pb.AlarmType_NONE && a.MemberID == s.Header.MemberId {
			return trial.Fault("Alarm", "the member has raised the alarm %s", a.Alarm)
		}
	}
	return nil
}

func (m *member) put(ctx context.Context) error {
	l, err := m.client.Grant(ctx, lease)
	if err != nil {
		return err
	}
	m.lease = l.ID
	r, err := m.client.Put(ctx, m.key, "1", clientv3.WithLease(l.ID))
	if err != nil {
		return err
	}
	m.wrote = r.Header.Revision
	return nil
}

func (m *member) get(ctx context.Context) error {
	r, err := m.client.Get(ctx, m.key)
	if err != nil {
		return err
	}
	if len(r.Kvs) != 1 || string(r.Kvs[0].Value) != "1" || r.Kvs[0].ModRevision != m.wrote {
		return trial.Fault("WrongRead", "what was written at revision %d is not what is read: %v", m.wrote, r.Kvs)
	}
	return nil
}

// txn swaps the value where it is the one that was written, and finds that a second swap is refused.
func (m *member) txn(ctx context.Context) error {
	swap := func() (*clientv3.TxnResponse, error) {
		return m.client.Txn(ctx).If(clientv3.Compare(clientv3.Value(m.key), "=", "1")).
			Then(clientv3.OpPut(m.key, "2", clientv3.WithLease(m.lease))).Commit()
	}
	for _, want := range []bool{true, false} {
		r, err := swap()
		if err != nil {
			return err
		}
		if r.Succeeded != want {
			return trial.Fault("WrongTransaction", "a comparison came out as %t, it is %t", r.Succeeded, want)
		}
	}
	return nil
}

// watch is told of all that became of the key since it was written.
func (m *member) watch(ctx context.Context) error {
	for r := range m.client.Watch(clientv3.WithRequireLeader(ctx), m.key, clientv3.WithRev(m.wrote)) {
		if err := r.Err(); err != nil {
			return err
		}
		for _, e := range r.Events {
			if e.Type == clientv3.EventTypePut && string(e.Kv.Value) == "2" {
				return nil
			}
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	return trial.Fault("NoWatch", "the watch was not told of a change in %s", m.within)
}

func (m *member) remove(ctx context.Context) error {
	// With the lease goes what is attached to it; it is deleted by name, as users do.
	r, err := m.client.Delete(ctx, m.key)
	if err != nil {
		return err
	}
	if r.Deleted != 1 {
		return trial.Fault("WrongDelete", "of one key %d were deleted", r.Deleted)
	}
	left, err := m.client.Get(ctx, m.key, clientv3.WithCountOnly())
	if err != nil {
		return err
	}
	if left.Count != 0 {
		return trial.Fault("NotGone", "a deleted key is still read")
	}
	_, err = m.client.Revoke(ctx, m.lease)
	return err
}

// blame says whose failure an error is: what the member does not do is its own, that it does not know us is not.
func blame(err error, doing string) error {
	if err == nil || trial.Meant(err) {
		return err
	}
	code := status.Code(err)
	var unknown x509.UnknownAuthorityError
	var e rpctypes.EtcdError
	switch {
	case code == codes.Unauthenticated, code == codes.PermissionDenied, errors.As(err, &unknown),
		errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrUserEmpty):
		return trial.Blind("Forbidden", "cannot %s: %w", doing, err)
	case errors.Is(err, context.Canceled):
		return trial.Blind("Interrupted", "cannot %s: %w", doing, err)
	case errors.Is(err, context.DeadlineExceeded), code == codes.DeadlineExceeded, code == codes.Unavailable:
		return trial.Fault("NoAnswer", "cannot %s: %w", doing, err)
	case errors.As(err, &e):
		return trial.Fault("Refused", "cannot %s: %w", doing, err)
	default:
		return trial.Fault("Failed", "cannot %s: %w", doing, err)
	}
}
