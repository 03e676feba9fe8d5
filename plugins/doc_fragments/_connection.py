# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach Elasticsearch or OpenSearch. The spec is connection_spec() in module_utils/_argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection options, the same in every module."""

    DOCUMENTATION = r"""
options:
  server_urls:
    description:
      - URLs of the nodes of one Elasticsearch (7.17 to 9) or OpenSearch (1 to 3) cluster, as in Jaeger's C(--es.server-urls).
      - Without a port, 80 or 443 is used, as by Jaeger.
      - Credentials are not allowed in it, see O(username).
      - Falls back to the environment variable E(ES_SERVER_URLS) (separated by commas).
    type: list
    elements: str
    required: true
    aliases: [url, hosts]
  username:
    description:
      - User for basic authentication (Jaeger's C(--es.username)).
      - Credentials are taken from the environment only where no option gives any.
      - Falls back to E(ES_USERNAME).
    type: str
  password:
    description:
      - Password for basic authentication (Jaeger's C(--es.password)).
      - Falls back to E(ES_PASSWORD).
    type: str
  password_file:
    description:
      - File that holds the password. White space around it is cut off.
      - Falls back to E(ES_PASSWORD_FILE).
    type: path
  api_key:
    description:
      - API key, encoded as the server's create call returns it.
      - Falls back to E(ES_API_KEY).
    type: str
  api_key_file:
    description:
      - File that holds the API key.
      - Falls back to E(ES_API_KEY_FILE).
    type: path
  bearer_token:
    description:
      - Bearer token.
      - Falls back to E(ES_BEARER_TOKEN).
    type: str
  bearer_token_file:
    description:
      - File that holds the bearer token (Jaeger's C(--es.token-file)).
      - Falls back to E(ES_TOKEN_FILE).
    type: path
  ca_path:
    description:
      - File with the certificates of the authorities to trust, in PEM form (Jaeger's C(--es.tls.ca)).
      - Falls back to E(ES_TLS_CA).
    type: path
  client_cert:
    description:
      - File with the client certificate, in PEM form (Jaeger's C(--es.tls.cert)).
      - Falls back to E(ES_TLS_CERT).
    type: path
  client_key:
    description:
      - File with the private key of O(client_cert), in PEM form (Jaeger's C(--es.tls.key)).
      - Falls back to E(ES_TLS_KEY).
    type: path
  server_name:
    description:
      - The name that the server's certificate must have, where it is not the host of the URL (Jaeger's C(--es.tls.server-name)).
      - Falls back to E(ES_TLS_SERVER_NAME).
    type: str
  validate_certs:
    description: Whether to check the server's certificate (the opposite of Jaeger's C(--es.tls.skip-host-verify)).
    type: bool
    default: true
  timeout:
    description: How long to wait for one answer, in seconds (Jaeger's C(--timeout)).
    type: int
    default: 120
  retries:
    description:
      - How often a read is repeated when no answer comes or the answer is 429, 502, 503 or 504, with a growing pause.
      - A request that changes something is never repeated blindly. The state is read again first.
    type: int
    default: 3
  otlp_endpoint:
    description:
      - Base URL of an OpenTelemetry collector or a Jaeger that takes OTLP by HTTP, such as V(http://localhost:4318).
      - The run is then exported as one trace, at its end. The spans are the run, its steps, and each request to the server with its status.
      - If E(TRACEPARENT) (and E(TRACESTATE)) is set, the run is a part of that trace, and is recorded only if that trace is sampled.
      - Credentials are not allowed in it. OpenTelemetry's own variables hold here, such as E(OTEL_EXPORTER_OTLP_HEADERS) for them,
        E(OTEL_EXPORTER_OTLP_CERTIFICATE) for a private authority, and E(OTEL_SERVICE_NAME), which is C(jaeger-es-maintenance) otherwise.
      - An export that fails or takes more than 5 seconds is a warning, and the run is what it is without it.
    type: str
    version_added: 0.2.0
requirements:
  - elasticsearch (Python library) >= 8.19, < 9; its transport speaks to OpenSearch too
  - opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http (Python libraries), only for O(otlp_endpoint)
"""
