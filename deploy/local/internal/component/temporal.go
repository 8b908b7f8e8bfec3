package component

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice.dev/sluice/deploy/local/internal/stack"
	"sluice.dev/sluice/deploy/local/internal/temporaldb"
)

// retention is how long closed workflows are kept.
const retention = 90 * 24 * time.Hour

// clusterName is Temporal's name for itself.
const clusterName = "active"

func runTemporal(args []string) error {
	flags := flag.NewFlagSet(stack.Temporal, flag.ContinueOnError)
	dir := flags.String("data-dir", "", "folder of the data")
	base := flags.Int("port-base", 0, "first port of the stack")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ports := stack.Ports{Base: *base}.Temporal()
	sql, err := openStore(*dir)
	if err != nil {
		return err
	}
	server, err := newServer(sql, ports)
	if err != nil {
		return fmt.Errorf("cannot make Temporal server: %w", err)
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("cannot start Temporal server: %w", err)
	}
	defer server.Stop()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := ensureSearchAttributes(ctx, stack.Loopback(ports.Frontend)); err != nil {
		return err
	}
	ui := newUI(ports)
	failed := make(chan error, 1)
	go func() { failed <- ui.Start() }()
	select {
	case <-ctx.Done():
		ui.Stop()
		return nil
	case err := <-failed:
		return fmt.Errorf("cannot keep Web UI running: %w", err)
	}
}

// openStore makes the SQLite file if there is none, and the namespace.
func openStore(dir string) (*config.SQL, error) {
	if err := temporaldb.Check(dir); err != nil {
		return nil, err
	}
	file := temporaldb.File(dir)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := createStore(dir, file); err != nil {
			return nil, fmt.Errorf("cannot make Temporal's file: %w", err)
		}
	}
	sql := &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: file,
		ConnectAttributes: map[string]string{
			"mode": "rwc", "journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000",
		},
		MaxConns: 1,
	}
	namespace, err := sqliteschema.NewNamespaceConfig(clusterName, stack.TemporalNamespace, false, SearchAttributes())
	if err != nil {
		return nil, fmt.Errorf("cannot describe namespace: %w", err)
	}
	namespace.Detail.Config.Retention = durationpb.New(retention)
	if err := sqliteschema.CreateNamespaces(sql, namespace); err != nil {
		return nil, fmt.Errorf("cannot make namespace: %w", err)
	}
	return sql, nil
}

// createStore makes the file under another name first, so that a process that
// is killed meanwhile leaves no half-made one.
func createStore(dir, file string) error {
	leftovers, err := filepath.Glob(file + ".new*")
	if err != nil {
		return err
	}
	for _, path := range leftovers {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	err = sqliteschema.SetupSchema(&config.SQL{
		PluginName: sqliteplugin.PluginName, DatabaseName: file + ".new",
		ConnectAttributes: map[string]string{"mode": "rwc"},
	})
	if err != nil {
		return err
	}
	if err := os.Chmod(file+".new", 0o600); err != nil {
		return err
	}
	if err := temporaldb.Mark(dir); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

func newServer(sql *config.SQL, ports stack.TemporalPorts) (temporal.Server, error) {
	frontend := stack.Loopback(ports.Frontend)
	service := func(grpc, http int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: grpc, HTTPPort: http, BindOnIP: "127.0.0.1"}}
	}
	c := &config.Config{
		Global: config.Global{Membership: config.Membership{
			MaxJoinDuration: 30 * time.Second, BroadcastAddress: "127.0.0.1",
		}},
		Persistence: config.Persistence{
			DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{"sqlite": {SQL: sql}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: clusterName, CurrentClusterName: clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			"frontend": service(ports.Frontend, ports.HTTP),
			"history":  service(ports.History, 0),
			"matching": service(ports.Matching, 0),
			"worker":   service(ports.Worker, 0),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		PublicClient: config.PublicClient{HostPort: frontend},
	}
	return temporal.NewServer(
		temporal.WithConfig(c),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(frontend),
			primitives.HistoryService:  static.SingleLocalHost(stack.Loopback(ports.History)),
			primitives.MatchingService: static.SingleLocalHost(stack.Loopback(ports.Matching)),
			primitives.WorkerService:   static.SingleLocalHost(stack.Loopback(ports.Worker)),
		}),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Stdout: true, Level: "warn"}))),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(tunedForOnePerson()),
	)
}

// tunedForOnePerson makes single steps quick. The server's defaults spare a
// shared database: each sequential step of a workflow takes 50 ms with them.
func tunedForOnePerson() dynamicconfig.Client {
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():                  1000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                     1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():                1000,
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key():      true,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():           1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():          1,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 200,
		dynamicconfig.FrontendGlobalNamespaceVisibilityRPS.Key():         200,
		// A client may ask for it when it starts a workflow: a week of soak
		// passes in seconds.
		dynamicconfig.WorkflowTimeSkippingEnabled.Key(): true,
	}
}

func newUI(ports stack.TemporalPorts) *uiserver.Server {
	return uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                "127.0.0.1",
		Port:                ports.UI,
		TemporalGRPCAddress: stack.Loopback(ports.Frontend),
		DefaultNamespace:    stack.TemporalNamespace,
		EnableUI:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true},
		HideLogs:            true,
		DisableNewsFetch:    true,
	}))
}
