{{- define "botswain.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "botswain.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "botswain.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "botswain.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "botswain.serviceAccountName" -}}
{{- default (printf "%s-operator" (include "botswain.fullname" .)) .Values.serviceAccount.name -}}
{{- end }}

{{/* Labels of everything in the release. Call with a dict of root and component. */}}
{{- define "botswain.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{ include "botswain.selector" . }}
{{- end }}

{{- define "botswain.selector" -}}
app.kubernetes.io/name: {{ include "botswain.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "botswain.tag" -}}
{{- default .Chart.AppVersion .Values.images.tag | toString -}}
{{- end }}

{{/* An image by name. Call with a dict of root, name and whole (a reference that replaces the rest). */}}
{{- define "botswain.image" -}}
{{- if .whole -}}
{{- .whole -}}
{{- else -}}
{{- printf "%s/%s:%s" (default "botswain" (trimSuffix "/" .root.Values.images.registry)) .name (include "botswain.tag" .root) -}}
{{- end -}}
{{- end }}

{{- define "botswain.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Restricted, in the sense of the Pod Security Standards. */}}
{{- define "botswain.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "botswain.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "botswain.simulatorUrl" -}}
{{- printf "http://%s-simulator.%s.svc:8090/api/v10" (include "botswain.fullname" .) .Release.Namespace -}}
{{- end }}
