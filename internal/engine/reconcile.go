package engine

import (
	"context"
	"fmt"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
)

// ReconcileRequest says which record of a component in a cluster to trust. All of it is required.
type ReconcileRequest struct {
	Component string
	Cluster   string
	Trust     api.Trust
	By        string
	Reason    string
}

// Reconcile makes the Lease of a component in a cluster and the ledger agree on what runs there, through a worker. It is fault.NotFound
// where nobody knows the cluster.
func (e *Engine) Reconcile(ctx context.Context, req ReconcileRequest) (api.Reconciled, error) {
	var out api.Reconciled
	req.By = e.named(req.By)
	subject := api.Component(req.Component)
	at, err := e.placeOf(ctx, subject, req.Cluster)
	if err != nil {
		return out, err
	}
	run, err := e.begin(ctx, errand{
		name: api.ReconcileName, id: fmt.Sprintf("reconcile/%s/%s", req.Cluster, subject),
		in:   api.ReconcileInput{Subject: subject, Cluster: req.Cluster, Context: at.Context, Site: at.Site, Trust: req.Trust},
		says: fmt.Sprintf("%s in %s: the %s is right", subject, req.Cluster, req.Trust),
	}, fmt.Sprintf("cannot reconcile %s in %s", subject, req.Cluster))
	if err != nil {
		return out, err
	}
	err = e.await(ctx, run, &out)
	outcome := "accepted"
	if err != nil {
		outcome = err.Error()
	} else if out.Agreed {
		outcome = "they agreed"
	}
	if noted := e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "reconcile", Object: subject.String(), Scope: "cluster " + req.Cluster + ", trust " + string(req.Trust),
		Reason: req.Reason, Outcome: outcome,
	}); err == nil {
		err = noted
	}
	return out, err
}

// recentPlans is how many of the newest plans of a component are looked through for a cluster.
const recentPlans = 50

// placeOf is where a cluster is: as the fleet of the installation says, and where it has none, the newest plan
// of the subject that has the cluster; of any, where that is the zero one.
func (e *Engine) placeOf(ctx context.Context, subject api.Subject, cluster string) (plan.Place, error) {
	own, err := e.Fleet(ctx)
	if err != nil {
		return plan.Place{}, err
	}
	if own.kept() {
		at, known := own.Cluster(cluster)
		if !known {
			err = fault.New(fault.NotFound, "cannot find cluster %s in %s", cluster, ofTheLedger)
		}
		return at, err
	}
	all, err := e.ledger.ListPlans(ctx, subject, recentPlans)
	if err != nil {
		return plan.Place{}, err
	}
	for _, p := range all {
		planned, err := e.LoadPlan(ctx, p.Hash)
		if err != nil {
			return plan.Place{}, err
		}
		if u, _, there := planned.Plan.Unit(cluster); there {
			return u.Place(), nil
		}
	}
	whose := ""
	if subject != (api.Subject{}) {
		whose = " of component " + subject.String()
	}
	return plan.Place{}, fault.New(fault.NotFound, "cannot find cluster %s in the newest %d plans%s", cluster, recentPlans, whose)
}
