package pipelines

import (
	"regexp"
	"slices"
	"strings"

	"sluice.dev/sluice/pipelines/rule"
)

// format is what a text has to look like. Fields name theirs in the tags "is" (the text, or each of a list's or map's)
// and "keys" (the keys of a map); loader and JSON Schema both go by it.
type format struct {
	pattern *regexp.Regexp
	says    string   // "must be ..."
	values  []string // instead of a pattern: the only texts there are
}

func (f *format) allows(text string) bool {
	if f.values != nil {
		return slices.Contains(f.values, text)
	}
	return f.pattern.MatchString(text)
}

// complaint says what is wrong with a text that is not allowed.
func (f *format) complaint(text string) string {
	if len(f.values) == 1 {
		return "must be " + f.values[0]
	}
	if f.values != nil {
		return "must be one of " + strings.Join(f.values, ", ") + rule.Suggest(text, f.values)
	}
	return f.says
}

// formats makes the table of formats by name. A scalar is a text, number or bool, a value one of them, or a list
// or mapping of such; the decoder checks both.
func formats() map[string]*format {
	pattern := func(expr, says string) *format {
		return &format{pattern: regexp.MustCompile(expr), says: says}
	}
	return map[string]*format{
		"name": pattern(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`,
			"must be a DNS-1123 name: lower-case letters, digits and dashes, at most 63, a letter or digit first and last"),
		"nameGlob": pattern(`^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$`,
			"must be a name, or one with * for any letters in it: lower-case letters, digits, dashes and stars, at most 63"),
		"identifier": pattern(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`,
			"must be an identifier: letters, digits and underscores, at most 63, no digit first"),
		"slot": pattern(`^[A-Za-z][-A-Za-z0-9_]{0,62}$`,
			"must be letters, digits, dashes and underscores, at most 63, a letter first"),
		"version": pattern(`^[A-Za-z0-9]([-A-Za-z0-9._+]{0,61}[A-Za-z0-9])?$`,
			"must be letters, digits, dots, dashes, underscores and plus signs, at most 63, a letter or digit first and last"),
		"labelKey": pattern(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`,
			"must be a label key as in Kubernetes: an optional prefix and slash, "+
				"then at most 63 letters, digits, dashes, underscores and dots"),
		"labelValue": pattern(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`,
			"must be a label value as in Kubernetes: at most 63 letters, digits, dashes, underscores and dots"),
		"kind": pattern(`^[A-Z][A-Za-z0-9]*$`,
			"must be a Kubernetes kind such as Deployment"),
		"reason": pattern(`^[A-Za-z][A-Za-z0-9_:-]{0,127}$`,
			"must be a reason as Kubernetes has it, such as CrashLoopBackOff"),
		"workload": pattern(`^[A-Z][A-Za-z0-9]*/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`,
			"must be Kind/name, such as DaemonSet/node-agent"),
		"object": pattern(`^[A-Z][A-Za-z0-9]*(/[A-Za-z0-9]([-A-Za-z0-9:._]*[A-Za-z0-9])?){1,2}$`,
			"must be Kind/name or Kind/namespace/name"),
		"pointer": pattern(`^(/[^/]*)+$`,
			"must be a JSON pointer such as /spec/replicas"),
		"valueKey": pattern(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`,
			"must be a key of the values, with dots between its levels, such as image.tag"),
		"date":  pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`, "must be a date such as 2026-12-25"),
		"image": pattern(`^\S+$`, "must be an image reference without spaces"),
		"path":  pattern(`^[^/\s]\S*$`, "must be a path without spaces, relative to the file"),
		"subdomain": pattern(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`,
			"must be lower-case letters, digits, dashes and dots, at most 253, a letter or digit first and last"),
		"quantity": pattern(`^[0-9]{1,12}(\.[0-9]{1,9})?(m|k|Ki|M|Mi|G|Gi)?$`, "must be a quantity as in Kubernetes, such as 500m or 128Mi"),
		"resource": pattern(`^[a-z][-a-z0-9]{0,62}(/[a-z][-a-z0-9]{0,62}|(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+)?$`,
			"must be a resource of the API such as pods, pods/exec or, as a key, deployments.apps; * is no resource"),
		"apiGroup": pattern(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$`,
			"must be a group of the API such as apps, or nothing for the core group"),
		"line":    pattern(`^\S(.{0,248}\S)?$`, "must be one line of at most 250 characters, without spaces around"),
		"apiVerb": {values: []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}},
		"mountPath": pattern(`^(/\.?[A-Za-z0-9_-][-A-Za-z0-9_.]{0,100}){1,10}$`,
			"must be an absolute path of at most ten folders: letters, digits, dots, dashes and underscores"),
		"capability":  pattern(`^[A-Z][A-Z_]{2,40}$`, "must be a capability of Linux such as NET_RAW"),
		"headerValue": pattern(`^[!-~]([ -~]{0,254}[!-~])?$`, "must be at most 256 characters of ASCII, without spaces around"),
		"secretEnv":   pattern(`^SLUICE_SECRET_[A-Z0-9_]{1,100}$`, "must be an environment variable whose name begins with SLUICE_SECRET_"),
		"secretFile": pattern(`^[A-Za-z0-9_][-A-Za-z0-9_.]{0,100}(/[A-Za-z0-9_][-A-Za-z0-9_.]{0,100}){0,4}$`,
			"must be a path below the worker's folder of secrets: letters, digits, dots, dashes and underscores"),
		"hostPort": pattern(`^[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?:[0-9]{1,5}$`, "must be of the form HOST:PORT"),
		"mailbox":  pattern(`^[^\s<>@,;"]{1,64}@[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?$`, "must be an address such as oncall@example.com"),
		"person": pattern(`^[^\s()\[\]]([^()\[\]\t\r\n]{0,198}[^\s()\[\]])?$`,
			"must be a name as Sluice shows it, such as ann@example.com, without (unverified)"),
		"repository": pattern(`^(https?://[^\s@/]+(/[^\s/]+)+|`+
			`ssh://[A-Za-z0-9._][-A-Za-z0-9._]*@[A-Za-z0-9][-A-Za-z0-9.]*(:[0-9]{1,5})?(/[^\s/]+)+|`+
			`[A-Za-z0-9._][-A-Za-z0-9._]*@[A-Za-z0-9][-A-Za-z0-9.]*:[^\s/:-][^\s:]*)/?$`,
			"must be the address of a repository: https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH, without a password in it"),
		"branch": pattern(`^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?(/[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?){0,9}$`,
			"must be the name of a branch: letters, digits, dashes, underscores, dots and slashes, without refs/heads/"),
		"repositoryPath": pattern(`^[^/\s\\:*?-][^\s\\:*?]{0,999}$`,
			"must be a path in the repository, without spaces and stars, and without / before it"),
		"forgeRepository": pattern(`^[A-Za-z0-9_.][-A-Za-z0-9_.]*(/[A-Za-z0-9_.][-A-Za-z0-9_.]*){1,20}$`,
			"must be a repository as the forge calls it, such as team/infra"),
		"signer": pattern(`^\s*(-----BEGIN PGP PUBLIC KEY BLOCK-----|(ssh|ecdsa|sk-ssh|sk-ecdsa)-[-a-z0-9@.]+ )`,
			"must be a public key: one line of SSH such as ssh-ed25519 AAAA..., or an armored block of GPG"),
		"text":     pattern(`\S`, "must not be empty"),
		"operator": {values: []string{OpIn, OpNotIn, OpExists, OpDoesNotExist}},
		"order":    {values: []string{OrderByRisk, OrderByName}},
		"riskPart": {values: RiskParts()},
		"scalar":   nil,
		"value":    nil,
	}
}

// enum is a text type with a fixed set of values.
type enum interface {
	values() []string
}
