{{- define "sluice.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "sluice.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (required "say image.tag or image.digest" .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* What every pod has: nobody's rights, and no token of the API server. */ -}}
{{- define "sluice.pod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sluice.container" -}}
image: {{ include "sluice.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "sluice.ledgerEnv" -}}
- name: SLUICE_LEDGER
  valueFrom: {secretKeyRef: {name: {{ .Values.ledger.secretName }}, key: {{ .Values.ledger.urlKey }}}}
- name: PGPASSWORD
  valueFrom: {secretKeyRef: {name: {{ .Values.ledger.secretName }}, key: {{ .Values.ledger.passwordKey }}, optional: true}}
{{- if .Values.ledger.caKey }}
- name: PGSSLROOTCERT
  value: /etc/sluice/ledger/ca.crt
{{- end }}
{{- end -}}

{{- define "sluice.env" -}}
{{ include "sluice.ledgerEnv" . }}
- name: TEMPORAL_ADDRESS
  value: {{ .Values.temporal.address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- if .Values.temporal.tls.secretName }}
- name: TEMPORAL_TLS
  value: "true"
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/sluice/temporal/ca.crt
{{- if .Values.temporal.tls.clientCertificate }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/sluice/temporal/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/sluice/temporal/tls.key
{{- end }}
{{- with .Values.temporal.tls.serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if .Values.temporal.apiKey.secretName }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.temporal.apiKey.secretName }}, key: {{ .Values.temporal.apiKey.key }}}}
{{- end }}
{{- with .Values.payloadKeys.secretName }}
- name: SLUICE_PAYLOAD_KEYS
  value: /etc/sluice/payloads/keys
{{- end }}
{{- with .Values.traces.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "sluice.ledgerMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.ledger.caKey }}
- {name: ledger, mountPath: /etc/sluice/ledger, readOnly: true}
{{- end }}
{{- end -}}

{{- define "sluice.mounts" -}}
{{ include "sluice.ledgerMounts" . }}
{{- if .Values.temporal.tls.secretName }}
- {name: temporal, mountPath: /etc/sluice/temporal, readOnly: true}
{{- end }}
{{- if .Values.payloadKeys.secretName }}
- {name: payloads, mountPath: /etc/sluice/payloads, readOnly: true}
{{- end }}
{{- end -}}

{{- define "sluice.ledgerVolumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .tmp }}}
{{- with .root }}
{{- if .Values.ledger.caKey }}
- name: ledger
  secret:
    secretName: {{ .Values.ledger.secretName }}
    items: [{key: {{ .Values.ledger.caKey }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "sluice.volumes" -}}
{{ include "sluice.ledgerVolumes" . }}
{{- with .root.Values.payloadKeys }}
{{- if .secretName }}
- name: payloads
  secret:
    secretName: {{ .secretName }}
    items: [{key: {{ .key }}, path: keys}]
{{- end }}
{{- end }}
{{- with .root.Values.temporal.tls.secretName }}
- name: temporal
  secret: {secretName: {{ . }}}
{{- end }}
{{- end -}}

{{- /* Replicas on nodes and in zones of their own, where that can be. */ -}}
{{- define "sluice.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sluice.selector" $ | nindent 8 }}
  {{- end }}
{{- end -}}
