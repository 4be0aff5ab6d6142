import preact from "@preact/preset-vite";
import { defineConfig } from "vite";

// Everything is served by the program itself, under a policy without inline scripts or styles.
export default defineConfig({
  plugins: [preact({ devToolsEnabled: false })],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, cssCodeSplit: false, chunkSizeWarningLimit: 600 },
  server: { proxy: { "/api": "http://127.0.0.1:8080", "/v1": "http://127.0.0.1:8080", "/props": "http://127.0.0.1:8080" } },
});
