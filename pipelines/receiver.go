package pipelines

import "slices"

// Receiver is somebody who is told what runs do, and what probes find: a pager, a channel, a mailbox, an Alertmanager. Workers are
// started with receivers; runs know nothing of them, and wait for none.
type Receiver struct {
	Metadata Metadata     `json:"metadata"`
	Spec     ReceiverSpec `json:"spec"`
	Position Position     `json:"-"`
}

// ReceiverSpec is the body of a Receiver: what it is told, and how. It has exactly one of webhook, slack, alertmanager and email.
type ReceiverSpec struct {
	// that it is told of; default all, for an alertmanager those that need somebody
	Events       []NotifyEvent `json:"events,omitempty" items:"1..20"`
	Components   []string      `json:"components,omitempty" is:"name" items:"1..1000"`  // whose runs it is told of; default all
	Environments []string      `json:"environments,omitempty" is:"name" items:"1..100"` // of which a run moves at least one; default all
	// that one cluster of a run has, all of them; default none
	ClusterLabels map[string]string `json:"clusterLabels,omitempty" keys:"labelKey" is:"labelValue" items:"1..100"`
	// template of one line; default says what happened to which run
	Title        string                `json:"title,omitempty" is:"text"`
	Text         string                `json:"text,omitempty" is:"text"`           // template of the rest
	PerMinute    int                   `json:"perMinute,omitempty" range:"1..600"` // it is told no more often; default 30
	Probes       *ProbesHeard          `json:"probes,omitempty"`                   // of which probes it is told; default none
	Webhook      *WebhookReceiver      `json:"webhook,omitempty"`
	Slack        *SlackReceiver        `json:"slack,omitempty"`
	Alertmanager *AlertmanagerReceiver `json:"alertmanager,omitempty"`
	Email        *EmailReceiver        `json:"email,omitempty"`
}

// ProbesHeard are the cases that a receiver is told of.
type ProbesHeard struct {
	Cases    []string      `json:"cases,omitempty" is:"name" items:"1..1000"` // default all
	Owners   []string      `json:"owners,omitempty" is:"line" items:"1..100"` // default all
	Severity ProbeSeverity `json:"severity,omitempty"`                        // that bad at least; default any
	Advisory bool          `json:"advisory,omitempty"`                        // those too that hold nothing that changes
}

// WebhookReceiver gets a POST for each event: the event as JSON, or what body renders.
type WebhookReceiver struct {
	URL         string        `json:"url,omitempty" is:"text"` // one of url and urlFrom
	URLFrom     *WorkerSecret `json:"urlFrom,omitempty"`       // where the address itself is the secret
	BearerToken *WorkerSecret `json:"bearerToken,omitempty"`
	BasicAuth   *BasicAuth    `json:"basicAuth,omitempty"`                    // one of bearerToken and basicAuth
	Body        string        `json:"body,omitempty" is:"text"`               // template; default the event as JSON
	ContentType string        `json:"contentType,omitempty" is:"headerValue"` // default application/json
}

// SlackReceiver is a channel behind one of Slack's incoming webhooks, or whatever speaks as they do.
type SlackReceiver struct {
	URLFrom WorkerSecret `json:"urlFrom"` // the address is the secret
}

// AlertmanagerReceiver is an Alertmanager that is asked by its API version 2. What a run stands for is an alert until it goes on.
type AlertmanagerReceiver struct {
	URL         string            `json:"url" is:"text"` // such as http://alertmanager.example:9093
	BearerToken *WorkerSecret     `json:"bearerToken,omitempty"`
	BasicAuth   *BasicAuth        `json:"basicAuth,omitempty"`                                        // one of bearerToken and basicAuth
	Labels      map[string]string `json:"labels,omitempty" keys:"identifier" is:"text" items:"1..50"` // of each alert, beside Sluice's own
}

// EmailReceiver are mailboxes behind an SMTP server.
type EmailReceiver struct {
	Server string     `json:"server" is:"hostPort"` // such as mail.example:587
	TLS    EmailTLS   `json:"tls,omitempty"`        // default StartTLS
	From   string     `json:"from" is:"mailbox"`
	To     []string   `json:"to" is:"mailbox" items:"1..50"`
	Auth   *BasicAuth `json:"auth,omitempty"` // never sent in the clear
}

// EmailTLS is how the way to an SMTP server is kept private.
type EmailTLS string

// The ways.
const (
	StartTLS    EmailTLS = "StartTLS" // refused where the server cannot
	ImplicitTLS EmailTLS = "TLS"      // from the first byte
	PlainText   EmailTLS = "None"
)

func (EmailTLS) values() []string {
	return []string{string(StartTLS), string(ImplicitTLS), string(PlainText)}
}

// NotifyEvent is something that a run does, or that becomes of it.
type NotifyEvent string

// The events.
const (
	EventStart      NotifyEvent = "start"
	EventHeld       NotifyEvent = "held"     // it stands until somebody decides
	EventApproval   NotifyEvent = "approval" // it waits for one
	EventStalled    NotifyEvent = "stalled"  // it should get on, and does not
	EventFrozen     NotifyEvent = "frozen"   // a freeze holds all that would move
	EventResumed    NotifyEvent = "resumed"  // what it stood for is over
	EventFailed     NotifyEvent = "failed"
	EventRolledBack NotifyEvent = "rolledBack"
	EventAborted    NotifyEvent = "aborted"
	EventDone       NotifyEvent = "done"
	EventUnstopped  NotifyEvent = "unstopped" // a drill's version, which is bad
)

// The events of probes.
const (
	EventProbeFailing  NotifyEvent = "probeFailing"
	EventProbeUnknown  NotifyEvent = "probeUnknown"  // nothing is known of what should be looked at
	EventProbeResolved NotifyEvent = "probeResolved" // it is neither any more
)

// NotifyEvents are all of them.
func NotifyEvents() []NotifyEvent {
	return []NotifyEvent{
		EventStart, EventHeld, EventApproval, EventStalled, EventFrozen, EventResumed, EventFailed, EventRolledBack, EventAborted, EventDone,
		EventUnstopped, EventProbeFailing, EventProbeUnknown, EventProbeResolved,
	}
}

func (NotifyEvent) values() []string {
	var all []string
	for _, e := range NotifyEvents() {
		all = append(all, string(e))
	}
	return all
}

// Stands reports whether the event is the begin of something that lasts until the run is resumed, or ends.
func (e NotifyEvent) Stands() bool {
	return e == EventHeld || e == EventApproval || e == EventStalled || e == EventFrozen
}

// OfProbes reports whether the event is about probes, and not about a run.
func (e NotifyEvent) OfProbes() bool {
	return e == EventProbeFailing || e == EventProbeUnknown || e == EventProbeResolved
}

// Hears reports whether the receiver is told of an event. An Alertmanager that names none is told of what needs somebody.
func (s *ReceiverSpec) Hears(e NotifyEvent) bool {
	if e.OfProbes() && s.Probes == nil {
		return false
	}
	if len(s.Events) == 0 && s.Alertmanager != nil {
		return e.Stands() || e == EventFailed || e == EventRolledBack || e == EventUnstopped
	}
	return len(s.Events) == 0 || slices.Contains(s.Events, e)
}

// Often is how many messages a minute the receiver gets at most.
func (s *ReceiverSpec) Often() int {
	if s.PerMinute == 0 {
		return 30
	}
	return s.PerMinute
}
