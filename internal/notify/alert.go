package notify

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines"
)

// lasts is how long an alert lasts of which Alertmanager hears no more: one that stands is told again long before.
const lasts = time.Hour

// anAlert is what Alertmanager's API takes.
type anAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt,omitzero"`
	EndsAt      time.Time         `json:"endsAt"`
}

func alert(
	ctx context.Context, read *reader, a *pipelines.AlertmanagerReceiver, e Event, title, text string, now time.Time,
) Answer {
	of := e.Event
	one := anAlert{Labels: map[string]string{}, Annotations: map[string]string{"summary": title, "description": text}}
	if e.Was != "" {
		of, one.EndsAt = e.Was, e.At
	} else {
		one.StartsAt, one.EndsAt = e.At, now.Add(lasts).UTC()
	}
	maps.Copy(one.Labels, a.Labels)
	name := string(of)
	maps.Copy(one.Labels, map[string]string{
		"alertname": "SluiceRun" + strings.ToUpper(name[:1]) + name[1:], "run": e.Run, "component": e.Component, "version": e.Version,
	})
	if len(e.Environments) == 1 {
		one.Labels["environment"] = e.Environments[0]
	}
	body, err := json.Marshal([]anAlert{one})
	if err != nil {
		return Answer{Never: true, Says: err.Error()}
	}
	return post(ctx, read, posted{
		address: strings.TrimRight(a.URL, "/") + "/api/v2/alerts", body: body, key: e.Key, token: a.BearerToken, basic: a.BasicAuth,
	})
}
