{{- /* The pod, of a StatefulSet or a Deployment. */}}
{{- define "ses-relay.pod" -}}
metadata:
  labels:
    {{- include "ses-relay.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "ses-relay.serviceAccount" . }}
  # The relay asks nothing of Kubernetes; the tokens of IRSA and Pod Identity are others.
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10025
    runAsGroup: 10025
    # Claims and secrets are mounted as root's; this group may use them.
    fsGroup: 10025
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: ses-relay
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["serve", "-c", "/etc/ses-relay/config.toml"]
      {{- with .Values.env }}
      env: {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: smtp, containerPort: {{ .Values.ports.smtp }}}
        - {name: health, containerPort: {{ .Values.ports.health }}}
      # A spool of an older release is brought to the new one before the relay is ready.
      startupProbe:
        httpGet: {path: /readyz, port: health}
        periodSeconds: 1
        failureThreshold: 300
      readinessProbe:
        httpGet: {path: /readyz, port: health}
        periodSeconds: 5
      livenessProbe:
        httpGet: {path: /livez, port: health}
        periodSeconds: 10
        failureThreshold: 3
      {{- if .Values.preStopSeconds }}
      lifecycle:
        preStop:
          exec: {command: ["sleep", "{{ .Values.preStopSeconds }}"]}
      {{- end }}
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
      volumeMounts:
        # As a folder, so that a changed ConfigMap is taken over; a subPath would keep it
        # as it was.
        - {name: settings, mountPath: /etc/ses-relay, readOnly: true}
        {{- if include "ses-relay.templates" . }}
        - {name: templates, mountPath: /templates, readOnly: true}
        {{- end }}
        {{- if .Values.secret }}
        - {name: secrets, mountPath: /secrets, readOnly: true}
        {{- end }}
        {{- if eq .Values.kind "StatefulSet" }}
        - {name: spool, mountPath: /var/spool/relay}
        {{- end }}
  volumes:
    - name: settings
      configMap: {name: {{ include "ses-relay.fullname" . }}}
    {{- with include "ses-relay.templates" . }}
    - name: templates
      configMap: {name: {{ . }}}
    {{- end }}
    {{- with .Values.secret }}
    - name: secrets
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
