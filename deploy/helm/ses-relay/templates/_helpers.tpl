{{- define "ses-relay.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "ses-relay.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ses-relay.labels" -}}
{{ include "ses-relay.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ses-relay.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "ses-relay.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name: with serviceAccount.create=false, name the one that is there" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "ses-relay.templates" -}}
{{- if .Values.templatesConfigMap -}}
{{- .Values.templatesConfigMap -}}
{{- else if .Values.templates -}}
{{- printf "%s-templates" (include "ses-relay.fullname" .) -}}
{{- end -}}
{{- end }}

{{- /* What a schema of the values cannot say: how they fit each other. */}}
{{- define "ses-relay.check" -}}
{{- $engine := regexFind `(?m)^[^#\n]*\bengine["']?\s*=\s*["'][a-z]+["']` .Values.settings | regexFind `[a-z]+["']$` | trimAll `"'` | default "sqlite" -}}
{{- if and (eq .Values.kind "Deployment") (eq $engine "sqlite") -}}
{{- fail "kind: a Deployment has no disk that outlives its pods, so mail in a queue there would be lost; let settings have [queue] with engine = \"none\" or \"sqs\", or set kind=StatefulSet" -}}
{{- end -}}
{{- if not (regexMatch (printf `(?m)^[^#\n]*\baddress["']?\s*=\s*["'][^"'\n]*:%d["']` (int .Values.ports.smtp)) .Values.settings) -}}
{{- fail (printf "ports.smtp: no listener of the settings is on %d; let settings have [[listeners]] with address = \"0.0.0.0:%d\", or set ports.smtp to the port of theirs" (int .Values.ports.smtp) (int .Values.ports.smtp)) -}}
{{- end -}}
{{- if and .Values.templates .Values.templatesConfigMap -}}
{{- fail "templates, templatesConfigMap: give one of both" -}}
{{- end -}}
{{- if and (include "ses-relay.templates" .) (not (regexMatch `(?m)^\s*["']?templatesDir["']?\s*=` .Values.settings)) -}}
{{- fail "templates: the settings do not read them; let settings have templatesDir = \"/templates\" above its first table" -}}
{{- end -}}
{{- if ge (int .Values.preStopSeconds) (int .Values.terminationGracePeriodSeconds) -}}
{{- fail "terminationGracePeriodSeconds: it has to be longer than preStopSeconds and the settings' grace (25 s) together" -}}
{{- end -}}
{{- end }}
