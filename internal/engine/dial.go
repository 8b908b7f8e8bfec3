package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

// dialTimeout is how long a server that does not answer is waited for.
const dialTimeout = 5 * time.Second

// Where a Temporal server is looked for when nobody says where it is.
const (
	defaultAddress   = client.DefaultHostPort
	defaultNamespace = client.DefaultNamespace
)

// DialOptions say which Temporal server is meant. The zero value means what Temporal's own CLI would take from its
// environment and profile; then the local stack in Dir; then localhost:7233.
type DialOptions struct {
	Address   string                          // before everything else
	Namespace string                          // before everything else
	Dir       string                          // state folder of the local stack; default .sluice
	Logger    *slog.Logger                    // of the SDK; default: nothing is logged
	Metrics   client.MetricsHandler           // of the SDK; default: nothing is counted
	Traced    []interceptor.ClientInterceptor // what is asked for leaves traces by them, and what workers of this client do; default: none
	Payloads  *payload.Ring                   // the keys of payloads; nil: none is encrypted, but by a codec of the profile
	Env       envconfig.EnvLookup             // default the process's environment
}

// Connection is a client of a Temporal server. Close it.
type Connection struct {
	client.Client
	Address   string
	Namespace string
	UI        string // of the local stack; "" elsewhere
	Source    string // where the address came from, as one phrase

	payloads  *payload.Ring
	converter converter.DataConverter
}

// Close ends the connection.
func (c *Connection) Close() { c.Client.Close() }

// Server returns the server of a connection, as an Engine wants it.
func (c *Connection) Server() *Server {
	var temporal Temporal = c.Client
	if c.payloads.Encrypts() {
		temporal = sharing{c.Client, c.Namespace, c.converter}
	}
	return &Server{
		Temporal: temporal, Address: c.Address, Namespace: c.Namespace, UI: c.UI, Payloads: c.payloads, Converter: c.converter,
	}
}

// Stack is what a local stack writes about itself into stack.json.
type Stack struct {
	Temporal struct {
		Address   string `json:"address"`
		Namespace string `json:"namespace"`
		UI        string `json:"ui"`
	} `json:"temporal"`
	Kubeconfig string `json:"kubeconfig"`
	PID        int    `json:"pid"` // 0 where the stack is down
}

// ReadStack reads the file of the local stack in a state folder. Where there is none, it is empty and no error.
func ReadStack(dir string) (Stack, error) {
	var s Stack
	file := filepath.Join(dir, "stack.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fault.Wrap(fault.Internal, err, "cannot read the local stack")
	}
	err = json.Unmarshal(data, &s)
	return s, fault.Wrap(fault.Internal, err, "cannot read %s", file)
}

// Dial connects to the Temporal server that the options mean. A server that does not answer within some seconds is
// fault.Unreachable; the message says which address was tried, where it came from, and how to start one.
func Dial(ctx context.Context, o DialOptions) (*Connection, error) {
	where, options, err := o.resolve()
	if err != nil {
		return nil, err
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	options.Logger = sdklog.NewStructuredLogger(logger)
	options.MetricsHandler = o.Metrics
	options.Interceptors = o.Traced
	options.ConnectionOptions.GetSystemInfoTimeout = dialTimeout
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(sayTooMany))
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	where.Client, err = client.DialContext(ctx, options)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err,
			"cannot reach a Temporal server at %s (from %s); start one here with 'sluice local up', or name yours with TEMPORAL_ADDRESS",
			where.Address, where.Source)
	}
	return where, nil
}

// resolve finds out which server is meant.
func (o DialOptions) resolve() (*Connection, client.Options, error) {
	env := o.Env
	if env == nil {
		env = envconfig.EnvLookupOS
	}
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: env})
	if err != nil {
		return nil, client.Options{}, fault.Wrap(fault.Invalid, err, "cannot read the profile of Temporal's command line")
	}
	options, err := profile.ToClientOptions(envconfig.ToClientOptionsRequest{IncludeRemoteCodec: true})
	if err != nil {
		return nil, client.Options{}, fault.Wrap(fault.Invalid, err, "cannot use the profile of Temporal's command line")
	}
	stack, err := ReadStack(cmp.Or(o.Dir, ".sluice"))
	if err != nil {
		return nil, client.Options{}, err
	}
	where := &Connection{}
	_, inEnv := env.LookupEnv("TEMPORAL_ADDRESS")
	switch {
	case o.Address != "":
		where.Address, where.Source = o.Address, "--address"
	case profile.Address != "" && inEnv:
		where.Address, where.Source = profile.Address, "TEMPORAL_ADDRESS"
	case profile.Address != "":
		where.Address, where.Source = profile.Address, profileSource(env)
	case stack.Temporal.Address != "":
		where.Address, where.Source = stack.Temporal.Address, "the local stack in "+cmp.Or(o.Dir, ".sluice")
		options.Namespace = cmp.Or(options.Namespace, stack.Temporal.Namespace)
	default:
		where.Address, where.Source = defaultAddress, "the default"
	}
	if where.Address == stack.Temporal.Address {
		where.UI = stack.Temporal.UI
	}
	where.Namespace = cmp.Or(o.Namespace, options.Namespace, defaultNamespace)
	options.HostPort, options.Namespace = where.Address, where.Namespace
	if o.Payloads.Encrypts() {
		options.DataConverter = nil // keys come before a codec of the profile: a server of ours offers others no encoding
	}
	where.payloads, where.converter = o.Payloads, o.Payloads.Converter(options.DataConverter)
	options.DataConverter, options.FailureConverter = where.converter, o.Payloads.Failures(where.converter)
	return where, options, nil
}

func profileSource(env envconfig.EnvLookup) string {
	name, _ := env.LookupEnv("TEMPORAL_PROFILE")
	file, _ := env.LookupEnv("TEMPORAL_CONFIG_FILE")
	return fmt.Sprintf("profile %s of %s", cmp.Or(name, envconfig.DefaultConfigFileProfile), cmp.Or(file, envconfig.DefaultConfigFilePath()))
}
