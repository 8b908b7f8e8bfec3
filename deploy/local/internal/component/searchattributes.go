package component

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// SearchAttributes are what Sluice's workflows are found by. A SQL-backed
// server takes ten keywords and three integers.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	attributes := map[string]enumspb.IndexedValueType{
		"SluicePercent": enumspb.INDEXED_VALUE_TYPE_INT,
		"SluiceFailed":  enumspb.INDEXED_VALUE_TYPE_INT,
	}
	for _, name := range []string{
		"SluiceComponent", "SluiceVersion", "SluicePipeline", "SluiceStage", "SluiceClusterGroup",
		"SluiceCluster", "SluicePhase", "SluiceWaitingFor", "SluicePlanHash",
	} {
		attributes[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	return attributes
}

// ensureSearchAttributes adds the attributes that the namespace lacks: a file
// that an earlier release made does not know the later ones.
func ensureSearchAttributes(ctx context.Context, address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("cannot reach Temporal server: %w", err)
	}
	defer conn.Close()
	service := operatorservice.NewOperatorServiceClient(conn)
	deadline := time.Now().Add(time.Minute)
	for {
		missing, err := missingSearchAttributes(ctx, service)
		if err == nil && len(missing) == 0 {
			return nil
		}
		if err == nil {
			_, err = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
				Namespace: stack.TemporalNamespace, SearchAttributes: missing,
			})
		}
		if err != nil && time.Now().After(deadline) {
			return fmt.Errorf("cannot add search attributes: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func missingSearchAttributes(
	ctx context.Context, service operatorservice.OperatorServiceClient,
) (map[string]enumspb.IndexedValueType, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	known, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: stack.TemporalNamespace})
	if err != nil {
		return nil, err
	}
	missing := SearchAttributes()
	for name := range known.GetCustomAttributes() {
		delete(missing, name)
	}
	return missing, nil
}
