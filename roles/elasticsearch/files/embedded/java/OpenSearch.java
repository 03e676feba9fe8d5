// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

import java.nio.file.Path;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

/**
 * One real OpenSearch 1, 2 or 3 node in this JVM, until SIGTERM: OpenSearch DIST HOME [key=value ...]
 *
 * <p>DIST holds modules and plugins; HOME holds config, data, logs and repo (for file system snapshots).
 */
public final class OpenSearch {
    private OpenSearch() {}

    public static void main(String[] arguments) throws InterruptedException {
        NodeProcess.run("OpenSearch", () -> start(arguments));
    }

    private static Node start(String[] arguments) throws Exception {
        Path home = Path.of(arguments[1]);
        Settings.Builder settings = Settings.builder()
            .put("path.home", arguments[0])
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .putList("path.repo", home.resolve("repo").toString());
        for (int i = 2; i < arguments.length; i++) {
            String[] keyAndValue = arguments[i].split("=", 2);
            settings.put(keyAndValue[0], keyAndValue[1]);
        }
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), home.resolve("config"), () -> "node-1");
        Node node = new Node(environment);
        node.start();
        return node;
    }
}
