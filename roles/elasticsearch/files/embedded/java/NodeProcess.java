// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

import java.io.Closeable;
import java.util.concurrent.CountDownLatch;

/** What every launcher does around its node: run it in this JVM until SIGTERM, or say in one line why it could not start. */
final class NodeProcess {
    /** Starts a node; what it returns stops it. */
    interface Starter {
        Closeable start() throws Exception;
    }

    private NodeProcess() {}

    static void run(String product, Starter starter) throws InterruptedException {
        try {
            Closeable node = starter.start();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> close(product, node)));
        } catch (Throwable failure) {
            Throwable cause = failure;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            String reason = failure == cause ? "" : " (" + cause.getMessage() + ")";
            System.err.println(product + " could not start: " + failure.getMessage() + reason);
            System.exit(1);
        }
        System.out.println("started " + ProcessHandle.current().pid());
        new CountDownLatch(1).await();
    }

    private static void close(String product, Closeable node) {
        try {
            node.close();
        } catch (Exception failure) {
            System.err.println(product + " did not stop cleanly: " + failure);
        }
    }
}
