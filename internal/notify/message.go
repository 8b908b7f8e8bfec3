package notify

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/Masterminds/sprig/v3"

	"sluice.dev/sluice/internal/clip"
)

// Bounds of a template: what it renders, each text and list within it, and how often its loops run.
const (
	maxMessage = 16 << 10
	maxValue   = 8 << 10
	maxRounds  = 10_000
)

// The templates where a receiver has none.
const (
	defaultTitle = `{{if .Test}}Test: {{end}}{{.Run}} ({{.Component}} {{.Version}}): {{.Event}}`
	defaultText  = `{{with .WaitsFor}}It waits for {{.}}.
{{end}}{{with .Was}}It no longer stands: {{.}}.
{{end}}{{with .Ending}}It was ended by {{.}}.
{{end}}Phase {{.Phase}}, {{.Clusters}} cluster{{if ne .Clusters 1}}s{{end}} in {{join ", " .Environments}}.
Started {{dateInZone "2006-01-02 15:04:05 MST" .Started "UTC"}} by {{.By}}{{with .Reason}}: {{.}}{{end}}.
{{with .Suspects}}What else had touched it, the most likely first:
{{range .}}- {{.}}
{{end}}{{end}}{{if eq (toString .Event) "start" "done"}}sluice get{{else}}sluice why{{end}} {{.Run}}`
)

// Those of events about probes.
const (
	probesTitle = `{{if .Test}}Test: {{end}}{{.Probes.About}}: ` +
		`{{if eq (toString .Event) "probeResolved"}}over{{else}}{{.Probes.State}}{{end}} ({{.Probes.Severity}})`
	probesText = `{{range .Probes.Turns}}- {{.Case}} in {{.Cluster}}` +
		`{{with .Target}} at {{.}}{{end}}{{if gt .Targets 1}} and {{sub .Targets 1}} more{{end}}: ` +
		`{{with .State}}{{.}}{{else}}not looked at any more{{end}}{{with .Was}}, was {{.}}{{end}} ` +
		`since {{dateInZone "2006-01-02 15:04:05 MST" .Since "UTC"}} ` +
		`({{.Severity}}{{if .Enforcing}}, enforcing{{end}}{{with .Owner}}, {{.}} owns it{{end}}){{with .Says}}: {{.}}{{end}}
{{end}}{{with .Probes.More}}and {{.}} more
{{end}}{{with index .Probes.Turns 0}}{{if gt $.Probes.Count 1}}sluice get probes` +
		`{{else}}sluice probe explain {{.Case}} --cluster {{.Cluster}}{{with .Target}} --target {{.}}{{end}}{{end}}{{end}}`
)

// leftOut of sprig is what looks beyond the event, what takes long, and what makes much of little.
var leftOut = []string{
	"env", "expandenv", "getHostByName",
	"bcrypt", "htpasswd", "derivePassword", "encryptAES", "decryptAES", "buildCustomCert", "genPrivateKey", "genCA", "genCAWithKey",
	"genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	"repeat", "until", "untilStep", "seq", "indent", "nindent", "wrap", "wrapWith",
}

// round is the function that every loop and template calls first.
const round = "sluiceRound"

func functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	for _, name := range leftOut {
		delete(all, name)
	}
	all["print"], all["printf"], all["println"] = fmt.Sprint, fmt.Sprintf, fmt.Sprintln
	for name, f := range all {
		all[name] = bounded(reflect.ValueOf(f)).Interface()
	}
	rounds := 0
	all[round] = func() (string, error) {
		if rounds++; rounds > maxRounds {
			return "", fmt.Errorf("its loops run more than %d times", maxRounds)
		}
		return "", nil
	}
	return all
}

// bounded is a function that fails where it returns too much.
func bounded(f reflect.Value) reflect.Value {
	return reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
		var results []reflect.Value
		if f.Type().IsVariadic() {
			results = f.CallSlice(args)
		} else {
			results = f.Call(args)
		}
		for _, r := range results {
			if r.Kind() == reflect.Interface {
				r = r.Elem()
			}
			if k := r.Kind(); (k == reflect.String || k == reflect.Slice || k == reflect.Map) && r.Len() > maxValue {
				panic(fmt.Errorf("a value is larger than %d", maxValue)) // the template's error
			}
		}
		return results
	})
}

// CheckTemplate tells why a template cannot be used for runs, or for probes; nil where it can.
func CheckTemplate(text string, ofProbes bool) error {
	sample := Sample
	if ofProbes {
		sample = ProbeSample
	}
	_, err := render(text, sample("sample", time.Unix(0, 0)))
	return err
}

// render renders a template. What it renders is clipped, and takes no longer than a blink.
func render(text string, e Event) (string, error) {
	t, err := template.New("template").Funcs(functions()).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", trimmed(err)
	}
	for _, one := range t.Templates() {
		if one.Tree != nil {
			countRounds(one.Root)
			one.Root.Nodes = append([]parse.Node{counter()}, one.Root.Nodes...)
		}
	}
	out := &limited{}
	if err := t.Execute(out, e); err != nil && !errors.Is(err, errFull) {
		return "", trimmed(err)
	}
	return clip.Bytes(out.String(), maxMessage), nil
}

func trimmed(err error) error {
	return errors.New(clip.Bytes(strings.TrimPrefix(err.Error(), "template: "), 300))
}

var errFull = errors.New("the message is full")

// limited keeps what fits, and ends the template with the rest.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxMessage {
		n, _ := l.Buffer.Write(p[:maxMessage-l.Len()])
		return n, errFull
	}
	return l.Buffer.Write(p)
}

// counter is a call of round.
func counter() parse.Node {
	made, err := parse.Parse("round", "{{"+round+"}}", "", "", map[string]any{round: true})
	if err != nil {
		panic(err) // it is a constant
	}
	return made["round"].Root.Nodes[0]
}

// countRounds has every loop below a node call round first.
func countRounds(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.RangeNode:
			countRounds(n.List)
			countRounds(n.ElseList)
			n.List.Nodes = append([]parse.Node{counter()}, n.List.Nodes...)
		case *parse.IfNode:
			countRounds(n.List)
			countRounds(n.ElseList)
		case *parse.WithNode:
			countRounds(n.List)
			countRounds(n.ElseList)
		}
	}
}

// message is the title and the text of an event, by the templates of a receiver.
func message(title, body string, e Event) (string, string, error) {
	usualTitle, usualText := defaultTitle, defaultText
	if e.Probes != nil {
		usualTitle, usualText = probesTitle, probesText
	}
	title, body = cmp.Or(title, usualTitle), cmp.Or(body, usualText)
	line, err := render(title, e)
	if err != nil {
		return "", "", fmt.Errorf("cannot render title: %w", err)
	}
	rest, err := render(body, e)
	if err != nil {
		return "", "", fmt.Errorf("cannot render text: %w", err)
	}
	return clip.Bytes(strings.Join(strings.Fields(line), " "), 300), strings.TrimSpace(rest), nil
}
