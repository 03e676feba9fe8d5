// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;

/**
 * One real Elasticsearch 7 node in this JVM, until SIGTERM: Elasticsearch7 DIST HOME PLUGIN,PLUGIN... [key=value ...]
 *
 * <p>HOME holds config, data, logs and repo (for file system snapshots). The plugins are classes of the class path.
 */
public final class Elasticsearch7 {
    /** Node takes its plugin classes only from a subclass. */
    private static final class ClasspathNode extends Node {
        ClasspathNode(Environment environment, Collection<Class<? extends Plugin>> plugins) {
            super(environment, plugins, true);
        }
    }

    private Elasticsearch7() {}

    public static void main(String[] arguments) throws InterruptedException {
        NodeProcess.run("Elasticsearch", () -> start(arguments));
    }

    private static Node start(String[] arguments) throws Exception {
        Path home = Paths.get(arguments[1]);
        Settings.Builder settings = Settings.builder()
            .put("path.home", arguments[0])
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .putList("path.repo", home.resolve("repo").toString());
        for (int i = 3; i < arguments.length; i++) {
            String[] keyAndValue = arguments[i].split("=", 2);
            settings.put(keyAndValue[0], keyAndValue[1]);
        }
        List<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (String name : arguments[2].split(",")) {
            plugins.add(Class.forName(name).asSubclass(Plugin.class));
        }
        Environment environment = InternalSettingsPreparer.prepareEnvironment(
            settings.build(), Collections.emptyMap(), home.resolve("config"), () -> "node-1");
        Files.createDirectories(environment.tmpFile());
        return new ClasspathNode(environment, plugins).start();
    }
}
