// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

import java.nio.file.Path;
import java.util.Set;
import org.elasticsearch.plugins.PluginBundle;
import org.elasticsearch.plugins.PluginsLoader;

/** Reads the folders of modules and plugins, as Elasticsearch 8 has it. */
final class Bundles {
    private Bundles() {}

    static Set<PluginBundle> modules(Path folder) {
        return PluginsLoader.loadModulesBundles(folder);
    }

    static Set<PluginBundle> plugins(Path folder) {
        return PluginsLoader.loadPluginsBundles(folder);
    }
}
