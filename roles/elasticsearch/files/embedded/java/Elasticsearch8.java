// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * One real Elasticsearch 8 or 9 node in this JVM, until SIGTERM: Elasticsearch8 DIST HOME [key=value ...]
 *
 * <p>DIST holds modules; HOME holds config, data, logs and repo (for file system snapshots).
 */
public final class Elasticsearch8 {
    private Elasticsearch8() {}

    public static void main(String[] arguments) throws InterruptedException {
        NodeProcess.run("Elasticsearch", () -> start(arguments));
    }

    private static Node start(String[] arguments) throws Exception {
        Path dist = Path.of(arguments[0]);
        Path home = Path.of(arguments[1]);
        Settings.Builder settings = Settings.builder()
            .put("path.home", dist.toString())
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .putList("path.repo", home.resolve("repo").toString());
        for (int i = 2; i < arguments.length; i++) {
            String[] keyAndValue = arguments[i].split("=", 2);
            settings.put(keyAndValue[0], keyAndValue[1]);
        }
        LogConfigurator.configureESLogging();
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), home.resolve("config"), () -> "node-1");
        // On the class path there are no Java modules whose packages plugins could be given.
        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            Bundles.modules(dist.resolve("modules")), Bundles.plugins(dist.resolve("plugins")), Map.of(), false);
        Node node = new Node(environment, plugins);
        node.start();
        return node;
    }
}
