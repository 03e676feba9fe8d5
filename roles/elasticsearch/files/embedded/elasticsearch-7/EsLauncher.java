// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;

/**
 * One real Elasticsearch 7 node in this JVM, until SIGTERM: EsLauncher HOME PLUGIN,PLUGIN... [key=value ...]
 *
 * <p>HOME holds config, data, logs and repo (for file system snapshots).
 */
public final class EsLauncher {
    /** Node takes its plugin classes only from a subclass. */
    private static final class ClasspathNode extends Node {
        ClasspathNode(Environment environment, Collection<Class<? extends Plugin>> plugins) {
            super(environment, plugins, true);
        }
    }

    private EsLauncher() {}

    public static void main(String[] arguments) throws InterruptedException {
        try {
            start(arguments);
        } catch (Throwable failure) {
            Throwable cause = failure;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            String reason = failure == cause ? "" : " (" + cause.getMessage() + ")";
            System.err.println("Elasticsearch could not start: " + failure.getMessage() + reason);
            System.exit(1);
        }
        System.out.println("started " + ProcessHandle.current().pid());
        new CountDownLatch(1).await();
    }

    private static void start(String[] arguments) throws Exception {
        Path home = Paths.get(arguments[0]).toAbsolutePath();
        Path config = Files.createDirectories(home.resolve("config"));
        Settings.Builder settings = Settings.builder()
            .put("path.home", home.toString())
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .putList("path.repo", home.resolve("repo").toString());
        for (int i = 2; i < arguments.length; i++) {
            String[] keyAndValue = arguments[i].split("=", 2);
            settings.put(keyAndValue[0], keyAndValue[1]);
        }
        List<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (String name : arguments[1].split(",")) {
            plugins.add(Class.forName(name).asSubclass(Plugin.class));
        }
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(settings.build(), Collections.emptyMap(), config, () -> "node-1");
        Files.createDirectories(environment.tmpFile());
        Node node = new ClasspathNode(environment, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node)));
        node.start();
    }

    private static void close(Node node) {
        try {
            node.close();
        } catch (Exception failure) {
            System.err.println("Elasticsearch did not stop cleanly: " + failure);
        }
    }
}
